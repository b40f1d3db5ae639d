"""Kernels that compute a model's attention and, in passing, what is asked about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from .attending import repeat_heads
from .batching import HELD
from .partway import Enough
from .rows import Scoring, Strip, strips

if TYPE_CHECKING:
    from .language_model import LanguageModel

PIECE = 128
"""Columns read in one call of the fused kernel: more would make its heads wider than it takes on some devices."""


class Watcher(ABC):
    """A kernel for `attention_by`, for one row of text. `layers`: what it has seen, one (heads, queries, n) a block,
    once it has landed.

    In the last block nothing is wanted but what is seen: there it does not mix the values, and ends the pass.
    """

    takes_bias = False
    """Whether it may be asked where a family adds a bias of its own to the scores."""

    def __init__(self, lm: "LanguageModel") -> None:
        self.layers: list[torch.Tensor] = []
        self._waiting: list[torch.Tensor] = []
        self._last = set(lm.structure.blocks[-1].modules())

    def __call__(
        self, module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, **options: Any
    ) -> torch.Tensor | None:
        if options.get("position_bias") is not None and not self.takes_bias:
            return None
        last = module in self._last
        mixed, seen = self.watch(module, query, key, None if last else value, mask, options)
        self._waiting.append(seen.float())
        if sum(x.nbytes for x in self._waiting) > HELD:
            self.land()
        if last:
            raise Enough
        return mixed

    def land(self) -> None:
        """Bring what has been seen from the device to `layers`."""
        self.layers += [x.cpu() for x in self._waiting]
        self._waiting.clear()

    @abstractmethod
    def watch(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor | None,
        mask: torch.Tensor | None,
        options: dict[str, Any],
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Attention's output (rows, queries, heads, width), if there are values, and what is seen."""


class FusedMass(Watcher):
    """Mass on columns (keys, n), read by transformers' own fused kernel.

    softmax(QKᵀ)·columns is what it computes if they are appended to V. Whatever masks a family uses, it uses here too.
    """

    takes_bias = True

    def __init__(self, lm: "LanguageModel", columns: torch.Tensor) -> None:
        super().__init__(lm)
        self.columns = columns

    def watch(self, module: Any, query: Any, key: Any, value: Any, mask: Any, options: Any) -> Any:
        if options.get("scaling") is None:
            options["scaling"] = query.shape[-1] ** -0.5
        columns = [piece.expand(*key.shape[:2], *piece.shape) for piece in self.columns.to(key).split(PIECE, -1)]
        values = columns if value is None else [torch.cat([value, columns[0]], -1), *columns[1:]]
        first, *rest = [_fused(module, query, key, v, mask, options) for v in values]
        width = 0 if value is None else value.shape[-1]
        seen = torch.cat([first[..., width:], *rest], -1)[0].transpose(0, 1)
        return first[..., :width].contiguous(), seen


class ByStrips(Watcher):
    """Whatever `read` makes of each strip of the matrix, (heads, queries, n).

    Exact for scores of any size, and for every family that hands its softcap and its sinks to the kernel.
    """

    def __init__(self, lm: "LanguageModel", read: Callable[[Strip], torch.Tensor]) -> None:
        super().__init__(lm)
        self.read = read

    def watch(self, module: Any, query: Any, key: Any, value: Any, mask: Any, options: Any) -> Any:
        heads, tokens = query.shape[1:3]
        keys, values = (None if x is None else repeat_heads(x, heads)[0].float() for x in (key, value))
        mixed = None if values is None else values.new_empty(heads, tokens, values.shape[-1])
        seen = None
        for strip in strips(query[0], keys, _scoring(module, query, mask, options)):
            if mixed is not None and values is not None:
                mixed[strip.heads, strip.queries] = strip.mix(values[strip.heads])
            answer = self.read(strip)
            seen = answer.new_empty(heads, tokens, answer.shape[-1]) if seen is None else seen
            seen[strip.heads, strip.queries] = answer
        return None if mixed is None else mixed.transpose(0, 1)[None].to(query.dtype).contiguous(), seen


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
