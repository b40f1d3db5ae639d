"""How far apart two rates are, and how many times one is the other, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xllm_widgets.exam.scoring import Result

RESAMPLES = 2000


def paired_drop(before: Sequence[bool], after: Sequence[bool], seed: int = 0) -> Result:
    """Share right before minus share right after, of the same items; bootstrap over the items."""
    from xllm_widgets.studies.statistics import bootstrap_mean

    return bootstrap_mean(np.asarray(before, dtype=float) - np.asarray(after, dtype=float), seed=seed)


def ratio(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> Result:
    """Share of hits in the first divided by that in the second; half a hit is added to each, so that none is 0.

    NaN where either has no items.
    """
    if not len(first) or not len(second):
        return Result(float("nan"), float("nan"), float("nan"), 0)
    a, b = ((_resampled(each, seed + i) * len(each) + 0.5) / (len(each) + 1) for i, each in enumerate((first, second)))
    exact = [(sum(map(bool, each)) + 0.5) / (len(each) + 1) for each in (first, second)]
    return _result(exact[0] / exact[1], a / b, len(first) + len(second))


def _resampled(hits: Sequence[bool], seed: int) -> np.ndarray:
    """The share of hits in each of `RESAMPLES` bootstrap samples."""
    return np.random.default_rng(seed).binomial(len(hits), float(np.mean(hits)), RESAMPLES) / len(hits)


def _result(estimate: float, resampled: np.ndarray, n: int) -> Result:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Result(estimate, min(float(low), estimate), max(float(high), estimate), n)
