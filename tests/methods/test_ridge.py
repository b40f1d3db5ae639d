"""Linear maps are judged on what they never saw; R² and proximity error against plain definitions."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from xllm_widgets.errors import XllmError
from xllm_widgets.methods import ridge


def world(n=120, width=8, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 2)) * 30
    return places @ rng.normal(size=(2, width)) + rng.normal(scale=noise, size=(n, width)), places


def test_a_linear_map_is_found_and_shuffled_targets_are_not():
    X, places = world()
    assert ridge.r_squared(places, ridge.held_out_predictions(X, places)) > 0.99
    shuffled = np.random.default_rng(1).permutation(places)
    assert ridge.r_squared(shuffled, ridge.held_out_predictions(X, shuffled)) < 0.1


def test_no_item_and_no_group_is_predicted_by_a_map_that_saw_it():
    groups = np.repeat(np.arange(12), 10)
    seen = np.zeros(120, dtype=int)
    for train, test in ridge.splits(120, groups=groups, seed=3):
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(120))
        seen[test] += 1
    assert (seen == 1).all()
    assert all(not set(a) & set(b) for a, b in ridge.splits(20))


def test_what_only_the_group_tells_is_not_predicted_for_a_new_group():
    groups = np.repeat(np.arange(20), 6)
    values = np.random.default_rng(0).normal(size=20)[groups]
    X = np.eye(20)[groups]
    assert ridge.r_squared(values, ridge.held_out_predictions(X, values)[:, 0]) > 0.9
    assert ridge.r_squared(values, ridge.held_out_predictions(X, values, groups=groups)[:, 0]) < 0.05


def test_r_squared_is_scikit_learns_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    predicted = truth + rng.normal(scale=0.5, size=50)
    estimate, low, high, n = ridge.r_squared_interval(truth, predicted)
    assert estimate == pytest.approx(r2_score(truth, predicted))
    assert low < estimate < high < 1
    assert n == 50


def test_the_directions_of_a_map_are_in_the_units_of_its_input():
    X, places = world(noise=0.01)
    fitted = ridge.ridge(X, places)
    directions = ridge.direction_of(fitted)
    difference = fitted.predict(X[:1]) - fitted.predict(X[1:2])
    np.testing.assert_allclose(directions @ (X[0] - X[1]), difference[0], rtol=1e-6)


def test_proximity_error_counts_who_is_nearer():
    truth = np.array([0.0, 10.0, 20.0])
    assert ridge.proximity_error(truth, truth) == 0
    assert ridge.proximity_error(truth, [20.0, 10.0, 0.0]) == pytest.approx(4 / 6)


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(XllmError, match=r"2 groups cannot be held out in 5 turns"):
        ridge.splits(10, groups=[0, 1] * 5)
