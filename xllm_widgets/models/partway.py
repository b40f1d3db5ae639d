"""A forward pass that goes as far as it is wanted: up to one layer, and never through the output layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .edits import check_fired
from .errors import HookDidNotFire
from .structure import after_block, before_block

if TYPE_CHECKING:
    from .language_model import LanguageModel


class Enough(BaseException):
    """All that was wanted of a forward pass has been seen; no error, so nothing on the way may take it for one."""


def run_up_to(lm: "LanguageModel", ids: torch.Tensor, layer: int, prompt_lengths: Sequence[int] | None = None) -> None:
    """Run the model on `ids` (rows, tokens) and leave it behind `layer` (0: the embeddings, k: block k).

    What is to be seen is seen by hooks put in place before; edits up to that layer act, later ones have nothing to act
    on. Raises HookDidNotFire if the layer, or an edit on the way, was skipped.
    """

    def enough(_: torch.Tensor) -> None:
        raise Enough

    blocks = lm.structure.blocks
    handle = before_block(blocks[0], enough) if layer == 0 else after_block(blocks[layer - 1], enough)
    try:
        left = run_until_enough(lm, ids, layer, prompt_lengths)
    finally:
        handle.remove()
    if not left:
        raise HookDidNotFire(f"Layer {layer} took no part in the forward pass; the model skips it.")


def run_until_enough(
    lm: "LanguageModel", ids: torch.Tensor, layer: int, prompt_lengths: Sequence[int] | None = None
) -> bool:
    """Run the model on `ids` (rows, tokens) until a hook or a kernel raises `Enough`; whether one did.

    Raises HookDidNotFire if an edit up to `layer`, which must be behind the pass by then, was skipped.
    """
    lm.running.prompt_lengths = prompt_lengths
    try:
        lm.hf(input_ids=ids.to(lm.device), use_cache=False)
        left = False
    except Enough:
        left = True
    finally:
        lm.running.prompt_lengths = None
    check_fired(lm, layer)
    return left
