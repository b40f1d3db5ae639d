"""Edits of the residual stream that every verb sees while they last; the weights are never touched."""

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .errors import HookDidNotFire, UnsupportedModel
from .structure import after_block, before_block

if TYPE_CHECKING:
    from .language_model import LanguageModel

Positions = str | int | Sequence[int]


@dataclass(frozen=True)
class Steer:
    """Add `strength × vector` to the residual stream (activation addition; Turner et al., 2023).

    `vector`: (width,) for all layers, or (layers, width), one row a layer. `layers`: a number, several, or "all"; 0 is
    the embeddings, k the stream after block k, as in `activations`. `positions`: "all" (also generated tokens), or
    token positions counted from the start of the prompt, negative ones from its end (-1 is its last token).
    """

    vector: Any
    layers: int | Sequence[int] | str
    strength: float = 1.0
    positions: Positions = "all"


class Running:
    """What the forward pass under way is about: where its tokens stand, and how long their prompts are.

    `positions` (rows, tokens) in the text, or None where they count on from `offset`. `prompt_lengths`: one for each
    row, or for each token (rows, tokens).
    """

    def __init__(self) -> None:
        self.offset = 0
        self.positions: torch.Tensor | None = None
        self.prompt_lengths: Sequence[int] | torch.Tensor | None = None


def whole_numbers(given: Any) -> list[int] | None:
    """A whole number, or several, as a list; None for anything else."""
    try:
        return [operator.index(k) for k in ([given] if isinstance(given, int | np.integer) else given)]
    except TypeError:
        return None


def layer_numbers(layers: int | Sequence[int] | str, n_layers: int) -> list[int]:
    """Layer numbers 0 … n_layers from a number (negative from the top), several, or "all".

    Raises UnsupportedModel if the model has no such layer.
    """
    if isinstance(layers, str) and layers == "all":
        return list(range(n_layers + 1))
    wanted = whole_numbers(layers)
    if wanted is None:
        raise UnsupportedModel(f'layers={layers!r} is not understood; give numbers from 0 to {n_layers}, or "all".')
    for k in wanted:
        if not -(n_layers + 1) <= k <= n_layers:
            raise UnsupportedModel(f"There is no layer {k}; this model has 0 (embeddings) to {n_layers}.")
    return [k % (n_layers + 1) for k in wanted]


@contextmanager
def edited(lm: "LanguageModel", edits: Sequence[Steer]) -> Iterator["LanguageModel"]:
    """Hold the model's lock and the edits' hooks for the length of a `with` block; nested edits add up."""
    with lm.lock:
        handles: list[Any] = [_offset_hook(lm)]
        active: list[ActiveEdit] = []
        try:
            for edit in edits:
                layers = _prepare(lm, edit)
                handles += [layer.attach(lm) for layer in layers]
                active += layers
            lm.active_edits.extend(active)
            yield lm
        finally:
            for handle in handles:
                handle.remove()
            lm.active_edits[:] = [layer for layer in lm.active_edits if layer not in active]


def check_fired(lm: "LanguageModel", last: int | None = None) -> None:
    """Raise HookDidNotFire unless every edit (up to layer `last`) took part in the forward pass just made."""
    due = [layer for layer in lm.active_edits if last is None or layer.number <= last]
    silent = sorted({layer.number for layer in due if not layer.fired})
    for layer in lm.active_edits:
        layer.fired = False
    if silent:
        raise HookDidNotFire(f"The edit of layer {silent[0]} took no part in the forward pass; the model skips it.")


def from_the_end(lm: "LanguageModel") -> list[int]:
    """Negative positions at which an active edit acts.

    There, and nowhere else, a token's activations depend on how long its prompt is, not only on what stands before it.
    """
    return sorted({p for layer in lm.active_edits for p in layer.positions or () if p < 0})


class ActiveEdit:
    """One edit at one layer; `positions` None: everywhere."""

    def __init__(self, number: int, push: torch.Tensor, positions: tuple[int, ...] | None) -> None:
        self.number, self.push, self.positions, self.fired = number, push, positions, False

    def attach(self, lm: "LanguageModel") -> Any:
        def change(hidden: torch.Tensor) -> torch.Tensor:
            self.fired = True
            push = self.push.to(hidden.device, hidden.dtype)
            if self.positions is None:
                return hidden + push
            return hidden + self._where(hidden, lm.running).unsqueeze(-1) * push

        blocks = lm.structure.blocks
        return before_block(blocks[0], change) if self.number == 0 else after_block(blocks[self.number - 1], change)

    def _where(self, hidden: torch.Tensor, running: Running) -> torch.Tensor:
        """(rows, tokens), 1 where the edit applies."""
        rows, tokens = hidden.shape[:2]
        here = running.positions
        if here is None:
            here = torch.arange(running.offset, running.offset + tokens)[None]
        lengths = running.prompt_lengths
        end = torch.as_tensor([running.offset + tokens] * rows if lengths is None else lengths).view(rows, -1)
        here, end = here.to(hidden.device), end.to(hidden.device)
        mask = torch.zeros(rows, tokens, dtype=torch.bool, device=hidden.device)
        for p in self.positions or ():
            mask |= here == (end + p if p < 0 else p)
        return mask.to(hidden.dtype)


def _prepare(lm: "LanguageModel", edit: Steer) -> list[ActiveEdit]:
    numbers = layer_numbers(edit.layers, lm.n_layers)
    vector = torch.as_tensor(np.asarray(edit.vector, dtype=np.float32)) * edit.strength
    if vector.shape not in {(lm.width,), (len(numbers), lm.width)}:
        raise UnsupportedModel(
            f"A steering vector of shape {tuple(vector.shape)} does not fit; give ({lm.width},) or "
            f"({len(numbers)}, {lm.width})."
        )
    rows, places = vector.expand(len(numbers), lm.width), _numbers(edit.positions)
    return [ActiveEdit(number, row, places) for number, row in zip(numbers, rows, strict=True)]


def _numbers(positions: Positions) -> tuple[int, ...] | None:
    """The positions of an edit, None for "all"; UnsupportedModel for what is neither."""
    if isinstance(positions, str) and positions == "all":
        return None
    wanted = whole_numbers(positions)
    if wanted is None:
        raise UnsupportedModel(f'positions={positions!r} is not understood; give numbers, or "all".')
    return tuple(wanted)


def _offset_hook(lm: "LanguageModel") -> Any:
    """Note how many tokens a cache already holds when the body is entered: positions count from the prompt's start."""

    def note(_: Any, __: tuple, kwargs: dict) -> None:
        cache = kwargs.get("past_key_values")
        lm.running.offset = cache.get_seq_length() if cache is not None else 0

    return lm.structure.body.register_forward_pre_hook(note, with_kwargs=True)
