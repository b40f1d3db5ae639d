"""What a panel shows as its code makes the same panel again; what it shows as its cost was measured."""

import re

import numpy as np
import pandas as pd
import pytest

import xllm_widgets as xw
from xllm_widgets.lab import (
    corpus_lab,
    demonstration_lab,
    head_view,
    lens_lab,
    map_lab,
    model_view,
    reasoning_lab,
    reliability_lab,
    segment_view,
    steering_lab,
)
from xllm_widgets.microworld.corpus import Corpus

MAKE = {
    "demonstration_lab": lambda lm: demonstration_lab(lm, shots=2, method="gradient_norm"),
    "reasoning_lab": lambda lm: reasoning_lab(lm, steps=2, shots=1, n=2),
    "steering_lab": lambda lm: steering_lab(lm, trials=8, strength=0.5),
    "lens_lab": lambda lm: lens_lab(lm, "Anna is honest.", trials=8, targets=[" Yes"]),
    "map_lab": lambda lm: map_lab(lm, "truth", trials=8),
    "reliability_lab": lambda lm: reliability_lab(lm, trials=12),
    "head_view": lambda lm: head_view(lm, "Anna is honest.", layers=[2]),
    "model_view": lambda lm: model_view(lm, "Anna is honest."),
    "segment_view": lambda lm: segment_view(lm, "Anna is honest. Bob lies.", title="Two"),
}
EDITS = {
    "demonstration_lab": lambda view: (view.flip(0), view.set_query("A dull film.")),
    "reasoning_lab": lambda view: (view.add("So 5"), view.falsify(0), view.delete(1), view.move(0, 1)),
    "steering_lab": lambda view: view.set(direction="random", seed=3, layers=[2]),
}


@pytest.fixture(autouse=True)
def no_journal(monkeypatch) -> None:
    monkeypatch.setattr("xllm_widgets.lab.reliability.journals.current", lambda: None)


def again(code: str):
    scope: dict = {}
    exec(code, scope)
    return scope["view"]


def state(view) -> dict:
    """What a reader sees; not what the last answer took, which no two answers share."""
    if hasattr(view, "refresh"):
        view.refresh()
    return {name: value for name, value in view.to_dict().items() if name not in ("cost", "code", "request")}


def assert_same(one, other) -> None:
    for name, value in state(one).items():
        np.testing.assert_equal(state(other)[name], value, err_msg=name)


@pytest.mark.parametrize("name", MAKE)
def test_the_code_makes_the_panel_again(pebble, name) -> None:
    view = MAKE[name](pebble)
    assert f"view = {name}(" in view.code
    assert_same(again(view.code), view)
    assert float(re.fullmatch(r"(\S+) s for the last answer", view.cost)[1]) > 0


@pytest.mark.parametrize("name", EDITS)
def test_the_code_follows_the_edits(pebble, name) -> None:
    view = MAKE[name](pebble)
    before = view.code
    EDITS[name](view)
    assert view.code != before
    assert view.describe() != MAKE[name](pebble).describe()
    assert again(view.code).describe() == view.describe()


def test_what_cannot_be_written_stands_under_its_own_name(pebble) -> None:
    rows = pd.DataFrame({"stem": ["a b"] * 20, "true": ["c"] * 20, "false": ["d"] * 20})
    assert "data=data" in reliability_lab(pebble, data=rows, trials=12).code
    view = corpus_lab(Corpus(length=50), "the")
    assert "view = corpus_lab(corpus=corpus, text='the', page_size=5)\n" in view.code
    assert "load" not in view.code


def test_the_cost_is_that_of_all_stages_of_the_last_answer(monkeypatch) -> None:
    from types import SimpleNamespace

    from xllm_widgets.lab import code

    clock, view = iter(np.arange(0, 100, 0.25)), SimpleNamespace(request=0, cost="")
    monkeypatch.setattr(code.time, "perf_counter", lambda: next(clock))
    answer = code.Timed(lambda view, stage: None)
    said = []
    for view.request, stage in ((0, "first"), (0, "second"), (1, "first")):
        answer(view, stage)
        said.append(view.cost)
    assert said == [f"{seconds} s for the last answer" for seconds in (0.25, 0.5, 0.25)]


def test_an_answer_in_chinese_says_its_cost_in_chinese(pebble) -> None:
    xw.language("zh")
    view = demonstration_lab(pebble, shots=2, method="gradient_norm")
    xw.language("en")
    assert view.refresh().cost.startswith("上一次回答用时 ")
    assert view.cost.endswith(" 秒")
