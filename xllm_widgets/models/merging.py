"""Attention to two sets of keys at once, each looked at where it lies: partial results, merged by their log-sum-exp."""

import torch

from .attending import repeat_heads

_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_cuda_flash = torch.ops.aten._scaled_dot_product_flash_attention
_cuda_masked = torch.ops.aten._scaled_dot_product_efficient_attention

Partial = tuple[torch.Tensor, torch.Tensor]


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    mask: torch.Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Partial:
    """Attention to these keys alone: its output (rows, heads, queries, width), and the logarithm of its weights' sum
    (rows, heads, queries) before they were made to sum to one.

    `query` (rows, heads, queries, width); `key`, `value` (rows, key heads, keys, width); `mask` additive, (rows or 1,
    1, queries, keys). Each query must see at least one key. Fused where the device has a kernel that tells the sum.
    """
    key, value = repeat_heads(key, query.shape[1]), repeat_heads(value, query.shape[1])
    if key.shape[-1] == value.shape[-1]:
        if query.device.type == "cpu":
            out, total = _cpu(query, key, value, 0.0, causal, attn_mask=mask, scale=scale)
            return out, total
        if query.device.type == "cuda" and key.shape[-1] % 8 == 0 and key.shape[-1] <= 256:
            return _on_cuda(query, key, value, mask, causal, scale)
    return plainly(query, key, value, mask=mask, causal=causal, scale=scale)


def merge(first: Partial, second: Partial) -> torch.Tensor:
    """What attention to both sets of keys gives: each output weighs as much as its weights' sum."""
    (a, a_total), (b, b_total) = first, second
    share = torch.sigmoid(b_total - a_total).unsqueeze(-1)
    return torch.lerp(a.to(share.dtype), b.to(share.dtype), share).to(a.dtype)


def plainly(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    mask: torch.Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Partial:
    """`attend`, written out; keys and values of as many heads as the queries have."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query.float() * scale) @ key.float().mT
    if mask is not None:
        scores = scores + mask.float()
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, -torch.inf)
    total = scores.logsumexp(-1)
    return ((scores - total.unsqueeze(-1)).exp() @ value.float()).to(query.dtype), total


def _on_cuda(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    causal: bool,
    scale: float | None,
) -> Partial:
    if mask is None and query.dtype in (torch.float16, torch.bfloat16):
        return _cuda_flash(query, key, value, 0.0, causal, False, scale=scale)[:2]
    bias = None if mask is None else _aligned(mask.to(query.dtype)).expand(query.shape[0], query.shape[1], -1, -1)
    out, total = _cuda_masked(query, key, value, bias, True, 0.0, causal, scale=scale)[:2]
    return out, total[..., : query.shape[2]]  # its rows are filled up to a multiple of 32


def _aligned(mask: torch.Tensor) -> torch.Tensor:
    """The same mask in memory whose rows begin at multiples of 16 numbers, as the kernel wants them."""
    keys = mask.shape[-1]
    if keys % 16 == 0 and mask.is_contiguous():
        return mask
    room = mask.new_zeros(*mask.shape[:-1], -(-keys // 16) * 16)
    room[..., :keys] = mask
    return room[..., :keys]
