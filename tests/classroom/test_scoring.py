"""Brier score, Wilson's interval and the reliability table, beside scipy and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xllm_widgets.classroom.scoring import Bin, brier, reliability, wilson
from xllm_widgets.errors import XllmError

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def test_brier_by_hand() -> None:
    assert brier([1.0, 0.0], [True, False]) == 0
    assert brier([1.0], [False]) == 1
    assert brier([0.5, 0.8], [True, False]) == pytest.approx((0.25 + 0.64) / 2)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    theirs = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(PAIRS, st.integers(1, 12))
def test_the_bins_hold_every_prediction_once(pairs: list[tuple[float, bool]], bins: int) -> None:
    sure, hit = zip(*pairs, strict=True)
    rows = reliability(sure, hit, bins)
    n = sum(row.n for row in rows)
    assert n == len(pairs)
    assert sum(row.n * row.right for row in rows) == pytest.approx(sum(hit))
    assert sum(row.n * row.confidence for row in rows) == pytest.approx(sum(sure))
    assert all(row.low <= row.right <= row.high for row in rows)
    assert [row.confidence for row in rows] == sorted(row.confidence for row in rows)


def test_a_confidence_on_an_edge_belongs_to_the_upper_bin() -> None:
    assert [row.n for row in reliability([0.59, 0.6, 0.79], [True] * 3)] == [1, 2]
    assert [row.n for row in reliability([0.8, 1.0], [True] * 2)] == [2]
    (row,) = reliability([0.7, 0.7, 0.7, 0.7], [True, True, True, False])
    assert row == Bin(4, pytest.approx(0.7), 0.75, pytest.approx(0.3006, abs=1e-4), pytest.approx(0.9544, abs=1e-4))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: brier([], []), "at least one"),
        (lambda: brier([0.5, 0.6], [True]), "one confidence for each outcome"),
        (lambda: brier([80], [True]), "80 % sure is 0.8"),
        (lambda: brier([float("nan")], [True]), "80 % sure is 0.8"),
        (lambda: reliability([0.5], [True], bins=0), "one bin or more"),
        (lambda: wilson(0, 0), "at least one prediction"),
        (lambda: wilson(3, 2), "no more right than there are"),
    ],
)
def test_what_has_no_score_is_refused(use, said: str) -> None:
    with pytest.raises(XllmError, match=said):
        use()
