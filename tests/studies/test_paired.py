"""Intervals of differences cover what they should, and do not collapse where every item agrees."""

import numpy as np
import pytest
from scipy import stats

from xllm_widgets.studies.paired import (
    difference,
    newcombe_pairs,
    paired_difference,
    size_of,
    weighted_difference,
)
from xllm_widgets.studies.statistics import Interval


def test_independent_shares_against_the_published_example():
    """Newcombe (1998), table II, case (a): 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    low = difference([True] * 48 + [False] * 32, [True] * 56 + [False] * 14)
    assert low.estimate == pytest.approx(0.2)
    assert (low.low, low.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_pairs_cover_the_truth():
    rng, covered, runs = np.random.default_rng(0), 0, 200
    for _ in range(runs):
        skill = rng.random((40, 1))  # items differ in difficulty, so pairs agree more often than chance
        draw = rng.random((40, 2))
        hits = draw < np.clip(skill + np.array([[0.0, 0.2]]), 0, 1)
        found = newcombe_pairs(hits[:, 0], hits[:, 1])
        truth = float(np.mean([min(s + 0.2, 1) - s for s in np.linspace(0, 1, 1001)]))
        covered += found.low <= truth <= found.high
    assert covered / runs > 0.93


def test_agreement_is_no_certainty():
    always, never = np.ones(20), np.zeros(20)
    assert paired_difference(never, always).low < 0.9
    same = paired_difference(always, always)
    assert same.low < 0 < same.high
    assert weighted_difference(0.8, always, always).low < 0.2
    assert paired_difference(np.tile(never[:, None], 5), np.tile(always[:, None], 5)).low < 0.9


def test_pairing_narrows_what_agrees():
    first = np.tile([0, 1], 25)
    second = first.copy()
    second[:4] = 1
    together, apart = newcombe_pairs(first, second), difference(first, second)
    assert together.estimate == pytest.approx(apart.estimate)
    assert together.high - together.low < 0.8 * (apart.high - apart.low)
    assert stats.binomtest(2, 2).pvalue > 0.05
    assert together.low < 0.02


def test_the_size_of_a_change():
    assert size_of(Interval(-0.1, -0.3, 0.05, 9)) == Interval(0.1, 0.0, 0.3, 9)
    assert size_of(Interval(-0.2, -0.3, -0.1, 9)) == Interval(0.2, 0.1, 0.3, 9)
