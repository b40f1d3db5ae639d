"""How good is someone's confidence? The Brier score and the reliability table, on plain arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xllm_widgets.errors import XllmError

Z_95 = 1.959963984540054  # the middle 95 % of a normal distribution lie within so many standard deviations


class Bin(NamedTuple):
    """Predictions of similar confidence. All but n are shares; low to high is the 95 % interval of `right`."""

    n: int
    confidence: float
    right: float
    low: float
    high: float


def brier(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """How far was the confidence from what came out? Mean of (confidence − correct)², 0 best, 1 worst (Brier, 1950).

    confidence: shares (predictions,); correct: booleans (predictions,). Raises XllmError for none, for confidences
    outside 0 … 1 and for unequal numbers of both.
    """
    sure, hit = _checked(confidence, correct)
    return float(np.mean((sure - hit) ** 2))


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of the share `right` out of `n`, as shares: honest near 0 and 1 (Wilson, 1927).

    Raises XllmError for n < 1 and for more right than there are.
    """
    if not 0 <= right <= n or n < 1:
        raise XllmError(f"{right} of {n} is no share: give at least one prediction, and no more right than there are.")
    share, spread = right / n, Z_95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def reliability(confidence: Sequence[float], correct: Sequence[bool], bins: int = 5) -> list[Bin]:
    """When you say 80 %, are you right in 80 of 100? One row for each occupied bin of confidence, lowest first.

    The bins cut 0 … 1 into equal parts; a confidence on an edge belongs to the upper one, 1 to the last. Raises as
    `brier` does, and for fewer than one bin.
    """
    if bins < 1:
        raise XllmError(f"A reliability table needs one bin or more, not {bins}.")
    sure, hit = _checked(confidence, correct)
    place = np.minimum(np.floor(sure * bins + 1e-9), bins - 1)
    return [_row(sure[place == each], hit[place == each]) for each in np.unique(place)]


def _row(sure: np.ndarray, hit: np.ndarray) -> Bin:
    return Bin(len(hit), float(sure.mean()), float(hit.mean()), *wilson(int(hit.sum()), len(hit)))


def _checked(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    sure, hit = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if sure.shape != hit.shape or sure.ndim != 1 or not sure.size:
        raise XllmError(f"Give one confidence for each outcome, at least one: not {sure.size} for {hit.size}.")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise XllmError("A confidence is a share between 0 and 1: 80 % sure is 0.8.")
    return sure, hit
