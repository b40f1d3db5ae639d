"""A switch in front of a model's attention: transformers' own fused kernel, or, inside a `with` block, another."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

NAME = "xllm"

Kernel = Callable[..., torch.Tensor | None]
"""kernel(module, query, key, value, mask, **options) → (rows, queries, heads, head width), or None to leave this call
to the fused kernel. query (rows, heads, queries, head width); key and value (rows, key heads, keys, head width); mask
additive or boolean (rows, 1, queries, keys), or None for plain causal attention; options as transformers passes them
(scaling, dropout, and what a family adds, such as sliding_window, softcap or s_aux)."""


class _Chosen(threading.local):
    kernel: Kernel | None = None


_chosen = _Chosen()


def install(hf: Any) -> bool:
    """Put the switch into a model; False, and nothing changed, for families whose attention cannot be switched.

    A model that has it already, a tuned one or one with other weights in place of its own, keeps it.
    """
    if getattr(hf.config, "_attn_implementation", None) not in ("sdpa", NAME):
        return False
    hf.set_attn_implementation(NAME)
    return hf.config._attn_implementation == NAME


@contextmanager
def attention_by(kernel: Kernel) -> Iterator[None]:
    """Let `kernel` compute attention in this thread until the block ends; blocks may be nested, the inner one rules."""
    before, _chosen.kernel = _chosen.kernel, kernel
    try:
        yield
    finally:
        _chosen.kernel = before


def current_kernel() -> Kernel | None:
    """The kernel that `attention_by` has put before this thread's models, if any."""
    return _chosen.kernel


def repeat_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Keys or values (rows, key heads, keys, width) for each of `heads` query heads."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], 1)


def _switch(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **options: Any
) -> tuple[torch.Tensor, None]:
    if _chosen.kernel is not None:
        out = _chosen.kernel(module, query, key, value, mask, **options)
        if out is not None:
            return out, None
    return sdpa_attention_forward(module, query, key, value, mask, **options)


AttentionInterface.register(NAME, _switch)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
