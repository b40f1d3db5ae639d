"""The last block computed only at the tokens of each row that are read: keys and values for all, the rest for these."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from .attending import Kernel, attention_by
from .structure import hidden_of, with_hidden
from .trimming import AXES, keys_and_values

if TYPE_CHECKING:
    from .language_model import LanguageModel


@contextmanager
def last_block_at(lm: "LanguageModel", columns: torch.Tensor, kernel: Kernel) -> Iterator[None]:
    """For the length of a `with` block the last block works on the tokens `columns` (rows, n); elsewhere it gives
    zeros.

    `kernel` computes attention there, from the queries of these tokens and the keys and values of all.
    """
    block = lm.structure.blocks[-1]
    whole, patched = block.forward, "forward" in block.__dict__
    block.forward = lambda *args, **words: _at(whole, columns, kernel, args, words)
    try:
        yield
    finally:
        if patched:  # accelerate puts a forward of its own
            block.forward = whole
        else:
            del block.forward


def columns_of(picked: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """Numbers of tokens, row by row and in order, as columns of each row, filled up with the first: (rows, n)."""
    row, column = picked // width, picked % width
    counts = torch.bincount(row, minlength=rows)
    rank = torch.arange(len(picked)) - (counts.cumsum(0) - counts)[row]
    columns = torch.zeros(rows, int(counts.max()), dtype=torch.long)
    columns[row, rank] = column
    return columns


def _at(whole: Any, columns: torch.Tensor, kernel: Kernel, args: tuple, words: dict[str, Any]) -> Any:
    """One call of the last block."""
    hidden = args[0] if args else words["hidden_states"]
    columns = columns.to(hidden.device)
    given = {name: None if name == "attention_mask" else value for name, value in words.items()}
    rest = [None if _is_mask(value, hidden.shape[1]) else value for value in args[1:]]
    if not _are_known([value for name, value in given.items() if name not in AXES] + rest, hidden.shape[1]):
        return whole(*args, **words)
    seen = keys_and_values(whole, args, words)

    def few(module: Any, query: torch.Tensor, _: Any, __: Any, mask: Any, **options: Any) -> torch.Tensor | None:
        return kernel(module, query, seen.key, seen.value, mask, **options)

    short = {name: _taken(value, columns, hidden.shape[1]) for name, value in given.items()}
    with attention_by(few):
        out = whole(_taken(hidden, columns, hidden.shape[1]), *rest, **short) if args else whole(**short)
    top = hidden_of(out)
    there = columns.unsqueeze(-1).expand_as(top)
    return with_hidden(out, top.new_zeros(*hidden.shape[:2], top.shape[2]).scatter(1, there, top))


def _are_known(values: list[Any], tokens: int) -> bool:
    """Whether nothing among a block's other arguments has an entry for each token."""
    return not any(isinstance(value, torch.Tensor) and tokens in value.shape for value in values)


def _is_mask(value: Any, tokens: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() == 4 and value.shape[-2:] == (tokens, tokens)


def _taken(value: Any, columns: torch.Tensor, tokens: int) -> Any:
    """What a block's argument (rows or 1, tokens) or (rows or 1, tokens, n) holds for the columns."""
    if isinstance(value, tuple):
        return tuple(_taken(part, columns, tokens) for part in value)
    if not isinstance(value, torch.Tensor) or value.dim() not in (2, 3) or value.shape[1] != tokens:
        return value
    value = value.expand(len(columns), *value.shape[1:])
    return value.gather(1, columns if value.dim() == 2 else columns.unsqueeze(-1).expand(-1, -1, value.shape[2]))
