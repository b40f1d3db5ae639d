"""The one place where a model runs: logits of the last positions, alone or behind a cached prefix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from .edits import check_fired

if TYPE_CHECKING:
    from .language_model import LanguageModel


def last_logits(
    lm: "LanguageModel",
    x: torch.Tensor,
    keep: int,
    *,
    prompt_lengths: Sequence[int] | None = None,
    cache: DynamicCache | None = None,
) -> torch.Tensor:
    """Logits of the last `keep` positions: (rows, keep, vocabulary), float32.

    `x`: ids (rows, tokens) or embeddings (rows, tokens, width), without a mask: attention is causal, so tokens to the
    right of a row's end change nothing before them. Raises HookDidNotFire if an active edit was skipped.
    """
    words: dict[str, Any] = (
        {"input_ids": x.to(lm.device)} if x.dtype == torch.long else {"inputs_embeds": x.to(lm.device, lm.dtype)}
    )
    if cache is not None:
        words |= {"past_key_values": cache, "use_cache": True}
    else:
        words["use_cache"] = False
    if lm.keeps_logits:
        words["logits_to_keep"] = keep
    lm.running.prompt_lengths = prompt_lengths
    try:
        logits = lm.hf(**words).logits[:, -keep:]
        check_fired(lm)
    finally:
        lm.running.prompt_lengths = None
    return logits.float()


def embed(lm: "LanguageModel", ids: Sequence[int] | torch.Tensor) -> torch.Tensor:
    """Token embeddings as the model itself would look them up, without a graph: (..., width)."""
    with torch.no_grad():
        return lm.structure.embeddings(torch.as_tensor(ids, dtype=torch.long, device=lm.device))


def mean_embedding(lm: "LanguageModel") -> torch.Tensor:
    """The mean over the vocabulary of what the embedding layer gives: (width,)."""
    size, total = lm.structure.embeddings.weight.shape[0], 0.0
    for start in range(0, size, 16384):
        total = total + embed(lm, torch.arange(start, min(start + 16384, size))).float().sum(0)
    return (total / size).to(lm.dtype)


class Prefix:
    """Keys and values of one row of tokens, computed once, to be continued by many rows."""

    def __init__(self, lm: "LanguageModel", x: torch.Tensor, prompt_length: int | None = None) -> None:
        """`x`: (1, tokens) ids or (1, tokens, width) embeddings."""
        cache = DynamicCache()
        lengths = None if prompt_length is None else [prompt_length]
        last_logits(lm, x, 1, prompt_lengths=lengths, cache=cache)
        self._layers = [(layer.keys, layer.values) for layer in cache.layers]
        if any(keys.shape[-2] != x.shape[1] for keys, _ in self._layers):
            raise TypeError("The cache does not hold one entry a token.")

    def behind(self, length: int, rows: int) -> DynamicCache:
        """A fresh cache for `rows` rows that have all read the first `length` tokens."""
        cache = DynamicCache()
        for i, (keys, values) in enumerate(self._layers):
            cache.update(
                keys[:, :, :length].expand(rows, -1, -1, -1), values[:, :, :length].expand(rows, -1, -1, -1), i
            )
        return cache


def can_share_prefixes(lm: "LanguageModel") -> bool:
    """Whether continuing a cached prefix gives what computing the whole does; tried out on six tokens."""
    ids = torch.arange(6)[None] % lm.structure.embeddings.weight.shape[0]
    with torch.no_grad():
        whole = last_logits(lm, ids, 1)
        try:
            cache = Prefix(lm, ids[:, :3]).behind(3, 2)
            shared = last_logits(lm, ids[:, 3:].expand(2, -1), 1, cache=cache)
        except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
            return False
    slack = 1e-3 if lm.dtype == torch.float32 else 5e-2
    return bool(torch.allclose(shared, whole.expand_as(shared), rtol=slack, atol=slack * float(whole.abs().max())))
