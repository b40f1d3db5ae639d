"""Models in whose place an answer book stands: what they say is written down, so what they score is known."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest


class AnswerBook:
    """Gives to each prompt the text that `answer(prompt)` says: the likeliest of the options, and written out."""

    shares_prefixes = False

    def __init__(self, answer, *, chat=False, activations=None):
        self.answer, self.lock, self.asked = answer, threading.RLock(), []
        self.tokenizer = SimpleNamespace(chat_template="template" if chat else None)
        self._activations = activations

    def logprobs(self, prompts, continuations, should_stop=None):
        inside = [prompt.endswith(" (") for prompt in prompts]  # then only what stands in brackets is to be scored
        prompts = [prompt.removesuffix(" (") for prompt in prompts]
        self.asked += prompts
        out = np.full((len(prompts), max(map(len, continuations))), np.nan)
        for row, (prompt, options) in enumerate(zip(prompts, continuations, strict=True)):
            answer = self.answer(prompt).strip(" ()" if inside[row] else " ")
            out[row, : len(options)] = [-0.1 if option.strip() == answer else -9.0 for option in options]
        return out

    def generate(self, prompts, max_new_tokens=64, temperature=1.0, stop=None):
        self.asked += prompts
        texts = [self.answer(prompt) for prompt in prompts]
        cuts = [min([t.index(s) for s in stop or [] if s in t], default=len(t)) for t in texts]
        return [[SimpleNamespace(text=text[:cut])] for text, cut in zip(texts, cuts, strict=True)]

    def activations(self, prompts, positions=-1):
        return self._activations(prompts)


@pytest.fixture
def answer_book():
    return AnswerBook
