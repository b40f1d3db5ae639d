"""Differences of shares, with intervals that stay honest where every item agrees (a bootstrap alone would not)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xllm_widgets.studies.statistics import Interval, bootstrap_mean, wilson


def difference(first: Sequence[bool], second: Sequence[bool], confidence: float = 0.95) -> Interval:
    """Share of the second minus share of the first, two independent samples (Newcombe, 1998, method 10)."""
    a, b = (wilson(sum(map(bool, hits)), len(hits), confidence) for hits in (first, second))
    return _around(a, b, 0.0)


def paired_difference(first, second, *, seed: int = 0) -> Interval:
    """Share of the second minus share of the first over the same items: 0/1 arrays (items,) or (items, draws).

    The wider of a bootstrap over items and draws and Newcombe's interval for pairs (1998b, method 10), which counts
    items: repeated looks at one item are no new items.
    """
    first, second = (np.asarray(hits, dtype=float) for hits in (first, second))
    boot = bootstrap_mean(second - first, seed=seed)
    score = newcombe_pairs(first, second)
    low, high = min(boot.low, score.low, boot.estimate), max(boot.high, score.high, boot.estimate)
    return Interval(boot.estimate, max(-1.0, low), min(1.0, high), boot.n)


def weighted_difference(weight: float, first, second, *, seed: int = 0) -> Interval:
    """Share of the second minus `weight` times that of the first, same items: whether a part of it is kept.

    0/1 arrays (items,) or (items, draws). The wider of a bootstrap and of Wilson's intervals put together as if the
    two were independent (Zou & Donner, 2008), which errs on the wide side for pairs that agree.
    """
    first, second = (np.asarray(hits, dtype=float) for hits in (first, second))
    boot = bootstrap_mean(second - weight * first, seed=seed)
    a, b = (wilson(round(float(hits.mean()) * len(hits)), len(hits)) for hits in (first, second))
    below = float(np.hypot(b.estimate - b.low, weight * (a.high - a.estimate)))
    above = float(np.hypot(b.high - b.estimate, weight * (a.estimate - a.low)))
    return Interval(boot.estimate, min(boot.low, boot.estimate - below), max(boot.high, boot.estimate + above), boot.n)


def newcombe_pairs(first, second) -> Interval:
    """Newcombe's interval for the difference of two shares of the same items (1998b, method 10)."""
    first, second = (np.asarray(hits, dtype=float).reshape(len(hits), -1) for hits in (first, second))
    n, draws = first.shape
    both, neither = (first * second).sum() / draws, ((1 - first) * (1 - second)).sum() / draws
    only_first, only_second = (first * (1 - second)).sum() / draws, ((1 - first) * second).sum() / draws
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    cross = both * neither - only_first * only_second
    cross = max(cross - n / 2, 0.0) if cross > 0 else cross  # continuity correction
    phi = cross / np.sqrt(margins) if margins > 0 else 0.0
    a, b = (wilson(round(float(share) * n), n) for share in (first.mean(), second.mean()))
    return _around(a, b, float(phi))


def size_of(change: Interval) -> Interval:
    """The interval of |change|: what a claim that something hardly matters is about."""
    estimate, low, high, n = change
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Interval(abs(estimate), nearest, max(abs(low), abs(high)), n)


def _around(a: Interval, b: Interval, phi: float) -> Interval:
    """The difference b - a, with the parts of both Wilson intervals combined at correlation phi."""

    def combined(x: float, y: float) -> float:
        return float(np.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)))

    change = b.estimate - a.estimate
    below = combined(b.estimate - b.low, a.high - a.estimate)
    above = combined(b.high - b.estimate, a.estimate - a.low)
    return Interval(change, change - below, change + above, min(a.n, b.n))
