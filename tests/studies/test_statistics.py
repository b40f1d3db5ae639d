"""Statistics against values that can be looked up or worked out on paper."""

import numpy as np
import pytest

from xllm_widgets.studies import statistics as st


def test_wilson_has_the_published_values():
    assert st.wilson(8, 10)[:3] == pytest.approx((0.8, 0.4901625, 0.9433178), abs=1e-6)
    assert st.wilson(0, 10)[:3] == pytest.approx((0, 0, 0.2775328), abs=1e-6)
    assert np.isnan(st.wilson(0, 0).estimate)


def test_a_sign_test_is_a_fair_coin():
    assert st.sign_test([-1.0] * 20) == (0, 20, 0, pytest.approx(2 * 0.5**20))
    assert st.sign_test([1, -1, 0, 0]) == (1, 1, 2, pytest.approx(1.0))
    assert st.sign_test([0.0]).p == 1.0


def test_mcnemar_looks_only_at_disagreements():
    first = [1] * 10 + [1] * 50 + [0] * 7
    second = [0] * 10 + [1] * 50 + [0] * 7
    assert st.mcnemar(first, second) == pytest.approx(2 * 0.5**10)
    assert st.mcnemar(second, first) == pytest.approx(2 * 0.5**10)
    assert st.mcnemar(first, first) == 1.0


def test_spearman_sees_order_only():
    assert st.spearman([1, 2, 3, 4], [1, 8, 27, 1e9]) == pytest.approx(1)
    assert st.spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207827)
    assert st.spearman([1, 2, 3], [5, 5, 5]) == 0.0


def test_permutations_of_four_sizes_give_p_of_one_in_twenty_four():
    assert st.spearman_p([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1 / 24, abs=0.01)
    assert st.spearman_p([1, 2, 3, 4], [4, 3, 2, 1]) == 1.0


def test_the_bootstrap_interval_of_normal_values_is_the_textbook_one():
    values = np.random.default_rng(0).normal(3, 2, size=400)
    interval = st.bootstrap_mean(values)
    half = 1.96 * values.std() / 20
    assert interval.estimate == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)
    assert interval.n == 400


def test_draws_that_disagree_widen_the_interval():
    agree = np.tile(np.arange(100)[:, None] % 2, (1, 3)).astype(float)
    disagree = np.zeros((100, 3))
    disagree[:, 0] = 1
    assert np.ptp(st.bootstrap_mean(disagree)[1:3]) > 2 * np.ptp(st.bootstrap_mean(agree)[1:3])


def test_a_perfect_score_is_not_certainty():
    perfect = st.proportion(np.ones((50, 3)))
    assert perfect == (1.0, pytest.approx(st.wilson(50, 50).low), 1.0, 50)
    assert perfect.low < 0.95
    assert st.proportion(np.zeros(50)).high > 0.05
