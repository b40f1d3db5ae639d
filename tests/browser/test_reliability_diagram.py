"""The reliability diagram in a real browser: every bin where its numbers say, named on hover and by key."""

import pytest

from xllm_widgets.methods.calibration import reliability
from xllm_widgets.widgets.reliability_diagram import ReliabilityDiagram

pytestmark = pytest.mark.browser

BOLD = reliability([0.95] * 20 + [0.55] * 10, [1] * 10 + [0] * 10 + [1] * 5 + [0] * 5)
SAID = "90–100 % sure: 20 answers, on average 95 % sure, 50 % right [30, 70], 45 points too sure"


def bins_of(mounted):
    return mounted.root.locator(".xw-rd-bin")


def test_dot_gap_and_histogram_stand_where_the_numbers_say(mount) -> None:
    mounted = mount(ReliabilityDiagram({"<b>pebble</b>": BOLD, "你 أنت": BOLD}))
    assert mounted.root.locator(".xw-rd-panel").count() == 2
    last = bins_of(mounted).nth(9)
    places = "(node) => ['left', 'bottom', 'height'].map((side) => node.style[side])"
    style = {kind: last.locator(f".xw-rd-{kind}").evaluate(places) for kind in ("gap", "dot", "bar")}
    assert style["gap"] == ["", "50%", "45%"]
    assert [float(place.rstrip("%")) for place in style["dot"][:2]] == pytest.approx([50, 50])
    assert style["bar"][2] == "100%"
    assert bins_of(mounted).nth(0).locator(".xw-rd-dot").count() == 0, "an empty bin shows nothing"
    assert mounted.root.locator("b > *, .xw-rd-title b").count() == 0


def test_a_bin_is_named_on_hover_and_by_key_and_python_hears_the_choice(mount) -> None:
    view, heard = ReliabilityDiagram({"pebble": BOLD}), []
    view.on_select(lambda name, number: heard.append((name, number)))
    mounted = mount(view)
    readout = mounted.root.locator(".xw-rd-readout")
    bins_of(mounted).nth(9).hover()
    assert readout.inner_text() == f"pebble  {SAID}"
    mounted.page.mouse.move(0, 0)
    assert readout.inner_text().startswith("Point at a bin")
    bins_of(mounted).first.focus()
    for key in ("End", "ArrowRight", "ArrowLeft", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert heard == [("pebble", 8)]
    assert readout.inner_text() == "pebble  80–90 % sure: no answers"
    assert bins_of(mounted).nth(8).get_attribute("aria-selected") == "true"
    assert mounted.root.locator(".xw-rd-bin[tabindex='0']").count() == 1
    assert bins_of(mounted).nth(9).get_attribute("aria-label") == SAID


def test_table_twin_and_new_numbers(mount) -> None:
    view = ReliabilityDiagram({"pebble": BOLD})
    mounted = mount(view)
    bins_of(mounted).first.focus()
    mounted.page.keyboard.press("t")
    rows = mounted.root.locator("tbody tr")
    shown = ["pebble", "90.0 % – 100.0 %", "20", "95.0 %", "50.0 %", "29.9 %", "70.1 %"]
    assert rows.nth(9).inner_text().split("\t") == shown
    view.series = [{"name": "you", "role": "chat", **reliability([0.5, 0.6], [1, 0], bins=4)}]
    mounted.push()
    assert rows.count() == 4
    assert mounted.root.locator(".xw-rd-sentence").inner_text() == "55 % sure, 50 % right: 5 points too sure."
