"""Claims and intervals of chapter 03, by the one rule (`evidence.judge`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim, judge

RESAMPLES = 2000


def claim(
    study: str, lm: Any, statement: str, interval: Sequence[float], threshold: float, *,
    null: float, control: float | None = None, seeds: int = 1, kind: str = "at least",
) -> Claim:  # fmt: skip
    """One sentence with its numbers (estimate, low, high, n) and its verdict; section and paper are the study's own."""
    from xllm_widgets.studies.registry import find

    info, (estimate, low, high, n) = find(study), interval
    verdict = judge(estimate, low, high, threshold=threshold, null=null, control=control, claim=kind)
    return Claim(study, info.section, info.paper, lm.name, statement, float(estimate), float(low), float(high), int(n),
                 seeds, threshold, control, verdict, null, kind)  # fmt: skip


def bootstrap(measure: Callable[..., float], *samples: Any, seed: int = 0) -> statistics.Interval:
    """`measure(*samples)` with a percentile bootstrap in which each sample (items, …) is drawn anew on its own.

    n counts the items of all samples. A measure that is not a number in more than one draw in twenty has no interval.
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    rng = np.random.default_rng(seed)
    values = [measure(*(a[rng.integers(len(a), size=len(a))] for a in arrays)) for _ in range(RESAMPLES)]
    estimate, n = float(measure(*arrays)), sum(map(len, arrays))
    if np.isnan(values).mean() > 0.05:
        return statistics.Interval(estimate, float("nan"), float("nan"), n)
    low, high = np.nanquantile(values, (0.025, 0.975))
    return statistics.Interval(estimate, min(float(low), estimate), max(float(high), estimate), n)
