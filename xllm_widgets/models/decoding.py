"""Rows that go on from one path a token at a time; what they write is kept beside the path, not behind a copy of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from .attending import attention_by
from .errors import UnsupportedModel
from .merging import attend, merge
from .passes import last_logits, picked_logits

if TYPE_CHECKING:
    from .language_model import LanguageModel
    from .sharing import InPlacePath


class InPlaceSamples:
    """Rows that attend to a path where it lies, and to their own keys and values in buffers that seldom grow."""

    def __init__(self, path: "InPlacePath", rows: int) -> None:
        self.path, self.prompt, self.written = path, path.length, 0
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append a token to each row (rows,); the logits of what may follow it, (rows, vocabulary), float32."""
        lm, at = self.path.lm, torch.full((1, 1), self.prompt + self.written)
        lengths = [self.prompt] * len(tokens)
        with attention_by(self._kernel):
            logits = picked_logits(lm, tokens[:, None], None, prompt_lengths=lengths, positions=at)
        self.written += 1
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        at = torch.tensor(rows)
        self._layers = {i: (k[at.to(k.device)], v[at.to(v.device)]) for i, (k, v) in self._layers.items()}

    def _kernel(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        _: torch.Tensor | None,
        *,
        scaling: float | None = None,
        **options: Any,
    ) -> torch.Tensor:
        layer, start, end = module.layer_idx, self.written, self.written + 1
        refuse(options, self.prompt + end)
        keys, values = self._layers.get(layer, (key[:, :, :0], value[:, :, :0]))
        self._layers[layer] = keys, values = written(keys, key, start, end), written(values, value, start, end)
        own = attend(query, keys[:, :, :end], values[:, :, :end], scale=scaling)
        return merge(own, self.path.attend(layer, query, self.prompt, scaling)).transpose(1, 2)


class CopiedSamples:
    """The same, where each row has a copy of the path in a cache of transformers' own."""

    def __init__(self, lm: "LanguageModel", cache: DynamicCache, prompt: int) -> None:
        self.lm, self.cache, self.prompt = lm, cache, prompt

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """As `InPlaceSamples.next`."""
        lengths = [self.prompt] * len(tokens)
        return last_logits(self.lm, tokens[:, None], 1, prompt_lengths=lengths, cache=self.cache)[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        """As `InPlaceSamples.keep`."""
        self.cache.batch_select_indices(torch.tensor(rows))  # each layer may lie on a device of its own


class RereadSamples:
    """The same for models that cannot look back: each step reads all from the first token on."""

    def __init__(self, lm: "LanguageModel", ids: Sequence[int], rows: int) -> None:
        self.lm, self.prompt = lm, len(ids)
        self.ids = torch.tensor([list(ids)]).expand(rows, -1)

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """As `InPlaceSamples.next`."""
        self.ids = torch.cat([self.ids, tokens.cpu()[:, None]], 1)
        return last_logits(self.lm, self.ids, 1, prompt_lengths=[self.prompt] * len(tokens))[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        """As `InPlaceSamples.keep`."""
        self.ids = self.ids[list(rows)]


def written(old: torch.Tensor, new: torch.Tensor, start: int, end: int) -> torch.Tensor:
    """`new` put at start … end of a buffer (rows, heads, room, width), which is twice as large where it has to grow."""
    if end > old.shape[2]:
        room = new.new_empty(*old.shape[:2], max(end, 2 * start, 16), old.shape[3])
        room[:, :, :start] = old[:, :, :start]
        old = room
    old[:, :, start:end] = new
    return old


def refuse(options: dict[str, Any], length: int) -> None:
    """UnsupportedModel where splitting attention would not be exact; `longest_in_place` keeps callers from here."""
    window = options.get("sliding_window")
    if any(options.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise UnsupportedModel("This model changes its attention's weights in a way that cannot be split.")
    if window is not None and length > window:
        raise UnsupportedModel(f"This model looks back {window} tokens at most, and the text has {length}.")
