"""Kernels that compute a model's attention and, in passing, what is asked about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from .attending import repeat_heads
from .rows import Scoring, Strip, strips

PIECE = 128
"""Columns read in one call of the fused kernel: more would make its heads wider than it takes on some devices."""


class Watcher(ABC):
    """A kernel for `attention_by`, for one row of text. `layers`: what it has seen, one (heads, queries, n) a block."""

    def __init__(self) -> None:
        self.layers: list[torch.Tensor] = []

    @abstractmethod
    def __call__(
        self, module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any
    ) -> torch.Tensor | None: ...


class FusedMass(Watcher):
    """Mass on columns (keys, n), read by transformers' own fused kernel.

    softmax(QKᵀ)·columns is what it computes if they are appended to V. Whatever masks a family uses, it uses here too.
    """

    def __init__(self, columns: torch.Tensor) -> None:
        super().__init__()
        self.columns = columns

    def __call__(self, module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> torch.Tensor:
        if options.get("scaling") is None:
            options["scaling"] = query.shape[-1] ** -0.5
        pieces = self.columns.to(value).split(PIECE, -1)
        values = [torch.cat([value, _per_head(pieces[0], value)], -1), *(_per_head(p, value) for p in pieces[1:])]
        first, *rest = [_fused(module, query, key, v, mask, options) for v in values]
        width = value.shape[-1]
        self.layers.append(torch.cat([first[..., width:], *rest], -1)[0].transpose(0, 1).float().cpu())
        return first[..., :width].contiguous()


class ByStrips(Watcher):
    """Whatever `read` makes of each strip of the matrix, (heads, queries, n); exact for scores of any size and
    for every family that hands its softcap and its sinks to the kernel. Declines where a family biases its scores.
    """

    def __init__(self, read: Callable[[Strip], torch.Tensor]) -> None:
        super().__init__()
        self.read = read

    def __call__(self, module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> torch.Tensor | None:
        if options.get("position_bias") is not None:
            return None
        heads, tokens = query.shape[1:3]
        keys, values = (repeat_heads(x, heads)[0].float() for x in (key, value))
        mixed, seen = values.new_empty(heads, tokens, values.shape[-1]), None
        for strip in strips(query[0], keys, _scoring(module, query, mask, options)):
            mixed[strip.heads, strip.queries] = strip.mix(values[strip.heads])
            answer = self.read(strip)
            seen = answer.new_empty(heads, tokens, answer.shape[-1]) if seen is None else seen
            seen[strip.heads, strip.queries] = answer
        self.layers.append(seen.cpu())
        return mixed.transpose(0, 1)[None].to(query.dtype).contiguous()


def _per_head(columns: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return columns.expand(*value.shape[:2], *columns.shape)


def _fused(module: Any, query: Any, key: Any, value: Any, mask: Any, options: dict[str, Any]) -> torch.Tensor:
    """(rows, queries, heads, value width). Fused kernels ask for heads of one width, by eights: zeros fill them up."""
    width = max(query.shape[-1], value.shape[-1])
    width += -width % 8
    wide = [F.pad(x, (0, width - x.shape[-1])) for x in (query, key, value)]
    return sdpa_attention_forward(module, *wide, mask, **options)[0][..., : value.shape[-1]]


def _scoring(module: Any, query: torch.Tensor, mask: torch.Tensor | None, options: dict[str, Any]) -> Scoring:
    scale = options.get("scaling")
    causal = options.get("is_causal")
    return Scoring(
        scale=query.shape[-1] ** -0.5 if scale is None else scale,
        softcap=options.get("softcap"),
        sinks=options.get("s_aux"),
        mask=None if mask is None else mask[0],
        causal=getattr(module, "is_causal", True) if causal is None else causal,
    )
