"""Every number at its layer and its token, whichever reading is in view."""

import json
import re

import numpy as np
import pytest

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.layer_token_lens import MAX_CELLS, LayerTokenLens

TOKENS = ["The", " cat", "<0xE6>"]
LAYERS = [0, 2]
PROBE = {"name": "honesty", "scores": [[0.1, -0.2, np.nan], [0.3, 0.9, -1.5]], "unit": "norms"}
LOGITS = {
    "name": "logit lens", "scores": [[0.2, 0.1, 0.0], [0.5, 0.6, 0.7]], "kind": "sequential",
    "words": [["a", "b", "c"], ["d", " sat", "f"]],
}  # fmt: skip


@pytest.fixture
def lens() -> LayerTokenLens:
    return LayerTokenLens(TOKENS, LAYERS, [PROBE, LOGITS], title="Lens")


def test_scores_keep_their_place(lens) -> None:
    assert lens.scores.shape == (2, 2, 3)
    np.testing.assert_allclose(lens.scores[0], np.array(PROBE["scores"], dtype=np.float32))
    np.testing.assert_allclose(lens.scores[1, 1], [0.5, 0.6, 0.7], rtol=1e-6)
    assert LayerTokenLens(TOKENS, LAYERS, PROBE).scores.shape == (1, 2, 3)


def test_limits_are_symmetric_for_a_probe_and_from_zero_for_a_probability(lens) -> None:
    assert lens.readings[0]["limits"] == [-1.5, 1.5]
    assert lens.readings[1]["limits"] == [0.0, 0.7]
    assert LayerTokenLens(TOKENS, LAYERS, {**PROBE, "limit": 3}).readings[0]["limits"] == [-3.0, 3.0]
    nothing = {"name": "x", "scores": np.full((2, 3), np.nan)}
    assert LayerTokenLens(TOKENS, LAYERS, nothing).readings[0]["limits"] == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("tokens", "layers", "reading", "said"),
    [
        ([], LAYERS, PROBE, "a token, a layer and a reading"),
        (TOKENS, LAYERS, [], "a token, a layer and a reading"),
        (TOKENS, [1], PROBE, "'honesty' needs scores of shape (1, 3), not (2, 3)"),
        (TOKENS, LAYERS, {"name": "x"}, "scores is missing"),
        (TOKENS, LAYERS, {**PROBE, "colour": 1}, "no 'colour'"),
        (TOKENS, LAYERS, {**PROBE, "kind": "rainbow"}, "diverging or sequential, not 'rainbow'"),
        (TOKENS, LAYERS, {**LOGITS, "words": [["a"], ["b"]]}, "need the shape of its scores, (2, 3)"),
        (["a"] * (MAX_CELLS + 1), [1], PROBE, "fewer tokens or layers"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(tokens, layers, reading, said) -> None:
    with pytest.raises(ViewError, match=re.escape(said)):
        LayerTokenLens(tokens, layers, reading)


def test_words_name_the_strongest_cells_of_the_reading_in_view(lens) -> None:
    assert lens.describe().startswith(
        "Lens, honesty: 2 layers × 3 tokens; strongest (norms): layer 2 on '<0xE6>' -1.5, layer 2 on ' cat' +0.9"
    )
    lens.reading = 1
    assert "layer 2 on ' cat' 0.6, reads ' sat'" in lens.describe()


def test_a_choice_is_told_by_layer_number_and_position(lens) -> None:
    heard: list[tuple[int, int]] = []
    lens.on_select(lambda layer, position: heard.append((layer, position)))
    lens.selected = [1, 2]
    lens.selected = []
    lens.selected = [7, 7]
    assert heard == [(2, 2)]
    assert lens.selected_cell is None


def test_new_readings_are_painted_once_and_a_lost_choice_is_taken_back(lens) -> None:
    lens.selected, lens.reading = [1, 2], 1
    before = lens.version
    lens.set_readings({"name": "y", "scores": [[1.0]]}, tokens=["a"], layers=[3])
    assert (lens.version, lens.reading, lens.selected) == (before + 1, 0, [])
    assert lens.scores.tolist() == [[[1.0]]]


def test_colours_are_of_the_kind_of_the_reading(lens) -> None:
    assert lens.colours(1.5)[0] == pytest.approx((230 / 255, 97 / 255, 1 / 255, 0.75))
    assert lens.colours(float("nan"))[0] is None
    lens.reading = 1
    assert lens.colours(0.7)[0] == pytest.approx((254 / 255, 232 / 255, 56 / 255))


def test_to_dict_is_plain_json(lens) -> None:
    state = json.loads(json.dumps(lens.to_dict(), allow_nan=False))
    assert state["scores"][0][0][2] is None
    assert state["readings"][1]["words"][1][1] == " sat"


@pytest.mark.parametrize("n", [3, 60])
def test_a_picture_of_few_and_of_many_tokens(n) -> None:
    reading = {"name": "x", "scores": np.linspace(-1, 1, 2 * n).reshape(2, n)}
    assert LayerTokenLens(["tok"] * n, LAYERS, reading).to_png().startswith(b"\x89PNG")
