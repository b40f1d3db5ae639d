"""The last block computed only where its output is read.

What the last block makes of a token is seen by no other token. Where only the last few positions are read, the others
need their keys and values there, but no queries, no output projection and no feed-forward layer: most of that block,
forward and back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from .attending import Kernel, attention_by, current_kernel
from .passes import last_logits
from .structure import hidden_of, with_hidden

if TYPE_CHECKING:
    from .language_model import LanguageModel


@contextmanager
def last_block_trimmed(lm: "LanguageModel", keep: int, kernel: Kernel | None = None) -> Iterator[None]:
    """For the length of a `with` block the last block works on the last `keep` positions; elsewhere it gives zeros.

    A no-op for models that `can_trim` refused, and where another attention kernel has been chosen than `kernel`, which
    must take fewer queries than keys, and then heed a boolean mask. Callers hold the model's lock, and read nothing but
    those positions.
    """
    if not lm.trims_last_block:
        yield
        return
    block = lm.structure.blocks[-1]
    whole, patched = block.forward, "forward" in block.__dict__
    block.forward = lambda *args, **words: _trimmed(whole, keep, kernel, args, words)
    try:
        yield
    finally:
        if patched:  # accelerate puts a forward of its own
            block.forward = whole
        else:
            del block.forward


def can_trim(lm: "LanguageModel") -> bool:
    """Whether the trimmed block gives what the whole one does; tried out on six tokens."""
    if not lm.switches_attention:
        return False
    ids = torch.arange(6)[None] % lm.structure.embeddings.weight.shape[0]
    with torch.no_grad():
        whole = last_logits(lm, ids, 2)
        lm.trims_last_block = True
        try:
            with last_block_trimmed(lm, 2):
                trimmed = last_logits(lm, ids, 2)
        except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
            return False
        finally:
            lm.trims_last_block = False
    slack = 1e-4 if lm.dtype == torch.float32 else 5e-2
    return bool(torch.allclose(trimmed, whole, rtol=slack, atol=slack * float(whole.abs().max())))


class _Seen(Exception):
    """The keys and values of every position."""

    def __init__(self, key: torch.Tensor, value: torch.Tensor) -> None:
        super().__init__()
        self.key, self.value = key, value


def _trimmed(whole: Any, keep: int, chosen: Kernel | None, args: tuple, words: dict[str, Any]) -> Any:
    """One call of the last block: keys and values of all positions, everything else for the last ones."""
    hidden = args[0] if args else words["hidden_states"]
    tokens = hidden.shape[1]
    short = None if current_kernel() is not chosen else _shortened(args, words, tokens, keep)
    if short is None or keep >= tokens:
        return whole(*args, **words)
    seen = keys_and_values(whole, args, words)

    def kernel(module: Any, query: torch.Tensor, key: Any, value: Any, mask: torch.Tensor | None, **options: Any):
        mask = _causal(query, seen.key) if mask is None else mask
        if chosen is not None:
            return chosen(module, query, seen.key, seen.value, mask, **options)
        return sdpa_attention_forward(module, query, seen.key, seen.value, mask, **options)[0]

    with attention_by(kernel):
        out = whole(*short[0], **short[1])
    top = hidden_of(out)
    return with_hidden(out, torch.cat([top.new_zeros(top.shape[0], tokens - keep, top.shape[2]), top], 1))


def keys_and_values(whole: Any, args: tuple, words: dict[str, Any]) -> _Seen:
    """Enter the block, and leave it as soon as attention is asked for."""

    def kernel(module: Any, query: Any, key: torch.Tensor, value: torch.Tensor, mask: Any, **options: Any) -> None:
        raise _Seen(key, value)

    try:
        with attention_by(kernel):
            whole(*args, **words)
    except _Seen as seen:
        return seen.with_traceback(None)
    raise TypeError("The last block asked for no attention.")


def _shortened(args: tuple, words: dict[str, Any], tokens: int, keep: int) -> tuple[tuple, dict[str, Any]] | None:
    """A block's arguments for its last positions alone; None where it is not known what an argument means."""
    new = {name: _cut(name, value, keep) for name, value in words.items()}
    rest = [value for name, value in words.items() if name not in AXES] + list(args[1:])
    if any(isinstance(value, torch.Tensor) and tokens in value.shape for value in rest):
        return None
    return (args[0][:, -keep:], *args[1:]) if args else (), new


AXES = {"hidden_states": 1, "attention_mask": 2, "position_embeddings": -2, "position_ids": -1, "cache_position": -1}


def _cut(name: str, value: Any, keep: int) -> Any:
    if name not in AXES or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_cut(name, part, keep) for part in value)
    return value.narrow(AXES[name], value.shape[AXES[name]] - keep, keep)


def _causal(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
    """(1, 1, queries, keys): the queries are the last of the keys' tokens; one alone may see them all."""
    queries, keys = query.shape[2], key.shape[2]
    if queries == 1:
        return None
    seen = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)
    return seen[None, None]
