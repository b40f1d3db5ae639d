"""The layer × token lens in a real browser."""

import pytest

from xllm_widgets.widgets.layer_token_lens import LayerTokenLens

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1>"
PROBE = {"name": "honesty", "scores": [[0.1, -0.2], [0.3, float("nan")], [0.5, -1.0]], "unit": "norms"}
LOGITS = {
    "name": "logit lens", "scores": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "kind": "sequential",
    "words": [["a", "b"], ["c", "d"], ["e", HOSTILE]],
}  # fmt: skip


@pytest.fixture
def lens() -> LayerTokenLens:
    return LayerTokenLens(["The", " cat"], [0, 1, 2], [PROBE, LOGITS])


def test_the_deepest_layer_is_on_top_and_every_cell_has_its_number(mount, lens) -> None:
    mounted = mount(lens)
    assert mounted.root.get_by_role("rowheader").all_inner_texts() == ["layer 2", "layer 1", "embeddings"]
    shown = mounted.root.locator(".xw-ll-number").all_inner_texts()
    assert shown == ["+0.50", "−1.00", "+0.30", "–", "+0.10", "−0.20"]
    assert "230, 97, 1" in mounted.root.locator(".xw-ll-cell").first.evaluate(
        "n => getComputedStyle(n).backgroundColor"
    )


def test_arrows_move_through_the_grid_and_enter_chooses(mount, lens) -> None:
    heard: list[tuple[int, int]] = []
    lens.on_select(lambda layer, position: heard.append((layer, position)))
    mounted = mount(lens)
    mounted.root.locator(".xw-ll-cell[tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert heard == [(1, 1)]
    assert mounted.root.locator(".xw-ll-cell[tabindex='0']").count() == 1
    assert mounted.root.locator(".xw-ll-readout").inner_text() == "layer 1, “ cat” no score"
    assert mounted.root.locator(".xw-ll-near").count() == 2


def test_readings_are_switched_by_key_and_words_are_text(mount, lens) -> None:
    mounted = mount(lens)
    mounted.root.locator(".xw-ll-cell").nth(1).focus()
    mounted.page.keyboard.press("r")
    mounted.settled()
    assert lens.reading == 1
    cell = mounted.root.locator(".xw-ll-cell").nth(1)
    assert cell.locator(".xw-ll-word").inner_text() == HOSTILE
    assert "reads" in cell.get_attribute("aria-label")
    assert mounted.root.locator("img").count() == 0
    assert mounted.page.evaluate("window.owned") is None
    mounted.root.get_by_role("radio", name="honesty").click()
    mounted.settled()
    assert lens.reading == 0


def test_new_readings_from_python_and_the_table_twin(mount, lens) -> None:
    mounted = mount(lens)
    mounted.root.locator(".xw-ll-cell").first.focus()
    mounted.page.keyboard.press("t")
    assert mounted.root.locator(".xw-table tbody tr").count() == 2
    lens.set_readings({"name": "y", "scores": [[1.0, 2.0, 3.0]]}, tokens=["a", "b", "c"], layers=[4])
    mounted.push()
    mounted.page.wait_for_selector(f".xw-layer-token-lens[data-version='{lens.version}']")
    assert mounted.root.locator(".xw-ll-number").all_inner_texts() == ["+1.00", "+2.00", "+3.00"]
