"""bertviz's two views in a real browser: they draw without a network, and a token is text whatever it says."""

import numpy as np
import pytest
from browsing import watched_page

import xllm_widgets as xw
from xllm_widgets.widgets import BertvizView, static_page

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><img src=x onerror=parent.owned=owned=1>", "<img src=https://example.org/x>", "<script>owned=1</script>",
    "';owned=1;'", "${owned=1}", "\u2028owned=1", "日本語",
]  # fmt: skip
KINDS = ["head", "model"]
LAYERS, HEADS = 3, 4


def attention(tokens: int, layers: int = LAYERS, heads: int = HEADS) -> np.ndarray:
    weights = np.tril(np.random.default_rng(0).random((layers, heads, tokens, tokens)))
    return weights / weights.sum(-1, keepdims=True)


def view(kind: str, tokens: list[str] | None = None) -> BertvizView:
    words = tokens or ["The", " film", " was", " bright", "."]
    return BertvizView(words, attention(len(words)), kind=kind)


def drawing(page, nth: int = 0):
    """The inside of a view's frame, once something is drawn there."""
    frame = page.frame_locator(f".xw-bv-frame >> nth={nth}")
    frame.locator("svg line").first.wait_for(state="attached")
    return frame


def opacities(frame) -> list[str]:
    return frame.locator("#attention line").evaluate_all(
        "all => all.map((line) => line.getAttribute('stroke-opacity'))"
    )


def test_the_head_view_draws_every_weight_of_a_layer_and_follows_the_hand(mount) -> None:
    frame = drawing(mount(view("head")).page)
    assert frame.locator("#attention line").count() == HEADS * 5 * 5
    assert frame.locator("option").all_inner_texts() == ["1", "2", "3"]
    first = opacities(frame)
    seen = attention(5)[0].reshape(-1) / HEADS  # bertviz shares the ink among the heads that are on
    np.testing.assert_allclose([float(opacity) for opacity in first], seen, atol=0.5 / 255)
    frame.get_by_role("combobox", name="layer").select_option("3")
    assert opacities(frame) != first
    frame.locator("#left text").nth(3).hover()
    assert frame.locator("#attention").get_attribute("visibility") == "hidden"
    assert frame.locator("line[visibility='visible']").count() == HEADS * 5
    before = opacities(frame)
    frame.locator("svg > g:last-of-type rect").first.click()  # the square of the first head
    assert opacities(frame) != before


