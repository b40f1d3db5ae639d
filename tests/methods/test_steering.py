"""Vectors are values: algebra, saving and loading, equal norms, and refusals in one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file
from tiny_models import tiny

from xllm_widgets.errors import XllmError
from xllm_widgets.methods.steering import SteeringVector, VectorMismatch

numbers = arrays(np.float32, (2, 4), elements=st.floats(-10, 10, width=32))


def vector(rows=((1.0, 0, 0, 0), (0, 2, 0, 0)), layers=(1, 2), norms=(10.0, 20.0), **provenance):
    return SteeringVector(np.array(rows), layers, np.array(norms), provenance)


@pytest.fixture(scope="module")
def lm():
    return tiny("llama")


@given(numbers, numbers, st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_they_add_scale_and_negate_like_vectors(a, b, factor):
    x, y = vector(a), vector(b)
    np.testing.assert_allclose((x + y).rows, a + b, rtol=1e-5)
    np.testing.assert_allclose((x - y).rows, (x + (-y)).rows)
    np.testing.assert_allclose((factor * x).rows, (x * factor).rows)
    np.testing.assert_allclose(((x + y) * 2).rows, (x * 2 + y * 2).rows, rtol=1e-5)
    np.testing.assert_allclose((x / 4).rows, a / 4, rtol=1e-6)
    np.testing.assert_allclose(x.reversed().rows, -a)


def test_a_layer_that_one_lacks_counts_as_zero():
    joined = vector() + vector([[5.0, 5, 5, 5]], (3,), (7.0,))
    assert joined.layers == (1, 2, 3)
    np.testing.assert_allclose(joined.rows[2], [5, 5, 5, 5])
    np.testing.assert_allclose(joined.residual_norm, [10, 20, 7])
    assert joined.at(3).layers == (3,)
    with pytest.raises(VectorMismatch, match=r"no layer 4; it steers layers 1, 2, 3"):
        joined.at([4])


def test_lengths_are_counted_in_residual_norms():
    made = SteeringVector.of({2: np.array([0, 4.0]), 1: np.array([3.0, 0])}, {1: 6.0, 2: 4.0}, concept="truth")
    assert made.layers == (1, 2)
    np.testing.assert_allclose(made.lengths, [0.5, 1])
    np.testing.assert_allclose(made.normalised().lengths, 1)
    assert (vector(np.zeros((2, 4))).normalised().rows == 0).all()


def test_a_random_direction_is_as_long_and_elsewhere():
    one, other = vector().random(0), vector().random(1)
    np.testing.assert_allclose(one.lengths, vector().lengths, rtol=1e-6)
    assert not np.allclose(one.rows, other.rows)
    np.testing.assert_array_equal(one.rows, vector().random(0).rows)
    assert one.provenance["random direction of equal norm"] == 0


@given(numbers)
@settings(max_examples=20, deadline=None)
def test_what_is_saved_is_loaded(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("vectors") / "deep" / "truth.safetensors"
    saved = vector(rows, model="pebble", concept="诚实", layers_tried=[1, 2])
    loaded = SteeringVector.load(saved.save(path))
    np.testing.assert_array_equal(loaded.rows, saved.rows)
    np.testing.assert_array_equal(loaded.residual_norm, saved.residual_norm)
    assert loaded.layers == saved.layers
    assert loaded.provenance == saved.provenance
    assert "诚实" in loaded.describe()


def test_other_files_are_refused_in_a_sentence(tmp_path):
    save_file({"rows": np.zeros(3, np.float32)}, str(tmp_path / "weights.safetensors"))
    (tmp_path / "text.safetensors").write_text("no tensors here")
    with pytest.raises(XllmError, match="is no steering vector"):
        SteeringVector.load(tmp_path / "weights.safetensors")
    for name in ("text.safetensors", "absent.safetensors"):
        with pytest.raises(XllmError, match=r"No steering vector can be read"):
            SteeringVector.load(tmp_path / name)


def test_another_width_is_refused_in_a_sentence(lm):
    with pytest.raises(VectorMismatch, match=r"width 4 \(from pebble\) cannot steer tiny-llama, whose stream is 32"):
        vector(model="pebble").steer(lm)
    with pytest.raises(VectorMismatch, match="widths 4 and 1 come from different models"):
        vector() + vector(np.zeros((2, 1)))
    deep = SteeringVector(np.zeros((1, 32)), (9,), np.ones(1))
    with pytest.raises(VectorMismatch, match="steers layer 9, but tiny-llama ends at 3"):
        deep.steer(lm)


@pytest.mark.parametrize("broken", [
    {"rows": np.zeros(4)}, {"layers": (1,)}, {"layers": (1, 1)}, {"norms": (1.0, 0.0)},
    {"rows": np.full((2, 4), np.nan)},
])  # fmt: skip
def test_a_vector_without_sense_is_refused(broken):
    with pytest.raises(VectorMismatch, match="steering vector needs"):
        vector(**broken)


def test_steering_adds_strength_times_the_residual_norm(lm):
    text = "The film was bright"
    before = lm.activations(text, positions="all")[0]
    push = np.zeros(32)
    push[5] = 1
    norm = float(np.linalg.norm(before[2], axis=-1).mean())
    made = SteeringVector.of({2: push}, {2: norm}).normalised()
    with lm.edit(*made.steer(lm, 0.5)):
        after = lm.activations(text, positions="all")[0]
    np.testing.assert_allclose(after[2] - before[2], np.tile(push * 0.5 * norm, (len(before[2]), 1)), atol=1e-4)
    np.testing.assert_allclose(after[1], before[1])
    with lm.edit(*made.steer(lm, 0.5), *made.reversed().steer(lm, 0.5)):
        np.testing.assert_allclose(lm.activations(text, positions="all")[0][2], before[2], atol=1e-4)
