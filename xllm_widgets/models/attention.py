"""Attention as the model computes it: mass on segments, entropy and distance without a matrix; short matrices whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError
from .attending import NAME, attention_by
from .batching import one_row
from .edits import check_fired, whole_numbers
from .errors import UnsupportedModel
from .partway import run_until_enough
from .rows import Strip, strip_of
from .text import Tokens
from .watching import ByStrips, FusedMass, Watcher

if TYPE_CHECKING:
    from .language_model import LanguageModel

TOKEN_LIMIT = 1024
"""The longest prompt whose attention is written out as matrices."""

Read = Callable[[Strip], torch.Tensor]


@dataclass(frozen=True)
class AttentionStatistics:
    """How widely, and how far back, each head looks; see `LanguageModel.attention_statistics`.

    `entropy`: nats; `distance`: tokens; each (layers, heads, queries), float32.
    """

    entropy: np.ndarray
    distance: np.ndarray


@one_row()
def attention(lm: "LanguageModel", prompt: str, segments: Sequence[tuple[int, int]] | None) -> np.ndarray:
    """See `LanguageModel.attention`."""
    tokens = lm.tokens(prompt)
    lm.check_room(len(tokens))
    if segments is None:
        return torch.stack([a[0].float() for a in _matrices(lm, tokens.ids)]).cpu().numpy()
    ranges = [_range(tokens, segment) for segment in (segments if isinstance(segments, Iterable) else [segments])]
    columns = _columns(ranges, len(tokens)).to(lm.device)
    if lm.switches_attention and (layers := _watched(lm, tokens.ids, FusedMass(lm, columns))):
        return _stacked(lm, layers)
    return _by_strips(lm, tokens.ids, lambda strip: strip.mix(columns))


@one_row()
def attention_statistics(lm: "LanguageModel", prompt: str) -> AttentionStatistics:
    """See `LanguageModel.attention_statistics`."""
    ids = lm.prompt_ids(prompt)
    both = _by_strips(lm, ids, lambda strip: torch.stack([strip.entropy(), strip.distance()], -1))
    return AttentionStatistics(both[..., 0].copy(), both[..., 1].copy())


def _range(tokens: Tokens, segment: Any) -> tuple[int, int]:
    """The tokens of a segment; PromptError for anything but a range of at least one character of the text."""
    numbers = whole_numbers(segment)
    if numbers is None or len(numbers) != 2 or numbers[0] >= numbers[1]:
        raise PromptError(f"{segment!r} is no range of characters; give pairs (start, end) with start before end.")
    return tokens.covering(*numbers)


def _columns(ranges: list[tuple[int, int]], tokens: int) -> torch.Tensor:
    """(tokens, segments), 1 where a token belongs to a segment."""
    columns = torch.zeros(tokens, len(ranges))
    for i, (start, end) in enumerate(ranges):
        columns[start:end, i] = 1
    return columns


def _watched(lm: "LanguageModel", ids: list[int], watcher: Watcher) -> list[torch.Tensor]:
    """What a watcher sees in one forward pass, the output layer left out; nothing where it is never asked."""
    with attention_by(watcher):
        run_until_enough(lm, torch.tensor([ids]), lm.n_layers - 1, prompt_lengths=[len(ids)])
    watcher.land()
    return watcher.layers


def _by_strips(lm: "LanguageModel", ids: list[int], read: Read) -> np.ndarray:
    """Read the attention matrix strip by strip; out of eager matrices where a family is beyond our kernel."""
    if lm.switches_attention:
        layers = _watched(lm, ids, ByStrips(lm, read))
    elif _strips_are_exact(lm, ids[:8]):
        with attention_implementation(lm.hf, NAME):
            layers = _watched(lm, ids, ByStrips(lm, read))
    else:
        layers = []
    return _stacked(lm, layers or [read(strip_of(matrix[0])) for matrix in _matrices(lm, ids)])


def _strips_are_exact(lm: "LanguageModel", ids: list[int]) -> bool:
    """Whether a family that computes attention in its own way computes what our kernel does; tried on a few tokens."""
    eager = [matrix[0].float().cpu() for matrix in _matrices(lm, ids)]
    whole = torch.eye(len(ids), device=lm.device)
    try:
        with attention_implementation(lm.hf, NAME):
            ours = _watched(lm, ids, ByStrips(lm, lambda strip: strip.mix(whole)))
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
        return False
    slack = 1e-5 if lm.dtype == torch.float32 else 2e-2
    pairs = zip(ours, eager, strict=False)
    return len(ours) == len(eager) and all(torch.allclose(a, b, rtol=0, atol=slack) for a, b in pairs)


def _matrices(lm: "LanguageModel", ids: list[int]) -> tuple[torch.Tensor, ...]:
    """The whole matrices, (1, heads, queries, keys) a block, computed the long way."""
    if len(ids) > TOKEN_LIMIT:
        raise PromptError(
            f"Attention is written out for at most {TOKEN_LIMIT} tokens and this prompt has {len(ids)}; shorten it."
        )
    with attention_implementation(lm.hf, "eager"):
        lm.running.prompt_lengths = [len(ids)]
        try:
            out = lm.hf(input_ids=torch.tensor([ids], device=lm.device), use_cache=False, output_attentions=True)
            check_fired(lm)
        finally:
            lm.running.prompt_lengths = None
    return _one_a_block(lm, tuple(a for a in getattr(out, "attentions", None) or () if a is not None))


def _stacked(lm: "LanguageModel", layers: Sequence[torch.Tensor]) -> np.ndarray:
    return torch.stack([layer.cpu() for layer in _one_a_block(lm, layers)]).numpy()


def _one_a_block(lm: "LanguageModel", layers: Sequence[torch.Tensor]) -> Any:
    if len(layers) != lm.n_layers:
        raise UnsupportedModel(f"{lm.name} gives no attention matrices for its blocks; choose a transformer that does.")
    return layers


@contextmanager
def attention_implementation(hf: Any, name: str) -> Iterator[None]:
    """Let the model compute attention another way ("eager" shows its weights); afterwards it is as it was."""
    before = hf.config._attn_implementation
    hf.set_attn_implementation(name)
    try:
        yield
    finally:
        hf.set_attn_implementation(before)
