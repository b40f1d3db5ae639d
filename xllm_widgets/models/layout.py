"""Rows of a plan as tensors: ids, positions, and the mask that hides branches of one row from each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from .planning import Row

if TYPE_CHECKING:
    from .language_model import LanguageModel


def laid_out(rows: Sequence[Row], context: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, positions and prompt lengths of rows, (rows, width) each, filled up on the right with what does no harm."""
    width = max(map(len, rows))
    ids, positions, prompts = [], [], []
    for row in rows:
        missing = width - len(row)
        ids.append(row.ids + row.ids[-1:] * missing)
        positions.append(row.positions + [min(row.positions[-1] + i, context - 1) for i in range(1, missing + 1)])
        prompts.append(row.prompts + row.prompts[-1:] * missing)
    return torch.tensor(ids), torch.tensor(positions), torch.tensor(prompts)


def tree_mask(rows: Sequence[Row], width: int, lm: "LanguageModel") -> torch.Tensor | None:
    """Who sees whom inside each row, additive (rows, 1, width, width); None where no row branches."""
    if all(len(row.parts) == 1 for row in rows):
        return None
    seen = np.zeros((len(rows), width, width), dtype=bool)
    for view, row in zip(seen, rows, strict=True):
        for first, end, behind in [*row.parts, (len(row), width, -1)]:
            if behind >= 0:
                view[first:end] = view[behind]
            view[first:end, first:end] = np.tri(end - first, dtype=bool)
    mask = torch.zeros(len(rows), 1, width, width, dtype=lm.dtype)
    return mask.masked_fill_(torch.from_numpy(~seen)[:, None], -torch.inf).to(lm.device)


def rows_of(mask: torch.Tensor | None, columns: torch.Tensor, width: int, lm: "LanguageModel") -> torch.Tensor:
    """The mask's rows for some columns (rows, n) as queries, additive (rows, 1, n, width); None is the causal mask."""
    columns = columns.to(lm.device)
    if mask is not None:
        return mask.gather(2, columns[:, None, :, None].expand(-1, 1, -1, width))
    hidden = torch.arange(width, device=lm.device) > columns[:, None, :, None]
    return torch.zeros(hidden.shape, dtype=lm.dtype, device=lm.device).masked_fill_(hidden, -torch.inf)
