"""The residual stream at chosen layers and positions, written away as it passes by; nothing else is kept."""

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError
from .batching import HELD, Memory, Stop, buckets, in_batches, token_budget
from .edits import Positions, layer_numbers, whole_numbers
from .errors import HookDidNotFire
from .partway import run_up_to
from .structure import after_block, before_block
from .text import several
from .trimming import last_block_trimmed

if TYPE_CHECKING:
    from .language_model import LanguageModel

Out = str | os.PathLike | np.ndarray


def activations(
    lm: "LanguageModel",
    prompts: str | Sequence[str],
    layers: int | Sequence[int] | str,
    positions: Positions,
    out: Out | None,
    stop: Stop | None,
) -> np.ndarray:
    """See `LanguageModel.activations`."""
    ids = [lm.prompt_ids(p) for p in several(prompts, "Prompts")]
    numbers = layer_numbers(layers, lm.n_layers)
    places = [_places(positions, len(row)) for row in ids]
    kept = _room(out, (len(ids), len(numbers), max(map(len, places), default=0), lm.width))
    if not kept.size:
        return kept
    keep, memory = partial(_keep, lm, ids, numbers, places, kept), Memory()
    for bucket in buckets([len(row) for row in ids], token_budget(lm.device)):
        in_batches(bucket, len(bucket), keep, stop, tokens=len(ids[bucket[-1]]), memory=memory)
    if isinstance(kept, np.memmap):
        kept.flush()
    return kept


def _room(out: Out | None, shape: tuple[int, ...]) -> np.ndarray:
    """Where the answer goes: memory, a new .npy file, or the caller's array; PromptError where it cannot go."""
    if out is None:
        return np.empty(shape, dtype=np.float32)
    if not isinstance(out, np.ndarray):
        return _file(out, shape)
    if out.shape != shape or not np.issubdtype(out.dtype, np.floating):
        raise PromptError(
            f"The array given as `out` is {out.dtype} of shape {out.shape}; give one of floats of shape {shape}."
        )
    return out


def _file(path: str | os.PathLike, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    except (OSError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise PromptError(f"The answer cannot be written to {path}: {why}.") from None


def _places(positions: Positions, length: int) -> list[int]:
    if isinstance(positions, str) and positions == "all":
        return list(range(length))
    wanted = whole_numbers(positions)
    if wanted is None:
        raise PromptError(f'positions={positions!r} is not understood; give numbers, or "all".')
    for p in wanted:
        if not -length <= p < length:
            raise PromptError(f"There is no position {p} in a prompt of {length} tokens.")
    return [p % length for p in wanted]


def _keep(
    lm: "LanguageModel",
    ids: list[list[int]],
    numbers: list[int],
    places: list[list[int]],
    out: np.ndarray,
    batch: Sequence[int],
) -> None:
    """One forward pass over the prompts `batch`, whose streams go to their rows of `out`; the last block works only on
    the tokens that are read.

    If memory runs out on the way, the smaller batches that follow write the same cells again.
    """
    writer = _Writer(out, batch, [places[i] for i in batch], numbers)
    handles = [_watch(lm, number, writer) for number in set(numbers)]
    rows = _rows([ids[i] for i in batch])
    read = rows.shape[1] - min(p for i in batch for p in places[i])
    try:
        with last_block_trimmed(lm, read):
            run_up_to(lm, rows, max(numbers), [len(ids[i]) for i in batch])
    finally:
        for handle in handles:
            handle.remove()
    writer.finish()


def _watch(lm: "LanguageModel", number: int, writer: "_Writer") -> Any:
    blocks = lm.structure.blocks
    see = partial(writer.see, number)
    return before_block(blocks[0], see) if number == 0 else after_block(blocks[number - 1], see)


def _rows(lists: list[list[int]]) -> torch.Tensor:
    """(rows, longest), filled up on the right, where attention being causal it changes nothing."""
    longest = max(map(len, lists))
    return torch.tensor([row + [row[-1]] * (longest - len(row)) for row in lists])


class _Writer:
    """Carries the streams of one forward pass from the device to their places in the answer."""

    def __init__(self, out: np.ndarray, batch: Sequence[int], places: list[list[int]], numbers: list[int]) -> None:
        self.out, self.batch, self.numbers = out, np.asarray(batch), numbers
        self.columns = max(map(len, places))
        self.places = torch.tensor([row + [0] * (self.columns - len(row)) for row in places], dtype=torch.long)
        self.beyond = np.arange(self.columns) >= np.array([[len(row)] for row in places])
        self.missing, self.waiting = set(numbers), list[tuple[int, torch.Tensor]]()

    def see(self, number: int, hidden: torch.Tensor) -> None:
        rows = torch.arange(len(self.places), device=hidden.device)[:, None]
        self.waiting.append((number, hidden[rows, self.places.to(hidden.device)]))
        self.missing.discard(number)
        if sum(stream.nbytes for _, stream in self.waiting) > HELD:
            self._write()

    def finish(self) -> None:
        """Write what still waits; HookDidNotFire if a layer was never seen."""
        if self.missing:
            raise HookDidNotFire(f"Layer {min(self.missing)} took no part in the forward pass; the model skips it.")
        self._write()

    def _write(self) -> None:
        for number, stream in self.waiting:
            values = stream.float().cpu().numpy()
            values[self.beyond] = np.nan
            for layer in [i for i, n in enumerate(self.numbers) if n == number]:
                self.out[self.batch, layer, : self.columns] = values
                self.out[self.batch, layer, self.columns :] = np.nan
        self.waiting.clear()
