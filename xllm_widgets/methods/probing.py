"""Reading a property off activations: directions, ridge maps, and the nulls that a reading has to survive.

Everything here is a function of plain arrays, `X` (items, width) and `y` (items,), so it runs on anyone's numbers. A
direction is an array (width,); an item's score is its projection on it. What a direction finds is only that the
property is *there*; whether the model uses it is for `methods.steering` to show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from xllm_widgets.errors import XllmError

Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mass_mean(X, y, *, tilt: bool = False) -> np.ndarray:
    """The difference of the two class means, mean(X[y = 1]) - mean(X[y = 0]): (width,) (Marks & Tegmark, 2023).

    With `tilt`, multiplied by the inverse of the covariance within the classes: the best direction for items like
    those it was fitted on (linear discriminant analysis), where the plain difference is the one to steer along. The
    covariance is shrunk towards a multiple of the identity (Ledoit & Wolf), because items are often fewer than the
    width. Raises XllmError unless both classes occur.
    """
    X, y = _checked(X, y)
    theta = X[y].mean(0) - X[~y].mean(0)
    if not tilt:
        return theta
    from sklearn.covariance import LedoitWolf

    within = np.concatenate([X[y] - X[y].mean(0), X[~y] - X[~y].mean(0)])
    covariance = LedoitWolf(assume_centered=True).fit(within).covariance_
    floor = 1e-6 * np.trace(covariance) / len(theta) or 1.0  # items without any spread leave the plain difference
    return np.linalg.solve(covariance + floor * np.eye(len(theta)), theta)


def logistic(X, y, *, C: float = 1.0) -> np.ndarray:
    """The direction of a logistic regression on centred data, without intercept: (width,), in the units of X.

    Columns are brought to unit variance for the fit, so that one `C` (inverse of the L2 penalty) suits every layer.
    """
    from sklearn.linear_model import LogisticRegression

    X, y = _checked(X, y)
    spread = X.std(0) + 1e-8
    fit = LogisticRegression(C=C, fit_intercept=False, max_iter=1000).fit((X - X.mean(0)) / spread, y)
    return fit.coef_[0] / spread


def difference_pca(positive, negative) -> np.ndarray:
    """The axis along which paired activations differ most: (width,), unit length (linear artificial tomography, LAT).

    `positive`, `negative` (pairs, width): row i of each is one pair. The axis is the first principal component of the
    differences, each taken in both orders: centring the differences in one order alone would take away just what the
    pairs have in common, the concept. Labels decide the sign alone (Zou et al., 2023).
    """
    positive, negative = _paired(positive, negative)
    difference = positive - negative
    axis = np.linalg.svd(difference, full_matrices=False)[2][0]
    return axis if (difference @ axis).mean() >= 0 else -axis


def ccs(statements, negations, y=None, *, restarts: int = 10, seed: int = 0) -> np.ndarray:
    """Contrast-consistent search: the direction along which statement and negation disagree, without labels.

    `statements`, `negations` (pairs, width) are each centred, so that the negation's wording itself is no clue. The
    loss (p⁺ - (1 - p⁻))² + min(p⁺, p⁻)² is lowered from `restarts` random starts, the best kept (Burns et al., 2022).
    `y` (pairs,), whether the statements are true, decides the sign alone. Gives (width,), unit length.
    """
    from scipy.optimize import minimize

    pairs = [side - side.mean(0) for side in _paired(statements, negations)]
    scale = np.sqrt(np.mean([np.square(side).sum(1).mean() for side in pairs])) or 1.0
    a, b = (side / scale for side in pairs)
    rng, best, least = np.random.default_rng(seed), np.zeros(a.shape[1]), np.inf
    for _ in range(restarts):
        start = np.append(rng.normal(size=a.shape[1]), 0.0)
        found = minimize(_ccs_loss, start, args=(a, b), jac=True, method="L-BFGS-B", options={"maxiter": 300})
        if found.fun < least:
            best, least = found.x[:-1], found.fun
    direction = best / (np.linalg.norm(best) or 1.0)
    agrees = y is None or ((a - b) @ direction * np.where(np.asarray(y, dtype=bool), 1, -1)).sum() >= 0
    return direction if agrees else -direction


def _ccs_loss(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss and gradient; the last weight is the offset."""
    from scipy.special import expit

    p, q = (expit(side @ weights[:-1] + weights[-1]) for side in (a, b))
    gap, least = p + q - 1, np.minimum(p, q)
    in_p = (2 * gap + 2 * least * (p <= q)) * p * (1 - p) / len(p)
    in_q = (2 * gap + 2 * least * (p > q)) * q * (1 - q) / len(p)
    return float((gap**2 + least**2).mean()), np.append(in_p @ a + in_q @ b, in_p.sum() + in_q.sum())


def accuracy(direction, X, y, *, centre=None) -> float:
    """The share of items on the right side of `centre`, the point (width,) that separates the sides; default: X's mean.

    Centring each data set on its own mean (the default) uses no labels, but it does suppose that about half are true.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=bool)
    above = (X - (X.mean(0) if centre is None else centre)) @ np.asarray(direction) > 0
    return float((above == y).mean())


class Selectivity(NamedTuple):
    """Held-out accuracy with the real labels, and the mean of it with labels shuffled before the fit."""

    accuracy: float
    control: float

    @property
    def selectivity(self) -> float:
        """What the probe found beyond what it can make of any labels (Hewitt & Liang, 2019)."""
        return self.accuracy - self.control


def selectivity(
    X, y, X_held_out, y_held_out, *, fit: Fit = mass_mean, shuffles: int = 10, seed: int = 0
) -> Selectivity:
    """Fit on (X, y), judge on the held-out items; then again with `y` shuffled, `shuffles` times."""
    rng = np.random.default_rng(seed)
    nulls = [accuracy(fit(X, rng.permutation(y)), X_held_out, y_held_out) for _ in range(shuffles)]
    return Selectivity(accuracy(fit(X, y), X_held_out, y_held_out), float(np.mean(nulls)))


def cosines(vectors, direction) -> np.ndarray:
    """Cosine of each of `vectors` (..., width) with `direction` (width,); 0 for a vector of length zero."""
    vectors, direction = np.asarray(vectors, dtype=float), np.asarray(direction, dtype=float)
    lengths = np.linalg.norm(vectors, axis=-1) * np.linalg.norm(direction)
    return np.divide(vectors @ direction, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _checked(X, y) -> tuple[np.ndarray, np.ndarray]:
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    if X.ndim != 2 or y.shape != (len(X),):
        raise XllmError(f"A probe needs X (items, width) and y (items,); these have shapes {X.shape} and {y.shape}.")
    y = y.astype(bool)
    if y.all() or not y.any():
        raise XllmError("A probe needs items of both classes; all of these have the same label.")
    return X, y


def _paired(first, second) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.ndim != 2 or first.shape != second.shape or not len(first):
        raise XllmError(f"Pairs need two arrays (pairs, width) alike; these have shapes {first.shape}, {second.shape}.")
    return first, second
