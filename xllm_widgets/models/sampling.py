"""Text from the model: each prompt is read once, its samples continue it together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import DynamicCache

from ..errors import PromptError, XllmError
from .batching import Stop, ask, in_batches, token_budget
from .passes import Prefix, last_logits

if TYPE_CHECKING:
    from .language_model import LanguageModel


@dataclass(frozen=True)
class Generation:
    """One continuation. `.tokens` (strings) and `.logprobs` (nats, under the model as it is, before temperature and
    top_p) are those of `.text`; `.ended`: "stop", "end of text" or "length"."""

    text: str
    tokens: list[str]
    ids: list[int]
    logprobs: list[float]
    ended: str


@dataclass(frozen=True)
class Knobs:
    """How to sample; see `LanguageModel.generate`."""

    n: int
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.n < 1 or self.max_new_tokens < 1:
            raise XllmError("n and max_new_tokens must be at least 1.")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise XllmError("temperature must be 0 (greedy) or more, and top_p above 0 and at most 1.")


@dataclass
class _Draft:
    """A sample as it grows; `noise[t]` decides its t-th token."""

    noise: np.ndarray
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: str = ""


def stop_strings(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop strings as a tuple; XllmError if one is empty."""
    strings = () if stop is None else (stop,) if isinstance(stop, str) else tuple(stop)
    if any(not s for s in strings):
        raise XllmError("A stop string is empty; give at least one character.")
    return strings


def generate(
    lm: "LanguageModel", prompts: str | Sequence[str], knobs: Knobs, should_stop: Stop | None
) -> list[list[Generation]]:
    """See `LanguageModel.generate`."""
    texts = [prompts] if isinstance(prompts, str) else prompts
    return [_continue(lm, prompt, knobs, should_stop) for prompt in texts]


def _continue(lm: "LanguageModel", prompt: str, knobs: Knobs, should_stop: Stop | None) -> list[Generation]:
    ids = lm.prompt_ids(prompt)
    room = min(knobs.max_new_tokens, lm.context_length - len(ids))
    if room < 1:
        raise PromptError(f"The prompt fills all {lm.context_length} tokens of the context; shorten it to leave room.")
    drafts = [_Draft(noise) for noise in _noise(ids, knobs, room)]
    size = max(1, token_budget(lm.device) // 16)

    def run(batch: Sequence[_Draft]) -> None:
        fresh = [_Draft(draft.noise) for draft in batch]
        _grow(lm, ids, fresh, knobs, room, should_stop)
        for draft, done in zip(batch, fresh, strict=True):
            draft.__dict__.update(done.__dict__)

    in_batches(drafts, size, run, should_stop)
    return [_finish(lm, ids, draft, knobs.stop) for draft in drafts]


def _noise(ids: list[int], knobs: Knobs, steps: int) -> list[np.ndarray]:
    """Uniform numbers for each sample, from seed, prompt and the sample's number alone."""
    digest = int.from_bytes(hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).digest()[:8], "big")
    return [np.random.default_rng([abs(knobs.seed), digest, k]).random(steps) for k in range(knobs.n)]


def _grow(
    lm: "LanguageModel", ids: list[int], drafts: list[_Draft], knobs: Knobs, room: int, should_stop: Stop | None
) -> None:
    """Extend all drafts token by token until each has ended."""
    step = _Stepper(lm, ids, len(drafts))
    logits = step.first()
    for t in range(room):
        logp = logits.log_softmax(-1).double().cpu().numpy()
        tokens = [_choose(row, draft.noise[t], knobs) for row, draft in zip(logp, drafts, strict=True)]
        for draft, row, token in zip(drafts, logp, tokens, strict=True):
            _extend(lm, ids, draft, token, float(row[token]), knobs.stop)
        if all(draft.ended for draft in drafts) or t == room - 1:
            break
        ask(should_stop)
        logits = step.next(tokens)


def _choose(logp: np.ndarray, u: float, knobs: Knobs) -> int:
    """The token where the cumulated probability first passes u (inverse transform sampling within the nucleus)."""
    if knobs.temperature == 0:
        return int(logp.argmax())
    order = np.argsort(-logp, kind="stable")
    p = np.exp((logp[order] - logp[order[0]]) / knobs.temperature)
    cumulated = np.cumsum(p / p.sum())
    kept = int(np.searchsorted(cumulated, knobs.top_p - 1e-12)) + 1 if knobs.top_p < 1 else len(p)
    return int(order[min(np.searchsorted(cumulated[:kept], u * cumulated[:kept][-1], side="right"), kept - 1)])


def _extend(lm: "LanguageModel", ids: list[int], draft: _Draft, token: int, logp: float, stop: tuple[str, ...]) -> None:
    if draft.ended:
        return
    if token in _end_marks(lm):
        draft.ended = "end of text"
        return
    draft.ids.append(token)
    draft.logprobs.append(logp)
    if stop and any(s in _text(lm, ids, draft.ids) for s in stop):
        draft.ended = "stop"


def _finish(lm: "LanguageModel", ids: list[int], draft: _Draft, stop: tuple[str, ...]) -> Generation:
    """Cut the text before the first stop string, and the tokens to those that begin before it."""
    text = _text(lm, ids, draft.ids)
    cuts = [text.find(s) for s in stop if s in text]
    kept = len(draft.ids)
    if cuts:
        kept = next((k for k in range(kept) if len(_text(lm, ids, draft.ids[:k])) >= min(cuts)), kept)
        text = text[: min(cuts)]
    return Generation(
        text, lm.reader.strings(draft.ids[:kept]), draft.ids[:kept], draft.logprobs[:kept], draft.ended or "length"
    )


def _text(lm: "LanguageModel", prompt: list[int], ids: list[int]) -> str:
    """Text of generated ids as it stands behind the prompt (some tokenizers swallow a leading space otherwise)."""
    before, whole = lm.reader.decode(prompt, True), lm.reader.decode(prompt + ids, True)
    return whole[len(before) :] if whole.startswith(before) else lm.reader.decode(ids, True)


def _end_marks(lm: "LanguageModel") -> set[int]:
    marks = lm.hf.generation_config.eos_token_id if lm.hf.generation_config is not None else None
    marks = marks if isinstance(marks, list) else [marks]
    return {mark for mark in [*marks, lm.tokenizer.eos_token_id] if mark is not None}


class _Stepper:
    """Logits of the next token for all samples: behind a shared cache, or from the start where the model has none."""

    def __init__(self, lm: "LanguageModel", ids: list[int], rows: int) -> None:
        self.lm, self.length, self.rows = lm, len(ids), rows
        self.ids = torch.tensor([ids])
        self.cache: DynamicCache | None = None

    def first(self) -> torch.Tensor:
        last = self.ids[:, -1:].expand(self.rows, -1)
        if self.lm.shares_prefixes and self.length > 1:
            prefix = Prefix(self.lm, self.ids[:, :-1], self.length)
            self.cache = prefix.behind(self.length - 1, self.rows)
            return self._logits(last)
        self.ids = self.ids.expand(self.rows, -1)
        return self._logits(self.ids[:1]).expand(self.rows, -1)

    def next(self, tokens: list[int]) -> torch.Tensor:
        new = torch.tensor(tokens)[:, None]
        if self.cache is not None:
            return self._logits(new)
        self.ids = torch.cat([self.ids, new], 1)
        return self._logits(self.ids)

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        lengths = [self.length] * x.shape[0]
        return last_logits(self.lm, x, 1, prompt_lengths=lengths, cache=self.cache)[:, -1]
