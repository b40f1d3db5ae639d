"""A linear map from activations to numbers (coordinates, years), judged on items that it was not fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np

from xllm_widgets.errors import XllmError

FOLDS = 5
ALPHAS = tuple(10.0**power for power in range(-2, 6))
RESAMPLES = 1000


def held_out_predictions(X, targets, *, groups=None, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Predictions (items, targets) of each item by a ridge regression that never saw it.

    `X` (items, width), `targets` (items,) or (items, targets). With `groups` (items,), never saw any item of its group
    either (a whole country held out). The penalty is chosen within the training folds, by leave-one-out.
    Raises XllmError for fewer items or groups than folds.
    """
    X, targets = np.asarray(X, dtype=float), np.asarray(targets, dtype=float)
    targets = targets[:, None] if targets.ndim == 1 else targets
    predicted = np.zeros_like(targets)
    for train, test in splits(len(X), groups=groups, folds=folds, seed=seed):
        fitted = ridge(X[train], targets[train])
        predicted[test] = np.asarray(fitted.predict(X[test])).reshape(len(test), -1)
    return predicted


def splits(n: int, *, groups=None, folds: int = FOLDS, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train, test) item numbers of each fold, shuffled by `seed`; groups stay together where they are given."""
    names, kind = np.unique(np.arange(n) if groups is None else np.asarray(groups), return_inverse=True)
    if len(names) < folds:
        what = "items" if groups is None else "groups"
        raise XllmError(f"{len(names)} {what} cannot be held out in {folds} turns; give more, or lower folds.")
    fold_of = np.random.default_rng(seed).permutation(len(names)) % folds
    parts = fold_of[kind]
    return [(np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)) for fold in range(folds)]


def ridge(X, targets) -> Any:
    """A fitted scikit-learn pipeline: standardised columns, ridge regression, its penalty chosen from ALPHAS."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(np.asarray(X, dtype=float), targets)


def direction_of(fitted: Any) -> np.ndarray:
    """The fitted map's directions in the units of X: (targets, width)."""
    return np.atleast_2d(fitted[-1].coef_) / fitted[0].scale_


def r_squared(truth, predicted) -> float:
    """1 - squared error / variance of the truth, over items and (where there are several) targets together.

    1 is perfect, 0 what always saying the mean would score, below 0 worse than that.
    """
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())


def r_squared_interval(truth, predicted, *, seed: int = 0) -> tuple[float, float, float, int]:
    """R² of one target with its 95 % interval, a percentile bootstrap over the items: (estimate, low, high, n)."""
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    picks = np.random.default_rng(seed).integers(len(truth), size=(RESAMPLES, len(truth)))
    t, p = truth[picks], predicted[picks]
    values = 1 - ((t - p) ** 2).sum(1) / ((t - t.mean(1, keepdims=True)) ** 2).sum(1)
    estimate, (low, high) = r_squared(truth, predicted), np.quantile(values, (0.025, 0.975))
    return estimate, min(float(low), estimate), max(float(high), estimate), len(truth)


def proximity_error(truth, predicted) -> float:
    """How crowded is the map: the mean share of other items' predictions nearer to an item's truth than its own.

    0 where every prediction is the nearest to its own place, about 0.5 by chance (Gurnee & Tegmark, 2023).
    `truth`, `predicted`: (items, targets), or (items,) for one target.
    """
    truth, predicted = (np.asarray(a, dtype=float).reshape(len(a), -1) for a in (truth, predicted))
    distance = np.linalg.norm(truth[:, None] - predicted[None], axis=-1)
    nearer = distance < np.diag(distance)[:, None]
    return float(nearer.sum() / (len(truth) * max(1, len(truth) - 1)))
