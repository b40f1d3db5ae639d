"""Edits of the residual stream that every verb sees while they last; the weights are never touched."""

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
    """What the forward pass under way is about: where its first token stands, and how long each row's prompt is."""

    def __init__(self) -> None:
        self.offset = 0
        self.prompt_lengths: Sequence[int] | None = None


def layer_numbers(layers: int | Sequence[int] | str, n_layers: int) -> list[int]:
    """Layer numbers 0 … n_layers from a number (negative from the top), several, or "all".

    Raises UnsupportedModel if the model has no such layer.
    """
    if isinstance(layers, str):
        if layers != "all":
            raise UnsupportedModel(f'layers={layers!r} is not understood; give numbers from 0 to {n_layers}, or "all".')
        return list(range(n_layers + 1))
    wanted = [int(k) for k in ([layers] if isinstance(layers, int | np.integer) else layers)]
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


def check_fired(lm: "LanguageModel") -> None:
    """Raise HookDidNotFire unless every edit took part in the forward pass just made."""
    silent = sorted({layer.number for layer in lm.active_edits if not layer.fired})
    for layer in lm.active_edits:
        layer.fired = False
    if silent:
        raise HookDidNotFire(f"The edit of layer {silent[0]} took no part in the forward pass; the model skips it.")


class ActiveEdit:
    """One edit at one layer."""

    def __init__(self, number: int, push: torch.Tensor, positions: Positions) -> None:
        self.number, self.push, self.positions, self.fired = number, push, positions, False

    def attach(self, lm: "LanguageModel") -> Any:
        def change(hidden: torch.Tensor) -> torch.Tensor:
            self.fired = True
            push = self.push.to(hidden.device, hidden.dtype)
            if self.positions == "all":
                return hidden + push
            return hidden + self._where(hidden, lm.running).unsqueeze(-1) * push

        blocks = lm.structure.blocks
        return before_block(blocks[0], change) if self.number == 0 else after_block(blocks[self.number - 1], change)

    def _where(self, hidden: torch.Tensor, running: Running) -> torch.Tensor:
        """(rows, tokens), 1 where the edit applies."""
        rows, tokens = hidden.shape[:2]
        lengths = running.prompt_lengths or [running.offset + tokens] * rows
        end = torch.tensor(lengths, device=hidden.device)[:, None]
        here = torch.arange(tokens, device=hidden.device)[None] + running.offset
        mask = torch.zeros(rows, tokens, dtype=torch.bool, device=hidden.device)
        for p in [self.positions] if isinstance(self.positions, int) else self.positions:
            mask |= here == (end + int(p) if int(p) < 0 else int(p))
        return mask.to(hidden.dtype)


def _prepare(lm: "LanguageModel", edit: Steer) -> list[ActiveEdit]:
    numbers = layer_numbers(edit.layers, lm.n_layers)
    vector = torch.as_tensor(np.asarray(edit.vector, dtype=np.float32)) * edit.strength
    if vector.shape not in {(lm.width,), (len(numbers), lm.width)}:
        raise UnsupportedModel(
            f"A steering vector of shape {tuple(vector.shape)} does not fit; give ({lm.width},) or "
            f"({len(numbers)}, {lm.width})."
        )
    if isinstance(edit.positions, str) and edit.positions != "all":
        raise UnsupportedModel(f'positions={edit.positions!r} is not understood; give numbers, or "all".')
    rows = vector.expand(len(numbers), lm.width)
    return [ActiveEdit(number, row, edit.positions) for number, row in zip(numbers, rows, strict=True)]


def _offset_hook(lm: "LanguageModel") -> Any:
    """Note how many tokens a cache already holds when the body is entered: positions count from the prompt's start."""

    def note(_: Any, __: tuple, kwargs: dict) -> None:
        cache = kwargs.get("past_key_values")
        lm.running.offset = cache.get_seq_length() if cache is not None else 0

    return lm.structure.body.register_forward_pre_hook(note, with_kwargs=True)
