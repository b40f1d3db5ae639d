"""Text from the model: each prompt is read once, its samples continue it together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import PromptError
from .batching import Memory, Stop, ask, copies, in_batches, one_row, token_budget
from .choosing import Knobs, choose
from .decoding import CopiedSamples, InPlaceSamples, RereadSamples
from .edits import from_the_end
from .graphs import GraphedSamples
from .passes import last_logits
from .planning import Row
from .sharing import InPlacePath, path_for
from .text import several
from .tree import Text, common, key_of

if TYPE_CHECKING:
    from .language_model import LanguageModel

Samples = InPlaceSamples | GraphedSamples | CopiedSamples | RereadSamples


@dataclass(frozen=True)
class Generation:
    """One continuation. `.tokens` (strings) and `.logprobs` (nats, under the model as it is, before temperature and
    top_p) are those of `.text`; `.ended`: "stop", "end of text" or "length"."""

    text: str
    tokens: list[str]
    ids: list[int]
    logprobs: list[float]
    ended: str


@dataclass
class _Draft:
    """A sample as it grows; `noise[t]` decides its t-th token."""

    noise: np.ndarray
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: str = ""


def generate(
    lm: "LanguageModel", prompts: str | Sequence[str], knobs: Knobs, should_stop: Stop | None
) -> list[list[Generation]]:
    """See `LanguageModel.generate`. Prompts are taken in an order in which each reads on from the one before."""
    ids = [lm.prompt_ids(prompt) for prompt in several(prompts, "Prompts")]
    rooms = [min(knobs.max_new_tokens, lm.context_length - len(row)) for row in ids]
    if min(rooms, default=1) < 1:
        raise PromptError(f"The prompt fills all {lm.context_length} tokens of the context; shorten it to leave room.")
    out: list[list[Generation]] = [[] for _ in ids]
    reading = Reading(lm, max((len(row) + room for row, room in zip(ids, rooms, strict=True)), default=0))
    memory = copies(lm)
    for i in sorted(range(len(ids)), key=lambda i: ids[i]):
        out[i] = _continue(lm, reading, ids[i], knobs, rooms[i], should_stop, memory)
    return out


class Reading:
    """Prompts read one after another; what one has in common with the one before it is not read again."""

    def __init__(self, lm: "LanguageModel", longest: int) -> None:
        """`longest`: tokens of the longest prompt with all that may be written behind it."""
        self.lm, self.from_end = lm, from_the_end(lm)
        self.path = path_for(lm, longest) if lm.shares_prefixes else None
        self._key = np.zeros(0, dtype=">i8")

    def read(self, ids: list[int]) -> torch.Tensor:
        """Logits of the token behind a prompt: (1, vocabulary), float32."""
        self.ids = ids
        if self.path is None:
            return last_logits(self.lm, torch.tensor([ids]), 1, prompt_lengths=[len(ids)])[:, -1]
        text = Text(ids, len(ids))
        before, self._key = self._key, key_of(text, self.from_end, len(self.lm.structure.embeddings.weight))
        row = Row(min(common(before, self._key), len(ids) - 1))
        row.add(text, row.start, len(ids))
        return self.path.logits([row], torch.tensor([len(row) - 1]), trunk=True)

    def samples(self, rows: int, steps: int) -> Samples:
        """That many rows which go on from the prompt read last, for at most so many steps."""
        return RereadSamples(self.lm, self.ids, rows) if self.path is None else self.path.samples(rows, steps)


def _continue(
    lm: "LanguageModel",
    reading: Reading,
    ids: list[int],
    knobs: Knobs,
    room: int,
    should_stop: Stop | None,
    memory: Memory,
) -> list[Generation]:
    ask(should_stop)
    with one_row():
        first = reading.read(ids)
    drafts = [_Draft(noise) for noise in _noise(ids, knobs, room)]
    ending = _Ending(lm, ids, knobs.stop)
    size = token_budget(lm.device) // 16
    kept = room if isinstance(reading.path, InPlacePath) else len(ids) + room

    def run(batch: Sequence[_Draft]) -> None:
        fresh = [_Draft(draft.noise) for draft in batch]
        samples = reading.samples(len(batch), room - 1)
        _grow(first.expand(len(batch), -1), samples, fresh, knobs, ending, should_stop)
        for draft, done in zip(batch, fresh, strict=True):
            draft.__dict__.update(done.__dict__)

    in_batches(drafts, size, run, should_stop, tokens=kept, memory=memory)
    return [ending.finish(draft) for draft in drafts]


def _noise(ids: list[int], knobs: Knobs, steps: int) -> list[np.ndarray]:
    """Uniform numbers for each sample, from seed, prompt and the sample's number alone."""
    digest = int.from_bytes(hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).digest()[:8], "big")
    return [np.random.default_rng([knobs.seed, digest, k]).random(steps) for k in range(knobs.n)]


