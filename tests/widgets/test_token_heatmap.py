"""Numbers in, the same numbers out: shapes checked, limits symmetric, words and picture from one state."""

import json

import numpy as np
import pytest

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.token_heatmap import MAX_TOKENS, TokenHeatmap


def test_scores_of_one_and_of_several_targets() -> None:
    assert TokenHeatmap(["a", "b"], [1, -2]).scores.tolist() == [[1, -2]]
    assert TokenHeatmap(["a", "b"], [[1, -2], [3, 4]]).scores.shape == (2, 2)
    assert TokenHeatmap().describe()


@pytest.mark.parametrize(
    ("tokens", "scores", "more", "said"),
    [
        (["a"], [1, 2], {}, r"1 tokens need scores of shape \(1,\) or \(targets, 1\), not \(2,\)"),
        (["a"], [[1], [2]], {"targets": ["x"]}, "2 rows of scores need as many targets, not 1"),
        (["a"] * (MAX_TOKENS + 1), [0] * (MAX_TOKENS + 1), {}, "pass a slice"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(tokens, scores, more, said) -> None:
    with pytest.raises(ViewError, match=said):
        TokenHeatmap(tokens, scores, **more)


def test_limits_are_symmetric_about_zero_or_given() -> None:
    assert TokenHeatmap(["a", "b"], [1, -2]).limits == [-2, 2]
    assert TokenHeatmap(["a", "b"], [1, -2], limit=5).limits == [-5, 5]
    assert TokenHeatmap(["a", "b"], [1, 3], kind="sequential").limits == [0, 3]
    assert TokenHeatmap(["a"], [float("nan")]).limits == [-1, 1]


def test_new_scores_are_painted_once_and_a_lost_selection_is_taken_back() -> None:
    view = TokenHeatmap(["a", "b", "c"], [1, 2, 3])
    view.selected = 2
    before = view.version
    view.set_scores([1, 2], tokens=["a", "b"])
    assert view.version == before + 1
    assert (view.selected, view.selected_token) == (-1, None)


def test_describe_names_the_strongest_first_and_skips_what_has_no_score() -> None:
    view = TokenHeatmap(["a", " b", "c"], [0.1, -2.0, float("nan")], units="nats", title="Why")
    assert view.describe() == "Why: 3 tokens; strongest (nats): ' b' -2, 'a' +0.1."


def test_to_dict_is_plain_json() -> None:
    state = TokenHeatmap(["a", "b"], [1, float("nan")]).to_dict()
    assert json.loads(json.dumps(state, allow_nan=False))["scores"] == [[1.0, None]]


def test_a_failing_callback_is_said_and_forgotten_at_the_next_choice() -> None:
    view = TokenHeatmap(["a", "b"], [1, 2])
    heard = []

    def only_the_first(i: int) -> None:
        if i:
            raise ValueError("no")
        heard.append(i)

    view.on_select(only_the_first)
    view.selected = 1
    assert "no" in view.error
    view.selected = 0
    assert (view.error, heard) == ("", [0])


def test_picture_holds_the_colours_of_the_scores() -> None:
    import io

    from matplotlib.image import imread

    plain = imread(io.BytesIO(TokenHeatmap(["word"], [0.0], limit=1).to_png()))
    toward = imread(io.BytesIO(TokenHeatmap(["word"], [1.0], limit=1).to_png()))
    top = slice(0, toward.shape[0] // 2)  # the legend lies below

    def orange(image: np.ndarray) -> int:
        red, green, blue = (image[top, :, i] for i in range(3))
        return int(((red > 0.85) & (green > 0.4) & (green < 0.75) & (blue < 0.45)).sum())

    assert orange(toward) > 200
    assert orange(plain) == 0
