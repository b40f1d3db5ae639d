"""The token heatmap in a real browser."""

import numpy as np
import pytest

from xllm_widgets.widgets.token_heatmap import TokenHeatmap

pytestmark = pytest.mark.browser

HOSTILE = ["<img src=x onerror=window.owned=1>", "</script>", "</style>", " <b>x</b>", "&amp;", "日本語", " مرحبا"]
WORDS = ["The", " film", " was", " bright", ".\n"]
SCORES = [0.0, 0.5, -0.25, 1.0, float("nan")]


def tokens_of(mounted):
    return mounted.root.locator(".xw-token")


def test_hostile_tokens_are_text(mount) -> None:
    view = TokenHeatmap(HOSTILE, range(len(HOSTILE)), title="<img>", caption="</style><b>", targets=["<u>"])
    mounted = mount(view)
    assert tokens_of(mounted).all_text_contents() == HOSTILE
    assert mounted.page.evaluate("window.owned") is None
    assert mounted.page.locator(".xw-view :is(img, b, u, script)").count() == 0


def test_bytes_and_newlines_have_glyphs(mount) -> None:
    mounted = mount(TokenHeatmap(["<0xE6>", "a\n", " b", "\u200b", ""], range(5)))
    assert tokens_of(mounted).nth(0).inner_text() == "E6"
    assert tokens_of(mounted).nth(1).locator(".xw-newline").count() == 1
    assert tokens_of(mounted).nth(2).locator(".xw-space").count() == 1
    assert tokens_of(mounted).nth(3).inner_text() == "200B"
    assert tokens_of(mounted).nth(4).inner_text() == "∅"


def test_keys_move_and_select_and_python_hears(mount) -> None:
    view = TokenHeatmap(WORDS, SCORES, units="nats")
    chosen: list[int] = []
    view.on_select(chosen.append)
    mounted = mount(view)
    tokens_of(mounted).first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert chosen == [3]
    assert view.selected_token == " bright"
    assert tokens_of(mounted).nth(3).get_attribute("aria-selected") == "true"
    assert mounted.root.locator(".xw-token[tabindex='0']").count() == 1
    mounted.page.keyboard.press("Home")
    mounted.page.keyboard.press("Enter")
    mounted.settled()
    assert chosen == [3, 0]


def test_the_number_is_there_on_focus_and_in_the_table(mount) -> None:
    mounted = mount(TokenHeatmap(WORDS, SCORES, units="nats"))
    tokens_of(mounted).nth(2).focus()
    assert mounted.root.locator(".xw-th-readout").inner_text() == "“ was” −0.25 nats, away"
    mounted.page.keyboard.press("t")
    rows = mounted.root.locator(".xw-table tbody tr")
    assert rows.count() == len(WORDS)
    assert rows.nth(3).inner_text().split("\t")[-1] == "+1.00"
    assert rows.nth(4).inner_text().split("\t")[-1] == "–"


def test_a_target_is_chosen_by_hand_and_repaints(mount) -> None:
    view = TokenHeatmap(["a", " b"], [[1.0, 0.0], [0.0, -1.0]], targets=["positive", "negative"])
    mounted = mount(view)
    before = tokens_of(mounted).evaluate_all("all => all.map((node) => node.style.background)")
    mounted.root.get_by_role("radio", name="negative").click()
    mounted.settled()
    after = tokens_of(mounted).evaluate_all("all => all.map((node) => node.style.background)")
    assert view.target == 1
    assert before[0] == after[1].replace("away", "toward") != before[1]


def test_four_thousand_tokens(mount) -> None:
    view = TokenHeatmap([" word"] * 4000, np.linspace(-1, 1, 4000))
    mounted = mount(view)
    assert tokens_of(mounted).count() == 4000
    view.set_scores(np.linspace(1, -1, 4000))
    mounted.push()
    assert mounted.root.get_attribute("data-version") == "2"
    assert tokens_of(mounted).first.get_attribute("data-number") == "+1.00"


def test_title_and_caption_follow_python(mount) -> None:
    view = TokenHeatmap(WORDS, SCORES)
    mounted = mount(view)
    view.title, view.caption = "Why", "n = 3"
    mounted.push()
    assert mounted.root.locator(".xw-title").inner_text() == "Why"
    assert mounted.root.locator(".xw-eyebrow").inner_text() == "n = 3"


def test_two_views_of_one_model_follow_each_other_and_leave_nothing_behind(mount) -> None:
    mounted = mount(TokenHeatmap(WORDS, SCORES), views=2)
    mounted.page.locator(".xw-view").nth(0).locator(".xw-token").nth(1).click()
    second = mounted.page.locator(".xw-view").nth(1).locator(".xw-token").nth(1)
    assert second.get_attribute("aria-selected") == "true"
    assert mounted.unmount() == 0
    assert mounted.page.locator(".xw-view").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_says_whether_it_is_dark(mount, dark) -> None:
    mounted = mount(TokenHeatmap(WORDS, SCORES), dark=dark)
    ground = mounted.root.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert ground == ("rgb(17, 18, 19)" if dark else "rgb(255, 255, 255)")
