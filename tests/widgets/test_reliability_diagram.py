"""Numbers of `methods.calibration` in, the diagram's message out in words."""

import json

import numpy as np
import pytest

from xllm_widgets.methods.calibration import reliability
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.reliability_diagram import ReliabilityDiagram

BOLD = reliability([0.95] * 20 + [0.55] * 10, [1] * 10 + [0] * 10 + [1] * 5 + [0] * 5)


def test_the_message_and_every_measure_are_said() -> None:
    assert ReliabilityDiagram({"pebble-1m": BOLD}, title="How sure?").describe() == (
        "How sure?\n"
        "pebble-1m: 82 % sure, 50 % right: 32 points too sure. ECE 0.32; Brier 0.39; AUROC 0.50; n 30.\n"
        "  50–60 % sure: 10 answers, on average 55 % sure, 50 % right [24, 76], no clear gap\n"
        "  90–100 % sure: 20 answers, on average 95 % sure, 50 % right [30, 70], 45 points too sure"
    )


@pytest.mark.parametrize(
    ("sure", "right", "said"),
    [
        ([0.5] * 4, [1, 1, 0, 0], "on average well judged"),
        ([0.5] * 4, [1, 1, 1, 1], "50 points too unsure"),
        ([0.79] * 4, [1, 1, 1, 0], "4 points too sure"),
    ],
)
def test_the_verdict_follows_the_gap(sure, right, said) -> None:
    assert said in ReliabilityDiagram({"m": reliability(sure, right)}).words[0]["sentence"]


def test_the_state_is_plain_json_and_comes_back_as_it_was() -> None:
    one_sided = reliability([0.5, 0.7], [1, 1])
    view = ReliabilityDiagram({"you": one_sided, "chat": {**BOLD, "role": "chat"}})
    state = json.loads(json.dumps(view.to_dict(), allow_nan=False))
    assert state["series"][0] == {"name": "you", "role": "", **one_sided}
    again = ReliabilityDiagram({one.pop("name"): one for one in state["series"]})
    assert again.words == view.words


def test_new_series_take_the_choice_back_and_are_said_anew() -> None:
    view = ReliabilityDiagram({"m": BOLD})
    view.selected = [0, 9]
    view.series = [{"name": "you", **reliability([0.5], [1])}]
    assert view.selected == [-1, -1]
    assert "you" in view.describe()


def test_a_chosen_bin_is_heard_by_name_and_a_failure_is_said() -> None:
    view, heard = ReliabilityDiagram({"m": BOLD}), []

    def listen(name: str, number: int) -> None:
        heard.append((name, number))
        raise ValueError("no such items")

    view.on_select(listen)
    view.selected = [0, 5]
    view.selected = [-1, -1]
    assert heard == [("m", 5)]
    assert "no such items" in view.error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ece": ...}, "A series lacks ece"),
        ({"bins": []}, "0 bins cannot be shown"),
        ({"role": "teacher"}, "'teacher' is no role"),
        ({"bins": [{"low": 0, "high": 1}]}, "A bin lacks n, confidence, accuracy, interval"),
        ({"bins": [{**BOLD["bins"][9], "interval": []}]}, "needs confidence, accuracy and the two ends"),
    ],
)
def test_what_is_no_diagram_is_refused(change, said) -> None:
    broken = {name: value for name, value in {**BOLD, **change}.items() if value is not ...}
    with pytest.raises(ViewError, match=said):
        ReliabilityDiagram({"m": broken})
    with pytest.raises(ViewError, match="pass fewer"):
        ReliabilityDiagram({str(i): BOLD for i in range(7)})


def test_the_picture_holds_every_panel() -> None:
    import io

    from matplotlib.image import imread

    series = {f"model {i}": reliability(np.linspace(0, 1, 50), np.arange(50) % 2) for i in range(4)}
    one = imread(io.BytesIO(ReliabilityDiagram({"m": BOLD}).to_png()))
    four = imread(io.BytesIO(ReliabilityDiagram(series).to_png()))
    assert four.shape[0] > 1.9 * one.shape[0]
