"""What happens to the answer when tokens are replaced? Rows share the computation of what they agree on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..models.batching import Memory, Stop, copies, in_batches, one_row, token_budget
from ..models.endings import Beginning
from ..models.passes import embed
from .targets import Objective

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

Progress = Callable[[float], None]
Groups = Sequence[tuple[int, int]]
Seed = int | tuple[int, int]


@dataclass(frozen=True)
class Variation:
    """One changed prompt: `vectors` (positions, width) put in place of the embeddings at `positions`."""

    positions: Sequence[int]
    vectors: torch.Tensor

    @property
    def first(self) -> int:
        return min(self.positions)


def values_of(
    objective: Objective,
    x: torch.Tensor,
    variations: Sequence[Variation],
    stop: Stop | None = None,
    progress: Progress | None = None,
    beginning: Beginning | None = None,
) -> np.ndarray:
    """The objective under each variation of the prompt `x` (1, tokens, width): (variations, targets), nats.

    Variations are taken in the order of their first change; a batch attends to what stands before its earliest one
    where that lies, computed once (`beginning`, of `x` itself, for callers who ask again), and runs only the rest.
    Models whose cache cannot do this are run whole. Raises OutOfMemory if one row is too much.
    """
    lm, out = objective.lm, np.zeros((len(variations), len(objective.names)))
    with torch.inference_mode():
        beginning = beginning or beginning_of(lm, x)
        budget = token_budget(lm.device) // (1 if stop is None else 2)  # who may want to stop should not wait long
        chunks = _chunks(variations, objective.length, budget, beginning is not None)
        work = [len(chunk) * (objective.length - start) for start, chunk in chunks]
        copied = objective.longest > lm.in_place
        memory = copies(lm) if copied else Memory()
        for number, (start, chunk) in enumerate(chunks):

            def run(batch: Sequence[int], start: int = start) -> None:
                rows = _rows(x, [variations[i] for i in batch], start)
                out[list(batch)] = objective.value(rows, beginning if start else None).cpu().numpy()

            kept = objective.length - (0 if copied else start)
            in_batches(chunk, len(chunk), run, stop, tokens=kept, memory=memory)
            if progress is not None:
                progress(sum(work[: number + 1]) / sum(work))
    return out


def unchanged(x: torch.Tensor) -> Variation:
    """The prompt as it is: its last token stands for itself, which is the least that has to be computed for f(x)."""
    return Variation([x.shape[1] - 1], x[0, -1:])


def beginning_of(lm: "LanguageModel", x: torch.Tensor) -> Beginning | None:
    """Keys and values of a prompt (1, tokens, width), for its variations; None if the model cannot share them."""
    with torch.inference_mode(), one_row():
        return Beginning(lm, x) if lm.shares_prefixes else None


def resampled(lm: "LanguageModel", ranges: Groups, n: int, seed: Seed) -> list[Variation]:
    """For each range n variations in which its tokens are random ordinary ones; range by range."""
    ordinary = np.setdiff1d(np.arange(len(lm.tokenizer)), lm.tokenizer.all_special_ids)
    rng = np.random.default_rng(seed)
    return [
        Variation(range(a, b), embed(lm, rng.choice(ordinary, b - a).tolist())) for a, b in ranges for _ in range(n)
    ]


def _chunks(variations: Sequence[Variation], length: int, budget: int, share: bool) -> list[tuple[int, list[int]]]:
    """Batches as (first token to be computed, indices of variations), each within the budget of computed tokens."""
    chunks: list[tuple[int, list[int]]] = []
    for i in sorted(range(len(variations)), key=lambda i: variations[i].first):
        start, chunk = chunks[-1] if chunks else (0, [])
        if chunk and (len(chunk) + 1) * (length - start) <= budget:
            chunk.append(i)
        else:
            chunks.append((variations[i].first if share else 0, [i]))
    return chunks


def _rows(x: torch.Tensor, variations: Sequence[Variation], start: int) -> torch.Tensor:
    rows = x[:, start:].repeat(len(variations), 1, 1)
    for row, variation in zip(rows, variations, strict=True):
        row[[p - start for p in variation.positions]] = variation.vectors.to(row.dtype)
    return rows
