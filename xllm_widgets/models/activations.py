"""The residual stream at chosen layers and positions, kept as it passes by; nothing else is stored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError
from .batching import Stop, buckets, in_batches, token_budget
from .edits import Positions, layer_numbers
from .errors import HookDidNotFire
from .passes import last_logits
from .structure import after_block, before_block

if TYPE_CHECKING:
    from .language_model import LanguageModel


def activations(
    lm: "LanguageModel",
    prompts: str | Sequence[str],
    layers: int | Sequence[int] | str,
    positions: Positions,
    stop: Stop | None,
) -> np.ndarray:
    """See `LanguageModel.activations`."""
    ids = [lm.prompt_ids(p) for p in ([prompts] if isinstance(prompts, str) else prompts)]
    numbers = layer_numbers(layers, lm.n_layers)
    places = [_places(positions, len(row)) for row in ids]
    columns = max(map(len, places), default=0)
    out = np.full((len(ids), len(numbers), columns, lm.width), np.nan, dtype=np.float32)
    for bucket in buckets([len(row) for row in ids], token_budget(lm.device)):

        def run(batch: Sequence[int]) -> None:
            streams = _streams(lm, [ids[i] for i in batch], set(numbers), [places[i] for i in batch])
            for layer, number in enumerate(numbers):
                for row, i in enumerate(batch):
                    out[i, layer, : len(places[i])] = streams[number][row]

        in_batches(bucket, len(bucket), run, stop)
    return out


def _places(positions: Positions, length: int) -> list[int]:
    if isinstance(positions, str):
        if positions != "all":
            raise PromptError(f'positions={positions!r} is not understood; give numbers, or "all".')
        return list(range(length))
    wanted = [positions] if isinstance(positions, int | np.integer) else list(positions)
    for p in wanted:
        if not -length <= p < length:
            raise PromptError(f"There is no position {p} in a prompt of {length} tokens.")
    return [int(p) % length for p in wanted]


def _streams(
    lm: "LanguageModel", ids: list[list[int]], numbers: set[int], places: list[list[int]]
) -> dict[int, list[np.ndarray]]:
    """Layer number → for each row (positions, width)."""
    kept: dict[int, list[np.ndarray]] = {}

    def keep(number: int) -> Any:
        def read(hidden: torch.Tensor) -> None:
            kept[number] = [hidden[b, at].float().cpu().numpy() for b, at in enumerate(places)]

        blocks = lm.structure.blocks
        return before_block(blocks[0], read) if number == 0 else after_block(blocks[number - 1], read)

    width = max(map(len, ids))
    x = torch.tensor([row + [row[-1]] * (width - len(row)) for row in ids])
    handles = [keep(number) for number in numbers]
    try:
        last_logits(lm, x, 1, prompt_lengths=[len(row) for row in ids])
    finally:
        for handle in handles:
            handle.remove()
    if missing := numbers - set(kept):
        raise HookDidNotFire(f"Layer {min(missing)} took no part in the forward pass; the model skips it.")
    return kept
