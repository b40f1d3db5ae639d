"""Counting a model's work, which says more than a clock does on a busy machine: passes, tokens, rows read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .structure import before_block

if TYPE_CHECKING:
    from .language_model import LanguageModel


@dataclass
class Work:
    """What a model did: forward passes, tokens computed by its blocks (padding too), rows read by the output layer."""

    passes: int = 0
    tokens: int = 0
    rows: int = 0


@contextmanager
def counted(lm: "LanguageModel") -> Iterator[Work]:
    """`with counted(lm) as work:` adds up what the model does inside the block."""
    work = Work()

    def entered(hidden: Any) -> None:
        work.passes += 1
        work.tokens += hidden.shape[0] * hidden.shape[1]

    def read(_: Any, __: tuple, logits: Any) -> None:
        work.rows += logits.shape[:-1].numel()

    handles = [before_block(lm.structure.blocks[0], entered), lm.structure.unembedding.register_forward_hook(read)]
    try:
        yield work
    finally:
        for handle in handles:
            handle.remove()
