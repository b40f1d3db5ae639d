"""The panels in the second language: every knob has a name, buttons and sentences follow the switch."""

import pytest

import xllm_widgets as xw
from xllm_widgets.lab import LossPicture, durations, lab
from xllm_widgets.lab.controls import label
from xllm_widgets.studies import registry
from xllm_widgets.studies.in_context_learning import flipped_labels
from xllm_widgets.widgets import language, style

TINY = {"shots": 2, "trials": 10}


@pytest.fixture(autouse=True)
def chinese():
    xw.language("zh")
    yield
    xw.language("en")


def test_every_knob_of_every_study_has_a_name_and_no_other_has() -> None:
    knobs = {knob.name for info in registry.all_studies() for knob in info.knobs}
    assert set(language.catalogue()["knobs"]) == knobs
    assert all(label(name).endswith(f" {name}") for name in knobs), "the code below speaks of it by this name"
    assert label("of_my_own") == "of_my_own"


def test_a_panel_speaks_chinese_and_its_code_does_not_change(follower) -> None:
    panel = lab(flipped_labels, follower, **TINY)
    buttons = [panel.run_button, panel.stop_button, panel.shows_control]
    assert [button.description for button in buttons] == ["运行", "停止", "显示零假设对照"]
    assert [each.input.description for each in panel.controls][:2] == ["翻转 flipped", "示例 shots"]
    assert panel.cost.value.startswith("在此大约需要 ")
    panel.run()
    assert panel.cost.value.startswith("在此用时 ")
    assert (panel.cards.strings["verdict"], panel.cards.strings["show_code"]) == ("结论", "显示代码")
    assert "shots=2" in panel.cards.code


@pytest.mark.parametrize(("seconds", "said"), [(74, "74 秒"), (600, "10 分钟"), (9000, "2.5 小时")])
def test_durations_have_chinese_units(seconds: float, said: str) -> None:
    assert durations.in_words(language.speech("lab"), seconds) == said


def test_the_loss_picture_speaks_chinese_where_a_font_can(monkeypatch) -> None:
    monkeypatch.setattr(style, "can_draw", lambda text: True)
    assert LossPicture().describe() == "尚未开始学习。"
    assert LossPicture().title == "可学词元的损失"
    monkeypatch.setattr(style, "can_draw", lambda text: text.isascii())
    assert LossPicture().describe() == "Nothing has been learnt yet."
    assert LossPicture("我的").title == "我的"
