"""How sure are we? Intervals and tests that more than one study uses; scipy does the arithmetic where it can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """An estimate with its 95 % interval and the number of items behind it."""

    estimate: float
    low: float
    high: float
    n: int


class SignTest(NamedTuple):
    """How many paired differences rose and fell, and the two-sided p of that split under a fair coin (ties dropped)."""

    rose: int
    fell: int
    ties: int
    p: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a proportion: honest near 0 and 1, where mean ± 2 standard errors is not (Wilson, 1927)."""
    if n < 1:
        return Interval(float("nan"), 0.0, 1.0, 0)
    low, high = stats.binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(successes / n, float(low), float(high), int(n))


def bootstrap_mean(values, *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> Interval:
    """The mean of `values` (items,) or (items, draws), with a percentile bootstrap over items and over draws.

    Items and demonstration draws (or training seeds) are resampled independently, because both were sampled: an
    interval over items alone would pretend that the three draws at hand are all draws there are. n counts items.
    """
    table = np.asarray(values, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    items, draws = table.shape
    rng = np.random.default_rng(seed)
    item_weights = rng.multinomial(items, np.full(items, 1 / items), size=resamples) / items
    draw_weights = rng.multinomial(draws, np.full(draws, 1 / draws), size=resamples) / draws
    means = ((item_weights @ table) * draw_weights).sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(table.mean()), float(low), float(high), items)


def proportion(hits, *, seed: int = 0) -> Interval:
    """The share of hits in a 0/1 array (items,) or (items, draws): the wider of the bootstrap and Wilson's interval.

    The bootstrap alone collapses to a point when every item is a hit; Wilson alone ignores the draws. Wilson is taken
    over items, not items × draws: repeated looks at one item are not new items.
    """
    table = np.asarray(hits, dtype=float)
    boot = bootstrap_mean(table, seed=seed)
    score = wilson(round(boot.estimate * boot.n), boot.n)
    low, high = min(boot.low, score.low), max(boot.high, score.high)
    return Interval(boot.estimate, max(0.0, min(low, boot.estimate)), min(1.0, max(high, boot.estimate)), boot.n)


def over_seeds(intervals: Sequence[Interval], *, confidence: float = 0.95) -> Interval:
    """One interval from the intervals of several seeds; the seeds are what was sampled. n adds up.

    Student's t over the seeds' estimates: with few seeds it is wide, where a bootstrap over three values would pretend
    to know their spread. Seeds that happen to agree (all at 100 %) would make it a point, so it is never narrower than
    the seeds' own intervals allow for a mean of so many. It may pass the end of a scale.
    """
    estimates, lows, highs = (np.array([getattr(i, part) for i in intervals]) for part in ("estimate", "low", "high"))
    k, mean = len(intervals), float(estimates.mean())
    spread = float(stats.t.ppf((1 + confidence) / 2, k - 1) * estimates.std(ddof=1) / k**0.5) if k > 1 else 0.0
    below, above = (float(np.sqrt(((estimates - ends) ** 2).sum())) / k for ends in (lows, highs))
    return Interval(mean, mean - max(spread, below), mean + max(spread, above), sum(i.n for i in intervals))


def sign_test(differences) -> SignTest:
    """Do paired differences (items,) rise more often than they fall? Exact binomial, two-sided, ties dropped."""
    differences = np.asarray(differences, dtype=float)
    rose, fell = int((differences > 0).sum()), int((differences < 0).sum())
    p = stats.binomtest(rose, rose + fell).pvalue if rose + fell else 1.0
    return SignTest(rose, fell, len(differences) - rose - fell, float(p))


def mcnemar(first, second) -> float:
    """Exact two-sided p that two models are right equally often on the same items; 0/1 arrays (items,)."""
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def spearman(x, y) -> float:
    """Spearman's rank correlation of two vectors; 0 where one does not vary (there is no order to agree with)."""
    return float(_rank_correlations(np.asarray(x, dtype=float)[None], np.asarray(y, dtype=float)[None])[0])


def spearman_interval(x, y, *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Spearman's rank correlation with a percentile bootstrap over the paired rows (here: trained models)."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    picks = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    low, high = np.quantile(_rank_correlations(x[picks], y[picks]), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(spearman(x, y), float(low), float(high), len(x))


def spearman_p(x, y, *, resamples: int = 5000, seed: int = 0) -> float:
    """One-sided permutation p: how often shuffled sizes agree with the outcome at least as well as the real ones."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    shuffled = np.random.default_rng(seed).permuted(np.tile(x, (resamples, 1)), axis=1)
    as_good = _rank_correlations(shuffled, np.broadcast_to(y, shuffled.shape)) >= spearman(x, y) - 1e-12
    return float((1 + as_good.sum()) / (1 + resamples))


def _rank_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Row by row, (rows, n) and (rows, n) → (rows,): Pearson's correlation of the ranks, 0 where a row is constant."""
    a, b = (stats.rankdata(rows, axis=1) - (rows.shape[1] + 1) / 2 for rows in (x, y))
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), size, out=np.zeros(len(size)), where=size > 0)
