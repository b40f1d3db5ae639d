"""A path of tokens that a model has read, and rows of tokens that go on from it: in place, or on copies of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from .attending import Kernel, attention_by
from .decoding import CopiedSamples, InPlaceSamples, refuse, written
from .errors import UnsupportedModel
from .graphs import GraphedSamples, pays
from .last_rows import columns_of, last_block_at
from .layout import laid_out, rows_of, tree_mask
from .merging import Partial, attend, merge
from .passes import Snapshot, last_logits, picked_logits
from .planning import Row

if TYPE_CHECKING:
    from .language_model import LanguageModel


class InPlacePath:
    """Keys and values of one path, layer by layer; any number of rows attend to them where they lie.

    Reading more of the path overwrites what stood behind that point.
    """

    def __init__(self, lm: "LanguageModel") -> None:
        self.lm, self.length = lm, 0
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def hold(self, read: Snapshot) -> None:
        """Take over what has been read elsewhere, as embeddings perhaps."""
        self._layers, self.length = dict(enumerate(read.layers)), read.layers[0][0].shape[2]

    def logits(self, rows: Sequence[Row], picked: torch.Tensor, trunk: bool = False) -> torch.Tensor:
        """Logits at the picked tokens of rows padded to one width, (picked, vocabulary); a `trunk` extends the path."""
        ids, positions, prompts = laid_out(rows, self.lm.context_length)
        mask = tree_mask(rows, ids.shape[1], self.lm)
        if trunk:
            self.length = rows[0].start
        with self._attended([row.start for row in rows], ids.shape[1], mask, trunk, picked):
            out = picked_logits(self.lm, ids, picked, prompt_lengths=prompts, positions=positions, mask=mask)
        if trunk:
            self.length += len(rows[0])
        return out

    def samples(self, rows: int, steps: int) -> "InPlaceSamples | GraphedSamples":
        """That many rows which each go on from the end of the path, for at most so many steps."""
        return GraphedSamples(self, rows, steps) if pays(self.lm, steps) else InPlaceSamples(self, rows)

    @contextmanager
    def _attended(
        self, starts: list[int], width: int, mask: torch.Tensor | None, trunk: bool, picked: torch.Tensor
    ) -> Iterator[None]:
        """Put our kernels in front of the model; the last block leaves out what is not read, if that is most of it."""
        columns = columns_of(picked, len(starts), width)
        with attention_by(self._kernel(starts, width, mask, trunk)):
            if not self.lm.trims_last_block or 2 * columns.shape[1] > width:
                yield
                return
            few = self._kernel(starts, columns.shape[1], rows_of(mask, columns, width, self.lm), trunk)
            with last_block_at(self.lm, columns, few):
                yield

    def _kernel(self, starts: list[int], width: int, mask: torch.Tensor | None, trunk: bool) -> Kernel:
        depth, uneven = max(starts), _Uneven(starts, width) if min(starts) < max(starts) else None

        def kernel(
            module: Any,
            query: torch.Tensor,
            key: torch.Tensor,
            value: torch.Tensor,
            _: torch.Tensor | None,
            *,
            scaling: float | None = None,
            **options: Any,
        ) -> torch.Tensor:
            refuse(options, depth + width)
            here = None if mask is None else mask.to(query.device)
            own = attend(query, key, value, mask=here, causal=mask is None, scale=scaling)
            if trunk:
                self._store(module.layer_idx, depth, key, value)
            if depth:
                past = self.attend(module.layer_idx, query, depth, scaling, uneven)
                return merge(own, past).transpose(1, 2)
            return own[0].transpose(1, 2)

        return kernel

    def attend(
        self, layer: int, query: torch.Tensor, length: int, scale: float | None, uneven: "_Uneven | None" = None
    ) -> Partial:
        """Attention of queries (rows, heads, queries, width) to the path's first `length` tokens.

        All rows' queries of all heads that share a key head look at its keys in one go, so nothing is copied.
        """
        keys, values = (x[:, :, :length] for x in self._layers[layer])
        rows, heads, n, width = query.shape
        groups = heads // keys.shape[1]
        folded = query.reshape(rows, -1, groups, n, width).permute(1, 2, 0, 3, 4).reshape(1, keys.shape[1], -1, width)
        mask = None if uneven is None else uneven.mask(length, groups, query)
        out, total = attend(folded, keys, values, mask=mask, scale=scale)
        out = out.view(-1, groups, rows, n, values.shape[-1]).permute(2, 0, 1, 3, 4).reshape(rows, heads, n, -1)
        total = total.reshape(-1, groups, rows, n).permute(2, 0, 1, 3).reshape(rows, heads, n)
        return (out, total) if uneven is None else (out, uneven.weigh(total))

    def _store(self, layer: int, start: int, key: torch.Tensor, value: torch.Tensor) -> None:
        end = start + key.shape[2]
        keys, values = self._layers.get(layer, (key[:, :, :0], value[:, :, :0]))
        self._layers[layer] = written(keys, key, start, end), written(values, value, start, end)


class CopiedPath:
    """The same for models whose attention cannot be split: each row has a copy of the path's keys and values."""

    def __init__(self, lm: "LanguageModel") -> None:
        self.lm, self.length = lm, 0
        self._read: Snapshot | None = None

    def logits(self, rows: Sequence[Row], picked: torch.Tensor, trunk: bool = False) -> torch.Tensor:
        """As `InPlacePath.logits`, for rows that all begin at one depth and do not branch."""
        ids, _, prompts = laid_out(rows, self.lm.context_length)
        start = rows[0].start
        cache = self._read.behind(start, len(rows)) if start and self._read else DynamicCache() if trunk else None
        out = picked_logits(self.lm, ids, picked, prompt_lengths=prompts, cache=cache)
        if trunk and cache is not None:
            self._read, self.length = Snapshot(cache, start + len(rows[0])), start + len(rows[0])
        return out

    def samples(self, rows: int, steps: int) -> "CopiedSamples":
        """As `InPlacePath.samples`."""
        if self._read is None:
            raise ValueError("Read the path first.")
        return CopiedSamples(self.lm, self._read.behind(self.length, rows), self.length)


