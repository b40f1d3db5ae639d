"""Attention by segment in a real browser."""

import numpy as np
import pytest

from xllm_widgets.widgets import SegmentAttention

pytestmark = pytest.mark.browser

SEGMENTS = ["<img src=x onerror=window.owned=1> One.", " Two.\n"]
MASS = np.array([[[0.25, 0.75], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]], [[0.1, 0.9], [0.2, 0.8]]])


@pytest.fixture
def view() -> SegmentAttention:
    return SegmentAttention(SEGMENTS, MASS)


def numbers(mounted) -> list[str]:
    return mounted.root.locator(".xw-sa-cell").all_inner_texts()


def shares(mounted) -> list[str]:
    return mounted.root.locator(".xw-sa-share").all_inner_texts()


def test_the_deepest_layer_lies_on_top_and_every_cell_has_its_number(mount, view) -> None:
    mounted = mount(view)
    assert numbers(mounted) == ["10", "20", "50", "0", "25", "100"]
    assert mounted.root.locator("tbody th").all_inner_texts() == ["3", "2", "1"]
    assert mounted.page.evaluate("window.owned") is None


def test_a_segment_is_chosen_by_hand_or_key(mount, view) -> None:
    mounted = mount(view)
    mounted.root.get_by_role("radio").nth(1).click()
    mounted.settled()
    assert view.segment == 1
    assert numbers(mounted) == ["90", "80", "50", "100", "75", "0"]
    mounted.page.keyboard.press("ArrowDown")
    mounted.settled()
    assert view.segment == 0
    assert mounted.root.get_by_role("radio").nth(0).evaluate("node => node === document.activeElement")


def test_a_head_is_chosen_by_key_and_python_hears(mount, view) -> None:
    mounted, heard = mount(view), []
    view.on_select(heard.append)
    mean = MASS.mean((0, 1))
    assert shares(mounted) == [f"{round(100 * share)} %" for share in mean]
    mounted.root.locator(".xw-sa-cell").first.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert heard == [(2, 2)]
    assert shares(mounted) == ["0 %", "100 %"]
    assert mounted.root.locator("[aria-selected='true']").inner_text() == "0"
    assert mounted.root.locator(".xw-sa-readout").inner_text() == "layer 2, head 2: 0.00"
    mounted.page.keyboard.press("Enter")
    mounted.settled()
    assert heard == [(2, 2), None]


def test_the_table_has_a_row_for_each_head(mount, view) -> None:
    mounted = mount(view)
    mounted.root.get_by_role("button", name="table").click()
    rows = mounted.root.locator(".xw-table tbody tr")
    assert rows.nth(3).inner_text().split("\t") == ["layer 2, head 2", "0.00", "1.00"]
    assert rows.count() == 6


def test_new_shares_repaint_and_new_segments_rename(mount, view) -> None:
    mounted = mount(view)
    view.set_mass(MASS[..., :1] / 2, segments=["All."])
    mounted.push()
    assert mounted.root.get_attribute("data-version") == "2"
    assert mounted.root.locator(".xw-sa-text").all_inner_texts() == ["All."]
    assert numbers(mounted)[-1] == "50"
