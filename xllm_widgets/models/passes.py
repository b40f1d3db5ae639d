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
    positions: torch.Tensor | None = None,
    cache: DynamicCache | None = None,
) -> torch.Tensor:
    """Logits of the last `keep` positions: (rows, keep, vocabulary), float32.

    `x`: ids (rows, tokens) or embeddings (rows, tokens, width), without a mask: attention is causal, so tokens to the
    right of a row's end change nothing before them. `positions` (rows or 1, tokens) in the text, if not counted on from
    the cache. Raises HookDidNotFire if an active edit was skipped.
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
    if positions is not None:
        words["position_ids"] = positions.to(lm.device)
    return _run(lm, words, prompt_lengths, positions)[:, -keep:].float()


def picked_logits(
    lm: "LanguageModel",
    ids: torch.Tensor,
    picked: torch.Tensor | None,
    *,
    prompt_lengths: Sequence[int] | torch.Tensor | None = None,
    positions: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    cache: DynamicCache | None = None,
) -> torch.Tensor:
    """Logits at some tokens alone: (picked, vocabulary), float32.

    `ids` (rows, tokens); `picked`: numbers of tokens, row by row, or None for all. Only these reach the output layer,
    whatever the model does to its logits afterwards. `positions` (rows or 1, tokens) in the text; `mask` additive
    (rows, 1, tokens, tokens).
    """

    def only(_: Any, args: tuple) -> tuple:
        hidden = args[0].flatten(0, -2)
        return (hidden[None] if picked is None else hidden[picked.to(hidden.device)][None], *args[1:])

    words = {"input_ids": ids.to(lm.device), "use_cache": cache is not None, "past_key_values": cache}
    if positions is not None:
        words |= {"position_ids": positions.to(lm.device), "attention_mask": mask}
    handle = lm.structure.unembedding.register_forward_pre_hook(only)
    try:
        return _run(lm, {k: v for k, v in words.items() if v is not None}, prompt_lengths, positions)[0].float()
    finally:
        handle.remove()


def _run(
    lm: "LanguageModel",
    words: dict[str, Any],
    prompt_lengths: Sequence[int] | torch.Tensor | None,
    positions: torch.Tensor | None = None,
) -> torch.Tensor:
    """The model's logits, with every edit told where it is."""
    lm.running.prompt_lengths, lm.running.positions = prompt_lengths, positions
    try:
        logits = lm.hf(**words).logits
        check_fired(lm)
    finally:
        lm.running.prompt_lengths = lm.running.positions = None
    return logits


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


class Snapshot:
    """Keys and values of one row of tokens as a cache holds them, to be continued by many rows."""

    def __init__(self, cache: DynamicCache, tokens: int) -> None:
        """Raises TypeError for caches of another kind (a state instead of one entry a token)."""
        self.layers = [(layer.keys, layer.values) for layer in cache.layers]
        if any(keys.shape[-2] != tokens for keys, _ in self.layers):
            raise TypeError("The cache does not hold one entry a token.")

    def behind(self, length: int, rows: int) -> DynamicCache:
        """A fresh cache for `rows` rows that have all read the first `length` tokens."""
        cache = DynamicCache()
        for i, (keys, values) in enumerate(self.layers):
            cache.update(
                keys[:, :, :length].expand(rows, -1, -1, -1), values[:, :, :length].expand(rows, -1, -1, -1), i
            )
        return cache


class Prefix(Snapshot):
    """The snapshot of a row that is computed here and now."""

    def __init__(self, lm: "LanguageModel", x: torch.Tensor, prompt_length: int | None = None) -> None:
        """`x`: (1, tokens) ids or (1, tokens, width) embeddings."""
        cache = DynamicCache()
        last_logits(lm, x, 1, prompt_lengths=None if prompt_length is None else [prompt_length], cache=cache)
        super().__init__(cache, x.shape[1])


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
