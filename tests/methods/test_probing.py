"""Directions against scikit-learn and closed forms; every probe finds what was put in and nothing in noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from xllm_widgets.errors import XllmError
from xllm_widgets.methods import probing
from xllm_widgets.methods.probing import accuracy, ccs, cosines, difference_pca, logistic, mass_mean, selectivity

WIDTH = 6
CONCEPT = np.array([2.0, -1.0, 0.0, 0.0, 1.0, 0.0])


def told_apart(n=200, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    return rng.normal(scale=noise, size=(n, WIDTH)) + 5 + np.where(y, 1, -1)[:, None] * CONCEPT, y


def pairs(n=100, seed=0):
    """Statements and negations: truth along CONCEPT, the wording of the negation along the last axis, and a subject."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    subject = rng.normal(scale=0.3, size=(n, WIDTH))
    truth = np.where(y, 1, -1)[:, None] * CONCEPT
    wording = np.eye(WIDTH)[-1] * 3
    return subject + truth - wording, subject - truth + wording, y


def test_mass_mean_is_the_difference_of_means():
    X, y = np.array([[1.0, 0.0], [3.0, 2.0], [0.0, 0.0], [0.0, 4.0]]), [1, 1, 0, 0]
    np.testing.assert_allclose(mass_mean(X, y), [2.0, -1.0])
    np.testing.assert_allclose(mass_mean(X.tolist(), [True, True, False, False]), [2.0, -1.0])


def test_the_tilt_is_linear_discriminant_analysis():
    X, y = told_apart(5000)
    X = X @ (np.eye(WIDTH) + 0.4 * np.random.default_rng(3).normal(size=(WIDTH, WIDTH)))
    lda = LinearDiscriminantAnalysis().fit(X, y).coef_[0]
    assert cosines(mass_mean(X, y, tilt=True), lda) > 0.99
    assert cosines(mass_mean(X, y), lda) < 0.9


@pytest.mark.parametrize("fit", [mass_mean, logistic, lambda X, y: mass_mean(X, y, tilt=True)])
def test_every_supervised_probe_finds_the_concept_on_new_items(fit):
    direction = fit(*told_apart())
    assert cosines(direction, CONCEPT) > 0.9
    assert accuracy(direction, *told_apart(seed=1)) > 0.95


def test_classes_without_any_spread_leave_the_plain_difference():
    X, y = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0], [2.0, 0.0]]), [0, 0, 1, 1]
    np.testing.assert_allclose(mass_mean(X, y, tilt=True), mass_mean(X, y))


def test_logistic_ignores_the_scale_of_columns():
    X, y = told_apart()
    scale = np.array([1, 10, 0.1, 1, 100, 1])
    np.testing.assert_allclose(logistic(X * scale, y) * scale, logistic(X, y), rtol=1e-3, atol=1e-4)


def test_the_axis_of_paired_differences_survives_a_common_difference():
    rng = np.random.default_rng(0)
    subjects = rng.normal(size=(60, WIDTH)) * 20
    positive = subjects + CONCEPT + rng.normal(scale=0.2, size=(60, WIDTH))
    axis = difference_pca(positive, subjects)
    assert cosines(axis, CONCEPT) > 0.99
    assert np.linalg.norm(axis) == pytest.approx(1)
    np.testing.assert_allclose(difference_pca(subjects, positive), -axis, atol=1e-9)


def test_difference_pca_is_scikit_learns_pca_of_both_orders():
    from sklearn.decomposition import PCA

    positive, negative, _ = pairs()
    both = np.concatenate([positive - negative, negative - positive])
    assert abs(cosines(PCA(1).fit(both).components_[0], difference_pca(positive, negative))) == pytest.approx(1)


def test_ccs_finds_truth_without_labels_and_not_the_wording():
    statements, negations, y = pairs()
    direction = ccs(statements, negations, y)
    assert abs(cosines(direction, CONCEPT)) > 0.9
    assert accuracy(direction, statements, y) > 0.95
    assert abs(cosines(ccs(statements, negations), direction)) == pytest.approx(1, abs=1e-3)


def test_the_gradient_of_ccs_is_its_slope():
    rng = np.random.default_rng(0)
    a, b, weights = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.normal(size=4)
    _, gradient = probing._ccs_loss(weights, a, b)
    for i, step in enumerate(np.eye(4) * 1e-6):
        slope = (probing._ccs_loss(weights + step, a, b)[0] - probing._ccs_loss(weights - step, a, b)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, abs=1e-6)


def test_shuffled_labels_leave_a_probe_at_chance_and_noise_has_no_selectivity():
    found = selectivity(*told_apart(), *told_apart(seed=1), shuffles=40)
    assert found.accuracy > 0.95
    assert 0.3 < found.control < 0.7
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    noise = selectivity(rng.normal(size=(300, 4)), y, rng.normal(size=(300, 4)), y, shuffles=40)
    assert abs(noise.selectivity) < 0.12


@given(st.integers(0, 10**6), st.floats(0.1, 100), st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_readings_do_not_depend_on_origin_or_unit(seed, unit, origin):
    X, y = told_apart(40, seed)
    held_out, truth = told_apart(40, seed + 1)
    moved = accuracy(mass_mean(X * unit + origin, y), held_out * unit + origin, truth)
    assert moved == pytest.approx(accuracy(mass_mean(X, y), held_out, truth), abs=0.026)


def test_a_zero_vector_points_nowhere():
    np.testing.assert_array_equal(cosines([[0, 0], [3, 0]], [1, 0]), [0, 1])


@pytest.mark.parametrize(("X", "y", "words"), [
    ([[1.0, 2.0]], [1], "both classes"),
    ([[1.0, 2.0]], [1, 0], "X \\(items, width\\)"),
    ([1.0, 2.0], [1, 0], "X \\(items, width\\)"),
])  # fmt: skip
def test_what_cannot_be_fitted_is_refused_in_a_sentence(X, y, words):
    with pytest.raises(XllmError, match=words):
        mass_mean(X, y)
    with pytest.raises(XllmError, match="alike"):
        difference_pca([[1.0]], [[1.0, 2.0]])
