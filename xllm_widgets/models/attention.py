"""Attention as the model computes it: full matrices for short prompts, or the mass on segments of the text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError
from .edits import check_fired
from .errors import UnsupportedModel

if TYPE_CHECKING:
    from .language_model import LanguageModel

TOKEN_LIMIT = 1024


def attention(lm: "LanguageModel", prompt: str, segments: Sequence[tuple[int, int]] | None) -> np.ndarray:
    """See `LanguageModel.attention`."""
    tokens = lm.tokens(prompt)
    lm.check_room(len(tokens))
    if len(tokens) > TOKEN_LIMIT:
        raise PromptError(
            f"Attention is written out for at most {TOKEN_LIMIT} tokens and this prompt has {len(tokens)}; shorten it."
        )
    ranges = None if segments is None else [tokens.covering(start, end) for start, end in segments]
    layers = _matrices(lm, tokens.ids)
    if ranges is None:
        return torch.stack([a[0].float() for a in layers]).cpu().numpy()
    return torch.stack([_mass(a[0].float(), ranges) for a in layers]).cpu().numpy()


def _mass(weights: torch.Tensor, ranges: list[tuple[int, int]]) -> torch.Tensor:
    """(heads, queries, keys) → (heads, queries, segments)."""
    return torch.stack([weights[..., start:end].sum(-1) for start, end in ranges], -1)


def _matrices(lm: "LanguageModel", ids: list[int]) -> tuple[torch.Tensor, ...]:
    with eager_attention(lm.hf):
        lm.running.prompt_lengths = [len(ids)]
        try:
            out = lm.hf(input_ids=torch.tensor([ids], device=lm.device), use_cache=False, output_attentions=True)
            check_fired(lm)
        finally:
            lm.running.prompt_lengths = None
    layers = tuple(a for a in out.attentions or () if a is not None)
    if len(layers) != lm.n_layers:
        raise UnsupportedModel(f"{lm.name} gives no attention matrices for its blocks; choose a transformer that does.")
    return layers


@contextmanager
def eager_attention(hf: Any) -> Iterator[None]:
    """Let the model compute attention the long way, whose weights can be seen; afterwards it is as it was."""
    before = hf.config._attn_implementation
    hf.set_attn_implementation("eager")
    try:
        yield
    finally:
        hf.set_attn_implementation(before)
