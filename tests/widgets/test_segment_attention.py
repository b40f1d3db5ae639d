"""Every share at its head and its segment, whichever is in view."""

import json
import re

import numpy as np
import pytest

from xllm_widgets.widgets import SegmentAttention
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.segment_attention import MAX_HEADS

SEGMENTS = ["One.", " Two."]
MASS = np.array([[[0.25, 0.75], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]], [[0.1, 0.9], [0.2, 0.8]]])


@pytest.fixture
def view() -> SegmentAttention:
    return SegmentAttention(SEGMENTS, MASS)


def test_shares_keep_their_place_and_travel_as_bytes(view) -> None:
    np.testing.assert_allclose(view.mass, MASS, rtol=1e-6)
    assert (view.layers, view.heads) == ([1, 2, 3], 2)
    assert len(view.values) == 4 * MASS.size


def test_what_stands_beside_the_segments_follows_the_chosen_head(view) -> None:
    np.testing.assert_allclose(view.shares(), MASS.mean((0, 1)), rtol=1e-6)
    heard = []
    view.on_select(heard.append)
    view.selected = [0, 1]
    np.testing.assert_allclose(view.shares(), [1.0, 0.0])
    view.selected = []
    assert heard == [(1, 2), None]


def test_words_name_every_share_and_the_heads_that_look_most(view) -> None:
    view.segment, view.note = 1, "Too long."
    assert view.describe().startswith("Too long. Attention by segment, 3 layers × 2 heads: 'One.' 0.34, ' Two.' 0.66.")
    assert "Most on ' Two.': layer 2 head 2 1.00, layer 3 head 1 0.90" in view.describe()


def test_new_shares_are_painted_once_and_what_is_gone_is_not_chosen(view) -> None:
    view.selected, view.segment, before = [2, 1], 1, view.version
    view.set_mass([[[1.0]]], segments=["All."], layers=[7])
    assert (view.selected, view.segment, view.layers, view.version) == ([], 0, [7], before + 1)


@pytest.mark.parametrize(
    ("segments", "mass", "more", "said"),
    [
        (["One."], MASS, {}, "1 segments need shares of shape (layers, heads, 1)"),
        (SEGMENTS, MASS[0], {}, "2 segments need shares of shape"),
        (SEGMENTS, MASS, {"layers": [1, 2]}, "3 layers need as many numbers of layers, not 2"),
        (["x"], np.zeros((MAX_HEADS + 1, 1, 1)), {}, f"more than the {MAX_HEADS} that can be shown"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(segments, mass, more, said) -> None:
    with pytest.raises(ViewError, match=re.escape(said)):
        SegmentAttention(segments, mass, **more)


def test_the_state_is_plain_json(view) -> None:
    state = json.loads(json.dumps(view.to_dict()))
    assert state["mass"] == MASS.tolist()
    assert "values" not in state


def test_the_static_twin_grows_with_the_layers(view) -> None:
    pictures = [SegmentAttention(SEGMENTS, mass).to_png() for mass in (MASS[:1], MASS)]
    low, high = (int.from_bytes(picture[20:24], "big") for picture in pictures)  # where a PNG says its height
    assert high > low
