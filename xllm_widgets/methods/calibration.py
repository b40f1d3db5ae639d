"""Does a confidence mean what it says? Plain functions on arrays: a model's numbers, a student's, anyone's.

Everywhere `confidence` has shape (items,), the stated probability of being right, 0 … 1, and `correct` has shape
(items,), 1 or True where the answer was right. XllmError, in one sentence, for arrays that are not that.
"""

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from xllm_widgets.errors import XllmError


class Bin(TypedDict):
    """The items whose confidence lies in (low, high]; 0 belongs to the first bin. None where there is no item.

    `confidence` is the mean stated, `accuracy` the share right, `interval` Wilson's 95 % interval of that share.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    interval: list[float]


class Reliability(TypedDict):
    """One reliability diagram as plain data; `auroc` is None where all answers were right, or all wrong."""

    n: int
    confidence: float
    accuracy: float
    ece: float
    brier: float
    auroc: float | None
    bins: list[Bin]


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> Reliability:
    """Of the answers given with 70 to 80 % confidence, were 70 to 80 % right? Everything the diagram shows.

    The bins are equally wide. Naeini et al. (2015); drawn as in Guo et al. (2017).
    """
    sure, right = _checked(confidence, correct)
    discerns = None if right.all() or not right.any() else auroc(sure, right)
    return {
        "n": len(sure), "confidence": float(sure.mean()), "accuracy": float(right.mean()),
        "ece": ece(sure, right, bins), "brier": brier(sure, right), "auroc": discerns, "bins": _bins(sure, right, bins),
    }  # fmt: skip


def ece(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> float:
    """How far is confidence from accuracy, on average? Expected calibration error, 0 … 1 (Naeini et al., 2015).

    Σ over bins of (items in the bin / all items) · |share right − mean confidence|.
    """
    sure, right = _checked(confidence, correct)
    place = _places(sure, bins)
    excess = np.bincount(place, right - sure, minlength=bins)
    return float(np.abs(excess).sum() / len(sure))


def brier(confidence: ArrayLike, correct: ArrayLike) -> float:
    """How far is each confidence from what came out? Mean of (confidence − correct)², 0 … 1 (Brier, 1950)."""
    sure, right = _checked(confidence, correct)
    return float(np.mean((sure - right) ** 2))


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """How often is a right answer given with more confidence than a wrong one? Ties count half; 0.5 is chance.

    Any score will do, it need not be a probability. Raises XllmError where all answers are right, or all wrong.
    """
    scores, right = _arrays(confidence, correct)
    hits = int(right.sum())
    misses = len(right) - hits
    if not hits or not misses:
        raise XllmError("AUROC compares right answers with wrong ones: give at least one of each.")
    ranks = stats.rankdata(scores)
    return float((ranks[right == 1].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _bins(sure: NDArray[np.float64], right: NDArray[np.float64], bins: int) -> list[Bin]:
    place = _places(sure, bins)
    return [_bin(i / bins, (i + 1) / bins, sure[place == i], right[place == i]) for i in range(bins)]


def _bin(low: float, high: float, sure: NDArray[np.float64], right: NDArray[np.float64]) -> Bin:
    n = len(sure)
    if not n:
        return {"low": low, "high": high, "n": 0, "confidence": None, "accuracy": None, "interval": []}
    ends = stats.binomtest(int(right.sum()), n).proportion_ci(method="wilson")
    return {
        "low": low, "high": high, "n": n, "confidence": float(sure.mean()), "accuracy": float(right.mean()),
        "interval": [float(ends.low), float(ends.high)],
    }  # fmt: skip


def _places(sure: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """The bin of each item: 0.3 of ten bins lies in (0.2, 0.3]."""
    if bins < 1:
        raise XllmError(f"{bins} bins hold nothing: ask for one or more.")
    return np.searchsorted(np.arange(1, bins) / bins, sure)


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sure, right = _arrays(confidence, correct)
    if not ((sure >= 0) & (sure <= 1)).all():
        raise XllmError("A confidence is a probability from 0 to 1: divide percentages by 100, drop what is missing.")
    return sure, right


def _arrays(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sure, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if sure.ndim != 1 or sure.shape != right.shape or not sure.size:
        raise XllmError(f"Confidence and correct are two lists of one length, not {sure.shape} and {right.shape}.")
    if not np.isin(right, (0, 1)).all():
        raise XllmError("An answer is right (1) or wrong (0): `correct` holds something else.")
    if np.isnan(sure).any():
        raise XllmError("A confidence is missing (not a number): drop those items first.")
    return sure, right
