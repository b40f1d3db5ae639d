"""The cluster view in a real browser: widths are weights, one part points at the others, answers stay text."""

import math

import pytest

from xllm_widgets.widgets.sample_clusters import SampleClusters

pytestmark = pytest.mark.browser


def answer(text: str, cluster: int, p: float = 0.1) -> dict:
    return {"text": text, "logprob": math.log(p), "cluster": cluster}


SIX = [answer(f"<b>{i}</b> 巴黎", 0, 0.01) for i in range(5)] + [answer("مرحبا", 1, 0.15)]


def segments_of(mounted):
    return mounted.root.locator(".xw-sc-segment")


def test_widths_are_weights_and_change_with_the_way_of_weighing(mount) -> None:
    view = SampleClusters(SIX, "<img src=x>")
    mounted = mount(view)
    grow = "all => all.map((node) => Number(node.style.flexGrow))"
    assert segments_of(mounted).evaluate_all(grow) == pytest.approx([500 / 6, 100 / 6], rel=1e-4)
    mounted.root.get_by_role("radio", name="how often it was said").focus()
    mounted.page.keyboard.press("ArrowRight")
    mounted.settled()
    assert view.weigh == "probability"
    assert segments_of(mounted).evaluate_all(grow) == pytest.approx([25, 75], rel=1e-4)
    assert mounted.root.locator(".xw-sc-formula").inner_text().endswith("0.35 A + 0.22 B = 0.56 nats")
    assert mounted.root.locator(".xw-sc-said").inner_text() == view.said["probability"]
    assert mounted.root.locator("img, bdi b").count() == 0


def test_a_meaning_is_chosen_by_key_and_the_others_step_back(mount) -> None:
    view, heard = SampleClusters(SIX), []
    view.on_select(heard.append)
    mounted = mount(view)
    segments_of(mounted).first.focus()
    for key in ("End", "ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert heard == [1]
    assert segments_of(mounted).nth(1).get_attribute("aria-selected") == "true"
    back = mounted.root.locator(".xw-sc-back").evaluate_all("all => all.map((node) => node.dataset.c)")
    assert back == ["0", "0", "0"], "segment, piece of the formula, card"
    assert "مرحبا" in segments_of(mounted).nth(1).get_attribute("aria-label")


def test_few_wordings_until_more_are_asked_for(mount) -> None:
    mounted = mount(SampleClusters(SIX))
    card = mounted.root.locator(".xw-sc-card").first
    assert card.locator("li:visible").count() == 3
    card.get_by_role("button", name="2 more wordings").click()
    assert card.locator("li:visible").count() == 5
    assert card.locator("li").first.inner_text().split("\n") == ["1 ×", "<b>0</b> 巴黎", "ln p −4.61"]


def test_table_twin_and_new_answers(mount) -> None:
    view = SampleClusters(SIX)
    mounted = mount(view)
    segments_of(mounted).first.focus()
    mounted.page.keyboard.press("t")
    rows = mounted.root.locator("tbody tr")
    assert rows.nth(5).inner_text().split("\t") == ["مرحبا", "B", "1", "−1.90", "17 %", "0.30"]
    view.samples = [{"text": "yes", "logprob": None, "cluster": "y"}]
    mounted.push()
    assert rows.count() == 1
    assert mounted.root.get_by_role("radio", name="probability").is_disabled()
    view.samples = []
    mounted.push()
    assert mounted.root.locator(".xw-sc-said").inner_text() == "No answers yet."
