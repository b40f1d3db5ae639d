"""log p(continuation | prompt) for many prompts and continuations, each shared prompt computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import PromptError
from .batching import Memory, Stop, buckets, copies, in_batches, token_budget
from .coding import Coder
from .edits import from_the_end
from .planning import Means, Row, Step, apart, plan
from .sharing import CopiedPath, InPlacePath, path_for
from .text import several
from .tree import Text, Want, grow

if TYPE_CHECKING:
    from .language_model import LanguageModel


@dataclass(frozen=True)
class Read:
    """Take log p(token) `after` tokens behind the prompt's last one, and count it towards continuation `index`."""

    after: int
    token: int
    index: int


@dataclass(frozen=True)
class Tail:
    """Tokens to be appended to a prompt so that all its reads can be made in one forward pass."""

    ids: tuple[int, ...]
    reads: tuple[Read, ...]


def plan_tails(continuations: Sequence[Sequence[int]]) -> list[Tail]:
    """The fewest rows in which each token of each continuation is read exactly once.

    A continuation of n tokens needs its first n - 1 appended; one that begins another needs no row of its own. So
    single tokens all share one row: the prompt itself.
    """
    bodies = sorted({tuple(c[:-1]) for c in continuations}, key=len, reverse=True)
    rows: list[tuple[int, ...]] = []
    for body in bodies:
        if not any(row[: len(body)] == body for row in rows):
            rows.append(body)
    reads: dict[tuple[int, ...], list[Read]] = {row: [] for row in rows}
    for index, c in enumerate(continuations):
        row = next(row for row in rows if row[: len(c) - 1] == tuple(c[:-1]))
        reads[row] += [Read(after, token, index) for after, token in enumerate(c)]
    return [Tail(row, tuple(reads[row])) for row in rows]


def logprobs(
    lm: "LanguageModel",
    prompts: str | Sequence[str],
    continuations: Sequence[str] | Sequence[Sequence[str]],
    stop: Stop | None = None,
) -> np.ndarray:
    """See `LanguageModel.logprobs`."""
    texts, lists = texts_of(lm, prompts, continuations)
    columns = max(map(len, lists), default=0)
    out = answers(lm, texts, len(lists) * columns, stop).reshape(len(lists), columns)
    for row, options in zip(out, lists, strict=True):
        row[len(options) :] = np.nan
    return out


def texts_of(
    lm: "LanguageModel", prompts: str | Sequence[str], continuations: Sequence[str] | Sequence[Sequence[str]]
) -> tuple[list[Text], list[list[str]]]:
    """What is to be read for each prompt with each of its continuations, row by row, and the continuations of each."""
    prompts = several(prompts, "Prompts")
    lists = _lists(continuations, len(prompts))
    columns, coder = max(map(len, lists), default=0), Coder(lm.reader)
    texts = [text for i, prompt in enumerate(prompts) for text in _texts(lm, coder, prompt, lists[i], i * columns)]
    return texts, lists


def answers(lm: "LanguageModel", texts: Sequence[Text], places: int, stop: Stop | None = None) -> np.ndarray:
    """What the texts want of a model, summed by place: (places,), nats. What they share is computed once."""
    out = np.zeros(places)
    path, steps = means(lm, texts)
    copied = isinstance(path, CopiedPath)
    memory = copies(lm) if copied else Memory()
    for step in steps:
        for bucket in buckets([len(row) for row in step.rows], token_budget(lm.device)):

            def run(batch: Sequence[int], step: Step = step) -> None:
                values, at = _read(path, [step.rows[i] for i in batch], step.trunk)
                np.add.at(out, at, values)

            longest = step.rows[bucket[-1]]
            kept = len(longest) + longest.start * copied
            in_batches(bucket, len(bucket), run, stop, tokens=kept, memory=memory)
    return out


def means(lm: "LanguageModel", texts: Sequence[Text]) -> tuple[InPlacePath | CopiedPath, list[Step]]:
    """The best way in which a model can read texts that share their beginnings, and the steps to be taken."""
    tree = grow(texts, from_the_end(lm))
    if not lm.shares_prefixes:
        return CopiedPath(lm), apart(tree)
    path = path_for(lm, max((len(text.ids) for text in texts), default=0))
    return path, plan(tree, Means.of(lm.device, packs=isinstance(path, InPlacePath)))


def _texts(lm: "LanguageModel", coder: Coder, prompt: str, continuations: list[str], first: int) -> list[Text]:
    """A prompt with each continuation but for its last token, which is asked for and never read; one place each."""
    ids, texts = coder.ids(prompt), []
    lm.check_room(len(ids))
    for place, new in enumerate(coder.continuations(prompt, continuations), first):
        lm.check_room(len(ids) + len(new) - 1)
        wants = [Want(position, token, place) for position, token in enumerate(new, len(ids) - 1)]
        texts.append(Text(ids + new[:-1], len(ids), wants))
    return texts


def _lists(continuations: Sequence, n: int) -> list[list[str]]:
    """One list of continuations for each prompt; PromptError if there is neither one for all nor one each."""
    given = several(continuations, "Continuations")
    if all(isinstance(c, str) for c in given):
        return [given] * n
    lists = [several(c, "Continuations") for c in given]
    if len(given) != n or any(isinstance(c, str) for c in given):
        raise PromptError(
            f"There are {n} prompts but {len(given)} lists of continuations; give one for all, or one each."
        )
    return lists


def _read(path: InPlacePath | CopiedPath, rows: Sequence[Row], trunk: bool) -> tuple[np.ndarray, list[int]]:
    """The rows' wants: values (wants,) in nats, and the place of each."""
    width = max(map(len, rows))
    wanted = [(b * width + want.position, want) for b, row in enumerate(rows) for want in row.wants]
    picked, back = np.unique([at for at, _ in wanted] or [width - 1], return_inverse=True)
    logits = path.logits(rows, torch.from_numpy(picked), trunk)
    tokens = torch.tensor([want.token for _, want in wanted], dtype=torch.long, device=logits.device)
    at = torch.from_numpy(back[: len(wanted)]).to(logits.device)
    values = logits[at, tokens] - logits.logsumexp(-1)[at]
    return values.double().cpu().numpy(), [want.place for _, want in wanted]
