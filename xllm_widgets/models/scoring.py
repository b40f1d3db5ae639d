"""log p(continuation | prompt) for many prompts and continuations, each shared prompt computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import PromptError
from .batching import Stop, buckets, in_batches, token_budget
from .passes import Prefix, last_logits

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
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    lists = _lists(continuations, len(prompts))
    out = np.full((len(prompts), max(map(len, lists), default=0)), np.nan)
    jobs: list[_Row] = []
    for i, (prompt, texts) in enumerate(zip(prompts, lists, strict=True)):
        out[i, : len(texts)] = 0.0
        ids = lm.prompt_ids(prompt)
        tails = plan_tails([lm.reader.continuation(prompt, text, ids) for text in texts])
        rows = [_Row(i, ids, tail) for tail in tails]
        for row in rows:
            lm.check_room(len(ids) + len(row.tail.ids))
        if len(rows) > 1 and lm.shares_prefixes:
            _score_behind(lm, rows, out, stop)
        else:
            jobs += rows
    _score_whole(lm, jobs, out, stop)
    return out


@dataclass(frozen=True)
class _Row:
    prompt: int
    ids: list[int]
    tail: Tail


def _lists(continuations: Sequence, n: int) -> list[list[str]]:
    """One list of continuations for each prompt."""
    if isinstance(continuations, str):
        return [[continuations]] * n
    if all(isinstance(c, str) for c in continuations):
        return [list(continuations)] * n
    if len(continuations) != n or any(isinstance(c, str) for c in continuations):
        raise PromptError(
            f"There are {n} prompts but {len(continuations)} lists of continuations; give one for all, or one each."
        )
    return [list(c) for c in continuations]


def _score_whole(lm: "LanguageModel", rows: list[_Row], out: np.ndarray, stop: Stop | None) -> None:
    """Score rows from their first token on, near lengths together, padded on the right where they differ."""
    lengths = [len(row.ids) + len(row.tail.ids) for row in rows]
    for bucket in buckets(lengths, token_budget(lm.device)):

        def run(batch: Sequence[int]) -> None:
            here = [rows[i] for i in batch]
            _add(out, *_read(lm, here, [row.ids + list(row.tail.ids) for row in here], 0))

        in_batches(bucket, len(bucket), run, stop)


def _score_behind(lm: "LanguageModel", rows: list[_Row], out: np.ndarray, stop: Stop | None) -> None:
    """Score several tails of one prompt: all but its last token is computed once."""
    ids = rows[0].ids
    shared = len(ids) - 1
    prefix = Prefix(lm, torch.tensor([ids[:-1]]), len(ids)) if shared else None
    size = token_budget(lm.device) // (1 + max(len(row.tail.ids) for row in rows))

    def run(batch: Sequence[_Row]) -> None:
        _add(out, *_read(lm, batch, [[ids[-1], *row.tail.ids] for row in batch], shared, prefix))

    in_batches(rows, size, run, stop)


def _read(
    lm: "LanguageModel", rows: Sequence[_Row], ids: list[list[int]], done: int, prefix: Prefix | None = None
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The rows' reads: values (reads,) in nats, and where each counts (prompt, continuation)."""
    width = max(map(len, ids))
    x = torch.tensor([row + [row[-1]] * (width - len(row)) for row in ids])
    first = min(len(row.ids) for row in rows) - 1 - done
    cache = prefix.behind(done, len(rows)) if prefix is not None else None
    logits = last_logits(lm, x, width - first, prompt_lengths=[len(row.ids) for row in rows], cache=cache)
    wanted = [(b, row, read) for b, row in enumerate(rows) for read in row.tail.reads]
    at = [len(row.ids) - 1 - done + read.after - first for _, row, read in wanted]
    picked = logits[[b for b, _, _ in wanted], at].log_softmax(-1)
    values = picked[range(len(wanted)), [read.token for _, _, read in wanted]]
    return values.double().cpu().numpy(), [(row.prompt, read.index) for _, row, read in wanted]


def _add(out: np.ndarray, values: np.ndarray, places: list[tuple[int, int]]) -> None:
    if places:
        np.add.at(out, tuple(np.array(places).T), values)