def test_the_model_view_draws_every_head_and_opens_the_one_chosen(mount) -> None:
    frame = drawing(mount(view("model")).page)
    assert frame.locator(".attn_background").count() == LAYERS * HEADS
    assert frame.locator("line").count() == LAYERS * HEADS * 15  # what no query can see is not drawn
    assert frame.locator(".detail").count() == 0
    frame.locator("#attn_background_1_2 ~ rect").click()
    frame.locator("text.detail", has_text="layer 2, head 3").wait_for(state="attached")
    assert frame.locator(".detail .token").all_text_contents() == 2 * ["The", " film", " was", " bright", "."]
    large = frame.locator(".attn-line-group")
    assert large.locator("line").count() == 15
    frame.locator(".detail .token").nth(1).hover()
    assert large.evaluate_all("all => all.map((group) => group.style.opacity)") == ["0", "1", "0", "0", "0"]


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_tokens_are_text(mount, kind) -> None:
    page = mount(view(kind, HOSTILE)).page
    frame = drawing(page)
    if kind == "model":
        frame.locator("#attn_background_0_0 ~ rect").click()
    said = frame.locator("#left text" if kind == "head" else ".detail .token").all_text_contents()
    assert said[: len(HOSTILE)] == HOSTILE
    assert frame.locator("img").count() == 0
    assert [inside.evaluate("window.owned") for inside in page.frames] == [None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_can_reach_neither_the_page_nor_a_network(mount, kind) -> None:
    page = mount(view(kind)).page
    drawing(page)
    (inside,) = page.frames[1:]
    assert page.locator(".xw-bv-frame").get_attribute("sandbox") == "allow-scripts"
    assert inside.evaluate("origin") == "null"
    tried = """() => { try { return String(parent.document); } catch (wrong) { return wrong.name; } }"""
    assert inside.evaluate(tried) == "SecurityError"
    policy = inside.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_is_as_high_as_its_drawing_and_follows_the_theme(mount, kind) -> None:
    mounted = mount(view(kind))
    frame = drawing(mounted.page)
    drawn, shown = (part.bounding_box()["height"] for part in (frame.locator("svg"), mounted.page.locator("iframe")))
    assert drawn <= shown <= drawn + 80
    ink = "node => getComputedStyle(node).fill"
    assert frame.locator("text").first.evaluate(ink) == "rgb(10, 10, 11)"
    mounted.page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
    mounted.page.wait_for_function(
        "getComputedStyle(document.querySelector('.xw-view')).color === 'rgb(236, 238, 240)'"
    )
    frame.locator("text").first.evaluate("() => new Promise(requestAnimationFrame)")
    assert frame.locator("text").first.evaluate(ink) == "rgb(236, 238, 240)"


def test_the_table_says_where_each_head_looks_most(mount) -> None:
    mounted = mount(view("head"))
    mounted.root.get_by_role("button", name="table").click()
    rows = mounted.root.locator(".xw-table tbody tr")
    last = attention(5)[:, :, -1]
    assert rows.count() == LAYERS * HEADS
    row, head = 1, 2
    token = view("head").tokens[last[row, head].argmax()]
    assert rows.nth(row * HEADS + head).inner_text().split("\t")[:2] == ["layer 2, head 3", f"“{token}”"]


def test_two_views_of_one_model_draw_apart(mount) -> None:
    mounted = mount(view("head"), views=2)
    first, second = drawing(mounted.page, 0), drawing(mounted.page, 1)
    first.get_by_role("combobox").select_option("2")
    assert opacities(first) != opacities(second)


def test_a_saved_page_draws_without_network_or_kernel(chromium, tmp_path) -> None:
    page = tmp_path / "views.html"
    page.write_text(static_page.page([view(kind, HOSTILE) for kind in KINDS]), encoding="utf-8")
    with watched_page(chromium) as seen:
        seen.page.context.set_offline(True)
        seen.page.goto(page.as_uri())
        for nth in range(2):
            assert drawing(seen.page, nth).locator("line").count() > 0
        assert [inside.evaluate("window.owned") for inside in seen.page.frames] == [None] * 3
        seen.assert_clean()


def test_both_views_draw_in_jupyterlab(run_nb) -> None:
    tokens = [HOSTILE[0], *HOSTILE[-1:]]
    cell = f"""import numpy as np
from xllm_widgets.widgets import BertvizView
weights = np.ones((2, 2, 2, 2)) / 2
BertvizView({tokens!r}, weights, kind="KIND")"""
    page = run_nb([cell.replace("KIND", kind) for kind in KINDS])
    for nth, lines in enumerate((8, 12)):
        assert drawing(page, nth).locator("line").count() == lines
    assert page.evaluate("window.owned") is None


def test_everything_that_a_pointer_does_keys_do(mount) -> None:
    page = mount(view("head")).page
    frame = drawing(page)
    first = opacities(frame)
    frame.get_by_role("button", name="head 1", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert opacities(frame) != first, "the second head is off"
    page.keyboard.press("Enter")
    assert opacities(frame) == first
    page.keyboard.press("Shift+Enter")
    assert sum(float(opacity) > 0 for opacity in opacities(frame)) == 15, "the second head alone"
    frame.get_by_role("button", name="film").first.focus()
    page.keyboard.press("ArrowDown")
    assert frame.locator("line[visibility='visible']").first.get_attribute("left-token-index") == "2"


def test_the_model_view_opens_a_head_by_keys(mount) -> None:
    page = mount(view("model")).page
    frame = drawing(page)
    frame.get_by_role("button", name="layer 1, head 1", exact=True).focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    frame.locator("text.detail", has_text="layer 2, head 2").wait_for(state="attached")
    frame.locator(".detail [role='button']").first.focus()
    page.keyboard.press("ArrowDown")
    large = frame.locator(".attn-line-group")
    assert large.evaluate_all("all => all.map((group) => group.style.opacity)") == ["0", "1", "0", "0", "0"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_bertviz_draws_breaks_no_rule_of_accessibility(mount, violations, kind, dark) -> None:
    page = mount(view(kind), dark=dark).page
    frame = drawing(page)
    if kind == "model":
        frame.get_by_role("button", name="layer 2, head 2").click()
    assert frame.locator("[role='button']").count() > 0
    assert violations(page, ".xw-view") == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_the_language_that_is_on(mount, kind) -> None:
    xw.language("zh")
    try:
        made = view(kind)
    finally:
        xw.language("en")
    drawn = drawing(mount(made).page)
    if kind == "head":
        drawn.get_by_role("combobox", name="层").wait_for()
    else:
        for axis in ("头", "层"):
            drawn.get_by_text(axis, exact=True).wait_for()
        drawn.locator("#attn_background_1_2 ~ rect").click()
        drawn.get_by_text("第 2 层，第 3 头").wait_for()
    assert not drawn.get_by_text("Head").or_(drawn.get_by_text("Layer")).count()
