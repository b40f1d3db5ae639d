"""Attention computed for a few rows of its matrix at a time: exact, whatever the family, in memory of one strip.

A strip holds the weights of some heads and some neighbouring queries on all the keys that these can see; everything
that is read off the matrix (its product with values, mass on segments, entropy, distance) is read strip by strip.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

HIDDEN = -1e30
"""The score of a key that a query may not see: its weight is zero, and zero times it is zero, not NaN."""


@dataclass(frozen=True)
class Strip:
    """Heads `heads` and queries `queries` on the keys `keys`, as slices of the whole matrix.

    `scores`: (heads, queries, keys), less each row's largest; `weights`: their exponentials, not yet divided by their
    sum; `tokens`: that sum (heads, queries, 1); `total`: that sum and the share of the attention sink, if there is one.
    """

    heads: slice
    queries: slice
    keys: slice
    scores: torch.Tensor
    weights: torch.Tensor
    tokens: torch.Tensor
    total: torch.Tensor

    def mix(self, values: torch.Tensor) -> torch.Tensor:
        """Attention's mean of `values` (…, all keys, width): (heads, queries, width)."""
        return self.weights @ values[..., self.keys, :].to(self.weights) / self.total

    def entropy(self) -> torch.Tensor:
        """Of the distribution over tokens, nats: (heads, queries)."""
        mean_score = (self.weights * self.scores).sum(-1, keepdim=True) / self.tokens
        return (self.tokens.log() - mean_score)[..., 0]

    def distance(self) -> torch.Tensor:
        """How many tokens back the distribution over tokens lies on average: (heads, queries)."""
        span = self.keys.stop - self.keys.start
        # Counted back from the last key, not forth from the first: near keys then keep their digits.
        back = torch.arange(span - 1, -1, -1, dtype=self.weights.dtype, device=self.weights.device)
        ahead = self.keys.stop - 1 - torch.arange(self.queries.start, self.queries.stop, device=back.device)
        return (self.weights @ back[:, None] / self.tokens)[..., 0] - ahead


@dataclass(frozen=True)
class Scoring:
    """How a family turns q·k into scores.

    `scale` of the products; `softcap`: the value that tanh bends scores to; `sinks`: (heads,) scores of a place that is
    no token; `mask`: boolean or additive (1 or heads, queries, keys), or None with `causal` telling whether queries see
    only what stands before them.
    """

    scale: float
    softcap: float | None = None
    sinks: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    causal: bool = True


def strips(query: torch.Tensor, key: torch.Tensor, how: Scoring) -> Iterator[Strip]:
    """The attention matrix of `query` and `key` (heads, tokens, width), strip by strip, in float32."""
    query, key = query.float() * how.scale, key.float().transpose(-1, -2)
    for heads, queries in _tiling(query.shape[0], query.shape[1], query.device):
        keys = _visible(how, queries, key.shape[-1])
        scores = query[heads, queries] @ key[heads, :, keys]
        if how.softcap is not None:
            scores = torch.tanh(scores / how.softcap) * how.softcap
        _hide(scores, how, heads, queries, keys)
        yield _strip(scores, None if how.sinks is None else how.sinks[heads], heads, queries, keys)


def strip_of(matrix: torch.Tensor) -> Strip:
    """A whole attention matrix (heads, queries, keys) that a model has written out, as one strip."""
    heads, queries, keys = (slice(0, n) for n in matrix.shape)
    weights = matrix.float()
    tokens = weights.sum(-1, keepdim=True)
    return Strip(heads, queries, keys, weights.log().clamp(min=HIDDEN), weights, tokens, torch.ones_like(tokens))


def _tiling(heads: int, tokens: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Strips that stay in a CPU's cache, or that are large enough to fill an accelerator."""
    budget = 2**18 if device.type == "cpu" else 2**26
    rows = min(tokens, max(16, budget // tokens))
    some = min(heads, max(1, budget // (rows * tokens)))
    for head in range(0, heads, some):
        for row in range(0, tokens, rows):
            yield slice(head, min(heads, head + some)), slice(row, min(tokens, row + rows))


def _visible(how: Scoring, queries: slice, tokens: int) -> slice:
    """The range of keys that any of these queries may see."""
    if how.mask is None:
        return slice(0, queries.stop if how.causal else tokens)
    seen = _allowed(how.mask[:, queries]).flatten(0, 1).any(0).nonzero()
    return slice(int(seen[0]), int(seen[-1]) + 1)


def _allowed(mask: torch.Tensor) -> torch.Tensor:
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def _hide(scores: torch.Tensor, how: Scoring, heads: slice, queries: slice, keys: slice) -> None:
    """Mask the scores in place."""
    if how.mask is None:
        if how.causal:
            corner = scores[..., queries.start :]
            corner.masked_fill_(torch.ones(corner.shape[-2:], dtype=torch.bool, device=scores.device).triu_(1), HIDDEN)
        return
    mask = how.mask[heads if how.mask.shape[0] > 1 else slice(None), queries, keys]
    if mask.dtype != torch.bool:
        scores += mask
    scores.masked_fill_(~_allowed(mask), HIDDEN)


def _strip(scores: torch.Tensor, sinks: torch.Tensor | None, heads: slice, queries: slice, keys: slice) -> Strip:
    largest = scores.amax(-1, keepdim=True)
    scores -= largest
    weights = scores.exp()
    tokens = weights.sum(-1, keepdim=True)
    # A sink far above every token overflows to infinity here, and leaves them the nothing that they get.
    total = tokens if sinks is None else tokens + (sinks.float()[:, None, None] - largest).exp()
    return Strip(heads, queries, keys, scores, weights, tokens, total)
