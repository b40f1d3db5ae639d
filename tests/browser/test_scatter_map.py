"""The scatter and map in a real browser."""

import pytest

from xllm_widgets.widgets.scatter_map import ScatterMap

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1>"
POINTS = [
    {"name": "west", "x": -60.0, "y": 0.0},
    {"name": "middle", "x": 0.0, "y": 10.0, "held_out": True},
    {"name": HOSTILE, "x": 60.0, "y": 0.0},
]


@pytest.fixture
def view() -> ScatterMap:
    return ScatterMap(POINTS, graticule=30, turning=True)


def points(mounted):
    return mounted.root.get_by_role("option")


def centre(node) -> tuple[float, float]:
    box = node.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_names_on_hover_and_focus_are_text(mount, view) -> None:
    mounted = mount(view)
    mounted.root.locator("[data-i='0']").focus()
    assert mounted.root.locator(".xw-sm-name").text_content() == "west"
    mounted.page.keyboard.press("ArrowRight")
    mounted.page.keyboard.press("ArrowRight")
    assert mounted.root.locator(".xw-sm-name").text_content() == HOSTILE
    mounted.page.mouse.move(*centre(mounted.root.locator("[data-i='1']")))
    assert mounted.root.locator(".xw-sm-name").text_content() == "middle"
    assert "held out" in mounted.root.locator(".xw-sm-readout").inner_text()
    assert mounted.root.locator("img").count() == 0
    assert mounted.page.evaluate("window.owned") is None


def test_drag_chooses_what_lies_inside_and_shift_adds(mount, view) -> None:
    mounted = mount(view)
    mouse = mounted.page.mouse
    for i, keys, chosen in ((0, None, [0]), (2, "Shift", [0, 2])):
        x, y = centre(mounted.root.locator(f"[data-i='{i}']"))
        if keys:
            mounted.page.keyboard.down(keys)
        mouse.move(x - 30, y - 30)
        mouse.down()
        mouse.move(x + 30, y + 30, steps=3)
        mouse.up()
        mounted.settled()
        assert view.selected == chosen
    mounted.page.keyboard.up("Shift")
    mounted.root.get_by_role("button", name="choose none").click()
    mounted.settled()
    assert view.selected == []


def test_enter_chooses_and_escape_takes_back(mount, view) -> None:
    mounted = mount(view)
    mounted.root.locator("[data-i='1']").focus()
    mounted.page.keyboard.press("Enter")
    mounted.settled()
    assert view.selected_names == ["middle"]
    mounted.page.keyboard.press("Escape")
    mounted.settled()
    assert view.selected == []


def test_held_out_points_are_hollow_and_the_map_has_degrees(mount, view) -> None:
    mounted = mount(view)
    fills = [points(mounted).nth(i).evaluate("n => [n.dataset.i, getComputedStyle(n).fill]") for i in range(3)]
    assert dict(fills)["1"] == "rgb(255, 255, 255)"
    assert dict(fills)["0"] != "rgb(255, 255, 255)"
    ticks = mounted.root.locator(".xw-sm-tick").all_text_contents()
    assert {"60°W", "30°W", "0°", "30°E", "60°E"} <= set(ticks)


def test_centre_and_rotate_move_the_points_and_python_agrees(mount, view) -> None:
    mounted = mount(view)
    before = centre(mounted.root.locator("[data-i='2']"))
    for _ in range(6):
        mounted.root.get_by_role("button", name="rotate 15 degrees counterclockwise").click()
    mounted.settled()
    assert view.rotation == 90
    assert centre(mounted.root.locator("[data-i='2']")) != before
    shown = view.shown()
    label = mounted.root.locator("[data-i='2']").get_attribute("aria-label")
    assert f"y {shown[2][1]:.1f}" in label
    mounted.root.get_by_role("button", name="centre").click()
    mounted.settled()
    assert view.centred
    mounted.root.get_by_role("button", name="as it was").click()
    mounted.settled()
    assert (view.rotation, view.centred) == (0, False)