def _grow(
    logits: torch.Tensor,
    samples: Samples,
    drafts: list[_Draft],
    knobs: Knobs,
    ending: "_Ending",
    should_stop: Stop | None,
) -> None:
    """Extend all drafts token by token until each has ended; once half of them have, the others go on alone."""
    noise, rows = torch.from_numpy(np.stack([draft.noise for draft in drafts])), list(range(len(drafts)))
    for t in range(noise.shape[1]):
        logp = logits.log_softmax(-1)
        tokens = choose(logp, noise[rows, t], knobs)
        said = logp.gather(-1, tokens[:, None])[:, 0].tolist()
        for row, token, value in zip(rows, tokens.tolist(), said, strict=True):
            ending.extend(drafts[row], token, value)
        going = [place for place, row in enumerate(rows) if not drafts[row].ended]
        if not going or t == noise.shape[1] - 1:
            return
        ask(should_stop)
        if 2 * len(going) <= len(rows):
            samples.keep(going)
            rows, tokens = [rows[place] for place in going], tokens[going]
        logits = samples.next(tokens)


class _Ending:
    """Where the texts behind one prompt end: at the model's end mark, or before a stop string."""

    def __init__(self, lm: "LanguageModel", prompt: list[int], stop: tuple[str, ...]) -> None:
        self.lm, self.stop, self.marks = lm, stop, end_marks(lm)
        self._tail = prompt[-8:]  # decides how the first characters are spelled, and a character has four bytes at most
        self._before = lm.reader.decode(self._tail, True)

    def extend(self, draft: _Draft, token: int, logp: float) -> None:
        """Add a token to a draft that has not ended; say there if it has now."""
        if draft.ended:
            return
        if token in self.marks:
            draft.ended = "end of text"
            return
        draft.ids.append(token)
        draft.logprobs.append(logp)
        if self.stop and any(s in self.text(draft.ids) for s in self.stop):
            draft.ended = "stop"

    def finish(self, draft: _Draft) -> Generation:
        """Cut the text before the first stop string, and the tokens to those that begin before it."""
        text = self.text(draft.ids)
        cuts = [text.find(s) for s in self.stop if s in text]
        kept = len(draft.ids)
        if cuts:
            kept = next((k for k in range(kept) if len(self.text(draft.ids[:k])) >= min(cuts)), kept)
            text = text[: min(cuts)]
        ids, logprobs = draft.ids[:kept], draft.logprobs[:kept]
        return Generation(text, self.lm.reader.strings(ids), ids, logprobs, draft.ended or "length")

    def text(self, ids: list[int]) -> str:
        """Text of written ids as it stands behind the prompt (some tokenizers swallow a leading space otherwise)."""
        whole = self.lm.reader.decode(self._tail + ids, True)
        return whole[len(self._before) :] if whole.startswith(self._before) else self.lm.reader.decode(ids, True)


def end_marks(lm: "LanguageModel") -> set[int]:
    """Tokens by which the model says that a text is over."""
    marks = lm.hf.generation_config.eos_token_id if lm.hf.generation_config is not None else None
    marks = marks if isinstance(marks, list) else [marks]
    return {mark for mark in [*marks, lm.tokenizer.eos_token_id] if mark is not None}
