"""Where cities lie and when things happened, read off the activations by ridge regression (Gurnee & Tegmark, 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.exam.scoring import Result

if TYPE_CHECKING:
    from sklearn.linear_model import RidgeCV

FOLDS = 5
ALPHAS = tuple(10.0**power for power in range(-2, 5))
RESAMPLES = 1000


def measure_space(paper: Paper) -> Results:
    """R² of latitude and longitude of cities that the probe was not fitted on."""
    cities = paper.world.cities
    where = np.array([(city.latitude, city.longitude) for city in cities])
    return _measure(paper, [f"Seen from {city.name}" for city in cities], where, ("latitude", "longitude"))


def measure_time(paper: Paper) -> Results:
    """R² of the years of people, works and inventions that the probe was not fitted on."""
    events = paper.world.events
    when = np.array([[event.year] for event in events], dtype=float)
    return _measure(paper, [f"Compared with {event.phrase}" for event in events], when, ("year",))


def _measure(paper: Paper, prompts: Sequence[str], targets: np.ndarray, names: Sequence[str]) -> Results:
    x = paper.lm.activations(prompts, positions=-1)[:, :, 0]
    predicted = predict(x, targets, paper.seed)
    results = {name: r_squared(targets[:, i], predicted[:, i]) for i, name in enumerate(names)}
    shuffled = np.random.default_rng(paper.seed).permutation(targets)
    control = predict(x, shuffled, paper.seed)
    results |= {f"{name}, shuffled": r_squared(shuffled[:, i], control[:, i]) for i, name in enumerate(names)}
    return results


def predict(x: np.ndarray, targets: np.ndarray, seed: int = 0) -> np.ndarray:
    """Out-of-fold predictions (items, targets) from activations (items, layers, width).

    In each of five folds the layer is chosen on a quarter of the fold's training part, never on the items predicted.
    """
    from sklearn.model_selection import KFold

    predicted = np.zeros_like(targets, dtype=float)
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(x):
        layer = choose_layer(x[train], targets[train], seed)
        predicted[test] = _ridge(x[train, layer], targets[train]).predict(x[test, layer]).reshape(len(test), -1)
    return predicted


def choose_layer(x: np.ndarray, targets: np.ndarray, seed: int) -> int:
    """The layer that predicts best on a validation quarter when fitted on the other three."""
    from sklearn.model_selection import train_test_split

    fit, check = train_test_split(np.arange(len(x)), test_size=0.25, random_state=seed)
    scores = [_ridge(x[fit, k], targets[fit]).score(x[check, k], targets[check]) for k in range(x.shape[1])]
    return int(np.argmax(scores))


def _ridge(x: np.ndarray, targets: np.ndarray) -> RidgeCV:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(x, targets)


def r_squared(truth: np.ndarray, predicted: np.ndarray, seed: int = 0) -> Result:
    """1 − squared error / variance, with a percentile bootstrap over the items; at or below 0 where nothing is read."""
    picks = np.random.default_rng(seed).integers(len(truth), size=(RESAMPLES, len(truth)))
    t, p = truth[picks], predicted[picks]
    values = 1 - ((t - p) ** 2).sum(1) / ((t - t.mean(1, keepdims=True)) ** 2).sum(1)
    estimate = float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
    low, high = np.quantile(values, (0.025, 0.975))
    return Result(estimate, min(float(low), estimate), max(float(high), estimate), len(truth))
