"""A forward pass that goes as far as it is wanted: up to one layer, and never through the output layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .edits import check_fired
from .errors import HookDidNotFire
from .structure import after_block, before_block

if TYPE_CHECKING:
    from .language_model import LanguageModel


class _Enough(BaseException):
    """The last layer that was wanted has been computed; no error, so nothing on the way may take it for one."""


def run_up_to(lm: "LanguageModel", ids: torch.Tensor, layer: int, prompt_lengths: Sequence[int] | None = None) -> None:
    """Run the model on `ids` (rows, tokens) and leave it behind `layer` (0: the embeddings, k: block k).

    What is to be seen is seen by hooks and kernels put in place before; edits up to that layer act, later ones have
    nothing to act on. Raises HookDidNotFire if the layer, or an edit on the way, was skipped.
    """

    def enough(_: torch.Tensor) -> None:
        raise _Enough

    blocks = lm.structure.blocks
    handle = before_block(blocks[0], enough) if layer == 0 else after_block(blocks[layer - 1], enough)
    lm.running.prompt_lengths = prompt_lengths
    try:
        lm.hf(input_ids=ids.to(lm.device), use_cache=False)
    except _Enough:
        check_fired(lm, layer)
    else:
        raise HookDidNotFire(f"Layer {layer} took no part in the forward pass; the model skips it.")
    finally:
        handle.remove()
        lm.running.prompt_lengths = None
