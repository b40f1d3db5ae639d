"""Rows to batches: near lengths together, within a budget of tokens, halved when memory runs out."""

import gc
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from .errors import Interrupted, OutOfMemory

if TYPE_CHECKING:
    from .language_model import LanguageModel

Item = TypeVar("Item")
Stop = Callable[[], bool]
HELD = 64 * 2**20
"""Bytes that may wait on the device before they are written away: fewer waits for an accelerator, bounded memory."""
COPIED_BYTES = 2**30  # of keys and values, on a CPU
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")  # the last is cuBLAS's
TOO_MUCH = "The device's memory does not hold even one row; use a shorter prompt or a smaller model."


@dataclass
class Memory:
    """What one call of a verb has learnt about the device's memory, to be kept from batch to batch.

    `fits`: tokens of which a pass has not failed yet; `warned`: whether the call has said that memory ran out.
    """

    fits: int = sys.maxsize
    warned: bool = False


def token_budget(device: torch.device) -> int:
    """Tokens in one forward pass: what keeps a CPU's caches warm, or fills an accelerator."""
    return 1024 if device.type == "cpu" else 32768


def memory_budget(device: torch.device, on_a_cpu: int) -> int:
    """Bytes that a computation may hold on to: half of what an accelerator has free, `on_a_cpu` elsewhere."""
    if device.type != "cuda":
        return on_a_cpu
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (torch.cuda.mem_get_info(device)[0] + idle) // 2


def copies(lm: "LanguageModel") -> Memory:
    """For verbs that keep keys and values for each row: as many tokens as their bytes allow, heads not being shared."""
    a_token = 2 * lm.n_layers * lm.width * lm.dtype.itemsize
    return Memory(fits=max(1, memory_budget(lm.device, COPIED_BYTES) // a_token))


def buckets(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices grouped so that a batch holds near lengths (at most an eighth is padding) and at most `budget` tokens."""
    out: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        last = out[-1] if out else []
        fits = last and (len(last) + 1) * lengths[i] <= budget
        if fits and lengths[i] - lengths[last[0]] <= lengths[i] // 8:
            last.append(i)
        else:
            out.append([i])
    return out


def ask(stop: Stop | None) -> None:
    """Raise Interrupted if the answer is no longer wanted."""
    if stop is not None and stop():
        raise Interrupted("The computation was stopped because its answer is no longer wanted.")


def in_batches(
    items: Sequence[Item],
    size: int,
    run: Callable[[Sequence[Item]], None],
    stop: Stop | None = None,
    *,
    tokens: int = 1,
    memory: Memory | None = None,
) -> None:
    """Call `run` on up to `size` items at a time, in order; out of memory: halve the size, warn once, go on.

    `run` must write its results only when it has them all. `stop` is asked before each batch; Interrupted if it says
    yes. Where a call has several lots of items, it hands on one `memory`, and says how many `tokens` an item has: then
    a lot begins with what was found to fit before, and the warning comes once in all. Raises OutOfMemory if a single
    item does not fit.
    """
    memory = memory or Memory()
    at, size = 0, max(1, min(size, memory.fits // tokens))
    while at < len(items):
        ask(stop)
        try:
            run(items[at : at + size])
            at += size
            continue
        except (RuntimeError, MemoryError, OutOfMemory) as error:
            if not ran_out(error):
                raise
        size = halved(min(size, len(items) - at), memory.warned)
        memory.fits, memory.warned = size * tokens, True


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, here or in batches within a batch."""
    text = str(error).lower()
    known = isinstance(error, torch.OutOfMemoryError | MemoryError | OutOfMemory)
    return known or any(words in text for words in _SIGNS)


@contextmanager
def one_row() -> Iterator[None]:
    """Around what is computed for one row and cannot be halved: OutOfMemory where memory does not suffice for it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        raise OutOfMemory(TOO_MUCH) from None


def halved(size: int, warned: bool) -> int:
    """Half as many rows, once memory has been given back; OutOfMemory if one row alone was too much."""
    if size <= 1:
        raise OutOfMemory(TOO_MUCH)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if not warned:
        warnings.warn("Memory ran out; going on with smaller batches.", RuntimeWarning, stacklevel=4)
    return size // 2
