"""Points keep their names and their places, however the plane is turned."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.scatter_map import MAX_POINTS, ScatterMap

PARIS = {"name": "Paris", "x": 2.0, "y": 49.0, "group": "Europe"}
LIMA = {"name": "Lima", "x": -77.0, "y": -12.0, "group": "America", "held_out": True, "target": [-76.0, -11.0]}


@pytest.fixture
def view() -> ScatterMap:
    return ScatterMap([PARIS, LIMA], title="World", graticule=30, x_label="longitude", y_label="latitude")


def test_points_keep_names_places_groups_and_targets(view) -> None:
    assert view.names == ["Paris", "Lima"]
    assert view.xy.tolist() == [[2, 49], [-77, -12]]
    assert view.held_out == [False, True]
    assert [view.groups[m]["name"] for m in view.member] == ["Europe", "America"]
    assert np.isnan(view.targets[0]).all()
    assert view.targets[1].tolist() == [-76, -11]


def test_the_same_from_arrays() -> None:
    xy, goals = [[2, 49], [-77, -12]], [[np.nan, np.nan], [-76, -11]]
    view = ScatterMap.from_arrays(
        xy, ["Paris", "Lima"], held_out=[False, True], group=["Europe", "America"], targets=goals, title="World"
    )
    assert view.xy.tolist() == xy
    np.testing.assert_array_equal(view.targets, np.array(goals, dtype=np.float32))
    assert (view.held_out, view.title) == ([False, True], "World")
    with pytest.raises(ViewError, match=r"\(2, 2\) and name 1"):
        ScatterMap.from_arrays(xy, ["Paris"])


@pytest.mark.parametrize(
    ("points", "more", "said"),
    [
        ([{"name": "a", "x": 1}], {}, "A point has name, x, y"),
        ([{**PARIS, "colour": "red"}], {}, "A point has name, x, y"),
        ([{**PARIS, "x": np.nan}], {}, "'Paris' needs finite x and y"),
        ([{**PARIS, "target": [1]}], {}, "a target of two numbers"),
        ([PARIS], {"groups": {"Asia": "base"}}, "of group 'Europe'; the groups are Asia"),
        ([PARIS], {"groups": {"Europe": "red"}}, "one of toward, away, base, chat, control, ink, not 'red'"),
        ([PARIS] * (MAX_POINTS + 1), {}, "pass a sample"),
    ],
)
def test_a_point_that_cannot_be_placed_is_said_in_one_sentence(points, more, said) -> None:
    with pytest.raises(ViewError, match=re.escape(said)):
        ScatterMap(points, **more)


def test_a_quarter_turn_and_the_centre(view) -> None:
    view.rotation = 90
    np.testing.assert_allclose(view.shown(), [[-49, 2], [12, -77]], atol=1e-5)
    view.rotation, view.centred = 0, True
    np.testing.assert_allclose(view.shown(), [[39.5, 30.5], [-39.5, -30.5]], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.lists(st.tuples(st.floats(-90, 90), st.floats(-90, 90)), min_size=2, max_size=6))
def test_turning_keeps_every_distance(angle, places) -> None:
    view = ScatterMap.from_arrays(places, [str(i) for i in range(len(places))])
    before = np.linalg.norm(view.shown()[0] - view.shown()[1:], axis=1)
    view.rotation, view.centred = angle, True
    np.testing.assert_allclose(np.linalg.norm(view.shown()[0] - view.shown()[1:], axis=1), before, atol=1e-6)
    np.testing.assert_allclose(view.shown().mean(axis=0), 0, atol=1e-5)


def test_a_choice_is_told_and_taken_back_with_new_points(view) -> None:
    heard: list[list[int]] = []
    view.on_select(heard.append)
    view.selected = [1]
    assert (heard, view.selected_names) == ([[1]], ["Lima"])
    before = view.version
    view.set_points([LIMA])
    assert (view.selected, view.version) == ([], before + 1)
    assert view.groups[view.member[0]]["name"] == "America", "groups and their colours stay when the points are fewer"


def test_words_count_the_held_out_and_name_the_chosen(view) -> None:
    view.selected = [1]
    assert view.describe() == (
        "World: 2 points, 1 of them held out (hollow). Groups: Europe 1, America 1. "
        "longitude -77 to 2, latitude -12 to 49. Chosen: Lima."
    )
    view.centred, view.rotation = True, 45.0
    assert "centred, turned by 45°" in view.describe()
    assert "0 points" in ScatterMap().describe()


def test_to_dict_is_plain_json(view) -> None:
    state = json.loads(json.dumps(view.to_dict(), allow_nan=False))
    assert (state["places"][0], state["targets"]) == ([2.0, 49.0], [None, [-76.0, -11.0]])


def test_held_out_points_are_hollow_in_the_picture(view) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    view.show_targets = True
    figure = Figure()
    view.draw(figure)
    drawn = {tuple(c.get_offsets()[0]): c for c in figure.axes[0].collections if isinstance(c, PathCollection)}
    assert len(drawn[(2.0, 49.0)].get_facecolors()) == 1
    assert len(drawn[(-77.0, -12.0)].get_facecolors()) == 0
    assert {text.get_text() for text in figure.axes[0].texts} == {"Paris", "Lima"}
