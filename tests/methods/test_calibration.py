"""Calibration agrees with scikit-learn where it has the same, and with the obvious loop where it has not."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from xllm_widgets.errors import XllmError
from xllm_widgets.methods.calibration import auroc, brier, ece, reliability
from xllm_widgets.studies.statistics import wilson


def answers(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences in steps of 0.05, so that many lie on the edge of a bin; the surer, the more often right."""
    rng = np.random.default_rng(seed)
    sure = rng.integers(0, 21, n) / 20
    return sure, rng.random(n) < 0.2 + 0.6 * sure


def ece_by_hand(sure, right, bins) -> float:
    total = 0.0
    for i in range(bins):
        inside = [j for j in range(len(sure)) if i / bins < sure[j] <= (i + 1) / bins or (i == 0 and sure[j] == 0)]
        if inside:
            gap = sum(right[j] for j in inside) / len(inside) - sum(sure[j] for j in inside) / len(inside)
            total += len(inside) / len(sure) * abs(gap)
    return total


@pytest.mark.parametrize("bins", [1, 2, 7, 10, 20])
@pytest.mark.parametrize("seed", range(3))
def test_ece_is_what_the_loop_says(bins, seed) -> None:
    sure, right = answers(seed=seed)
    assert ece(sure, right, bins) == pytest.approx(ece_by_hand(sure, right, bins), abs=1e-12)


def test_brier_and_auroc_are_scikit_learns() -> None:
    sure, right = answers()
    assert brier(sure, right) == pytest.approx(brier_score_loss(right, sure))
    assert auroc(sure, right) == pytest.approx(roc_auc_score(right, sure))
    assert auroc(np.log(sure + 1e-9), right) == pytest.approx(auroc(sure, right)), "any score in the same order"


def test_the_bins_are_those_of_scikit_learn() -> None:
    sure, right = np.random.default_rng(1).random(500), np.random.default_rng(2).random(500) < 0.5
    accuracy, confidence = calibration_curve(right, sure, n_bins=10)
    bins = reliability(sure, right)["bins"]
    assert [b["accuracy"] for b in bins] == pytest.approx(accuracy)
    assert [b["confidence"] for b in bins] == pytest.approx(confidence)
    assert sum(b["n"] for b in bins) == 500


def test_each_bin_carries_wilsons_interval_and_an_empty_one_nothing() -> None:
    bins = reliability([0.72, 0.75, 0.8, 0.1], [1, 1, 0, 0], bins=5)["bins"]
    assert bins[3] | {"interval": None} == {
        "low": 0.6, "high": 0.8, "n": 3, "confidence": pytest.approx(2.27 / 3), "accuracy": pytest.approx(2 / 3),
        "interval": None,
    }  # fmt: skip
    assert tuple(bins[3]["interval"]) == pytest.approx(wilson(2, 3)[1:3])
    assert bins[4] == {"low": 0.8, "high": 1.0, "n": 0, "confidence": None, "accuracy": None, "interval": []}


def test_perfect_and_hopeless() -> None:
    perfect = reliability([1, 1, 0], [1, 1, 0])
    assert (perfect["ece"], perfect["brier"], perfect["auroc"]) == (0, 0, 1)
    assert reliability([1, 1], [0, 0])["ece"] == 1
    assert reliability([1, 1], [0, 0])["auroc"] is None


@pytest.mark.parametrize(
    ("sure", "right", "said"),
    [
        ([0.5], [1, 0], "two lists of one length"),
        ([], [], "two lists of one length"),
        ([50.0], [1], "divide percentages by 100"),
        ([0.5], [2], "right .1. or wrong .0."),
        ([float("nan")], [1], "missing"),
    ],
)
def test_what_is_no_confidence_is_refused(sure, right, said) -> None:
    for measure in (ece, brier, reliability):
        with pytest.raises(XllmError, match=said):
            measure(sure, right)


def test_one_sided_answers_have_no_auroc_and_no_bins_no_ece() -> None:
    with pytest.raises(XllmError, match="at least one of each"):
        auroc([0.2, 0.9], [1, 1])
    with pytest.raises(XllmError, match="one or more"):
        ece([0.2], [1], bins=0)