def path_for(lm: "LanguageModel", longest: int) -> InPlacePath | CopiedPath:
    """The better path for texts of up to `longest` tokens, for a model that `shares_prefixes`."""
    return InPlacePath(lm) if longest <= lm.in_place else CopiedPath(lm)


def longest_in_place(lm: "LanguageModel") -> int:
    """The longest text of which branches may attend to a shared path in place; 0: none. Tried out on six tokens."""
    if not (lm.switches_attention and lm.shares_prefixes and lm.takes_positions):
        return 0
    ids = (torch.arange(6) % lm.structure.embeddings.weight.shape[0]).tolist()
    trunk = Row(0, ids[:3], [0, 1, 2], [6] * 3, [(0, 3, -1)])
    branches = Row(3, [ids[3], ids[4], *ids[4:6]], [3, 4, 4, 5], [6] * 4, [(0, 1, -1), (1, 2, 0), (2, 4, 0)])
    path = InPlacePath(lm)
    with torch.no_grad():
        whole = last_logits(lm, torch.tensor([ids]), 2)[0]
        try:
            path.logits([trunk], torch.tensor([2]), trunk=True)
            shared = path.logits([branches], torch.tensor([1, 3]))
        except (TypeError, ValueError, AttributeError, KeyError, IndexError, RuntimeError, UnsupportedModel):
            return 0
    slack = 1e-3 if lm.dtype == torch.float32 else 5e-2
    same = torch.allclose(shared, whole, rtol=slack, atol=slack * float(whole.abs().max()))
    return min([lm.context_length, *_windows(lm)]) if same else 0


class _Uneven:
    """Rows of one batch that look back on different lengths of a path."""

    def __init__(self, starts: list[int], width: int) -> None:
        self.starts, self.width = torch.tensor(starts), width
        self._made: dict[torch.device, torch.Tensor] = {}  # a pass's layers ask for one mask, whatever they lie on

    def mask(self, length: int, groups: int, like: torch.Tensor) -> torch.Tensor:
        """(1, 1, groups × rows × width, length); a row that begins the text sees one key, which `weigh` takes away."""
        made = self._made.get(like.device)
        if made is None or made.shape[2:] != (groups * len(self.starts) * self.width, length):
            starts = self.starts.to(like.device).clamp(min=1)
            hidden = torch.arange(length, device=like.device)[None] >= starts[:, None]
            mask = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -torch.inf)
            made = self._made[like.device] = mask.repeat_interleave(self.width, 0).repeat(groups, 1)[None, None]
        return made

    def weigh(self, total: torch.Tensor) -> torch.Tensor:
        return total.masked_fill((self.starts == 0).to(total.device)[:, None, None], -torch.inf)


def _windows(lm: "LanguageModel") -> list[int]:
    """Lengths up to which the model looks at everything before."""
    config = lm.hf.config.get_text_config(decoder=True)
    named = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size")]
    return [window for window in named if isinstance(window, int)]
