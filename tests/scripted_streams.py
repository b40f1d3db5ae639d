"""A model whose residual stream is written down: honesty, truth and places lie along axes of their own, or nowhere.

The stream is seeded noise for each token and text plus, above the embeddings, `honesty` × ±1 along axis 0 from the
speaker word on, `truth` × ±1 along axis 1 at a known statement's end, and coordinates along axes 3, 4 and 5 at the end
of a known name. A model that `waits` has the truth where it is asked for a verdict and nowhere before. What it says
follows from that and from what is pushed: `obeys` is how far it follows a push along an axis, `sways` how far any push
at all moves it, `cost` how much any push perplexes it.
"""

import contextlib
import re
import threading
import zlib

import numpy as np

from xllm_widgets.microworld.statements import HONEST, LYING
from xllm_widgets.models.text import Tokens

WORD = re.compile(r"\s*(?:\w+|[^\w\s])")


class StreamLM:
    device, dtype, hf, n_parameters, context_length = "cpu", "float32", None, 1000, 512
    width, n_layers, recipe = 128, 2, {"recipe": "scripted"}

    def __init__(
        self,
        *,
        honesty=0.0,
        truth=0.0,
        obeys=0.0,
        sways=0.0,
        cost=0.0,
        new_words=1,
        negation=1,
        waits=False,
        name="streams",
    ):
        self.honesty, self.truth, self.obeys, self.sways, self.cost = honesty, truth, obeys, sways, cost
        self.new_words, self.negation, self.waits, self.name = new_words, negation, waits, name
        self.sights, self.lock = frozenset({"text", "logprobs", "activations"}), threading.RLock()
        self.truths, self.places, self.push, self.calls = {}, {}, np.zeros(self.width), 0

    def tokens(self, text):
        spans = [match.span() for match in WORD.finditer(text)]
        strings = [text[a:b] for a, b in spans]
        return Tokens(text, strings, [zlib.crc32(s.encode()) % 9999 for s in strings], spans, [False] * len(spans))

    def speaker(self, prompt):
        """+1 or -1 from the speaker's word, 0 without one; `new_words` -1 turns the words that are kept for tests."""
        for words, sign in ((HONEST, 1), (LYING, -1)):
            for word in words:
                if re.search(rf"\b{word}\b", prompt):
                    return sign * (self.new_words if word == words[-1] else 1)
        return 0

    def judged(self, prompt):
        """(+1 or -1, negated) of the statement that the prompt holds, (0, False) where it holds none that is known."""
        text = prompt.removeprefix("Statement: ").removesuffix("\nVerdict:")
        true = self.truths.get(text)
        return (0 if true is None else 1 if true else -1), " not " in text

    def stream(self, prompt):
        tokens = self.tokens(prompt)
        noise = np.stack([np.random.default_rng(i).normal(size=self.width) for i in tokens.ids]) * 0.3
        layers = np.repeat(noise[None], self.n_layers + 1, axis=0)
        layers[1:] += np.random.default_rng(zlib.crc32(prompt.encode())).normal(size=noise.shape) * 0.3
        words = [string.strip() for string in tokens.strings]
        start = next((i for i, word in enumerate(words) if word in {*HONEST, *LYING}), len(words))
        layers[1:, start:, 0] += 2 * self.honesty * self.speaker(prompt)
        true, negated = self.judged(prompt)
        if self.waits and not prompt.endswith("Verdict:"):
            true = 0
        layers[1:, -1, 1] += 2 * self.truth * true * (self.negation if negated else 1)
        layers[1:, -1, 2] += 3.0 * negated
        for name, where in self.places.items():
            if prompt.endswith(f" {name}"):
                layers[1:, -1, 3 : 3 + len(where)] += where
        return layers

    def activations(self, prompts, layers="all", positions=-1, should_stop=None):
        self.calls += 1
        prompts = [prompts] if isinstance(prompts, str) else prompts
        streams = [self.stream(prompt) for prompt in prompts]
        if positions == "all":
            out = np.full((len(prompts), self.n_layers + 1, max(s.shape[1] for s in streams), self.width), np.nan)
            for row, stream in zip(out, streams, strict=True):
                row[:, : stream.shape[1]] = stream
            return out
        return np.stack([stream[:, [positions]] for stream in streams])

    @contextlib.contextmanager
    def edit(self, *steers):
        before = self.push
        for steer in steers:
            self.push = self.push + np.atleast_2d(np.asarray(steer.vector) * steer.strength).sum(0)
        try:
            yield self
        finally:
            self.push = before

    def logprobs(self, prompts, continuations, should_stop=None):
        self.calls += 1
        lists = continuations if not isinstance(continuations[0], str) else [continuations] * len(prompts)
        rows = [self._scores(prompt, words) for prompt, words in zip(prompts, lists, strict=True)]
        out = np.full((len(rows), max(map(len, rows))), np.nan)
        for row, scores in zip(out, rows, strict=True):
            row[: len(scores)] = scores
        return out

    def _scores(self, prompt, words):
        size = float(np.linalg.norm(self.push))
        if len(words) == 1:
            tokens = len(self.tokens(prompt + words[0]).ids) - len(self.tokens(prompt).ids)
            return [-tokens * (2.0 + zlib.crc32(words[0].encode()) % 7 / 10 + self.cost * size)]
        axis, state = (1, self.judged(prompt)[0]) if prompt.endswith("Verdict:") else (0, self.speaker(prompt))
        p = 1 / (1 + np.exp(-8 * (state + self.obeys * self.push[axis]) * (1 - self.sways * min(1, size))))
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return [np.log(p), *[np.log((1 - p) / (len(words) - 1))] * (len(words) - 1)]
