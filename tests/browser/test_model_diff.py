"""The model diff in a real browser: colour and bar say whose token it was, a choice shows what was expected there."""

import pytest

from xllm_widgets.widgets.model_diff import ModelDiff

pytestmark = pytest.mark.browser

INSTEAD = [{"token": " 是", "p": [0.37, 0.05]}, {"token": "!", "p": [0, 0.5]}]
STEPS = [
    {"token": "<b>Is</b>", "logprobs": [None, None]},
    {"token": " 是", "logprobs": [-1.0, -3.0], "top": INSTEAD},
    {"token": " مرحبا\n", "logprobs": [-2.0, -1.5]},
    {"token": "x", "logprobs": [-2.0, -2.01]},
]
NEXT = [{"token": " yes", "p": [0.25, 0.9]}, {"token": " no", "p": [0.2, None]}]


def tokens_of(mounted):
    return mounted.root.locator(".xw-md-line .xw-md-token")


def rows_of(mounted):
    return mounted.root.locator(".xw-md-row[role='img']")


def test_colour_and_bar_say_who_expected_the_token_more(mount) -> None:
    mounted = mount(ModelDiff(STEPS, NEXT, ["<i>no</i>", "yes"]))
    assert tokens_of(mounted).all_text_contents() == [step["token"] for step in STEPS]
    borders = "(node) => ['borderTopWidth', 'borderBottomWidth'].map((s) => getComputedStyle(node)[s] !== '0px')"
    assert [tokens_of(mounted).nth(i).evaluate(borders) for i in range(4)] == [
        [False, False], [True, False], [False, True], [False, False],
    ]  # fmt: skip
    grounds = tokens_of(mounted).evaluate_all("all => all.map((node) => getComputedStyle(node).backgroundColor)")
    assert len(set(grounds[:3])) == 3
    assert tokens_of(mounted).nth(1).get_attribute("data-number") == "−2.00"
    assert "base expected it more by 2.00" in tokens_of(mounted).nth(1).get_attribute("aria-label")
    assert mounted.root.locator("b, i").count() == 0


def test_a_token_is_chosen_by_key_and_shows_what_was_expected_there(mount) -> None:
    view, heard = ModelDiff(STEPS, NEXT), []
    view.on_select(heard.append)
    mounted = mount(view)
    assert rows_of(mounted).first.get_attribute("aria-label") == "“ yes”: 25 % by base, 90.0 % by chat"
    tokens_of(mounted).first.focus()
    for key in ("ArrowRight", "Enter"):
        mounted.page.keyboard.press(key)
    mounted.settled()
    assert heard == [1]
    assert mounted.root.locator(".xw-md-heads .xw-md-middle").inner_text() == "in place of “ 是”"
    assert rows_of(mounted).count() == 2
    assert mounted.root.locator(".xw-md-this .xw-md-came").count() == 1
    mounted.page.keyboard.press("End")
    assert "not known" in mounted.root.locator(".xw-md-none").inner_text()
    assert mounted.root.locator(".xw-md-readout").inner_text().startswith("“x” ln p −2.00 by base, −2.01 by chat")


def test_bars_are_probabilities_and_an_unknown_one_is_a_dash(mount) -> None:
    mounted = mount(ModelDiff(STEPS, NEXT))
    widths = rows_of(mounted).locator(".xw-md-bar").evaluate_all("all => all.map((node) => node.style.width)")
    assert widths == ["25%", "90%", "20%", "0%"]
    assert rows_of(mounted).nth(1).locator(".xw-md-p").all_inner_texts() == ["20 %", "–"]


def test_numbers_table_and_new_readings(mount) -> None:
    view = ModelDiff(STEPS, NEXT, ["no", "yes"])
    mounted = mount(view)
    tokens_of(mounted).first.focus()
    for key in "nt":
        mounted.page.keyboard.press(key)
    assert mounted.root.locator(".xw-md-numbers").count() == 1
    rows = mounted.root.locator("tbody tr")
    assert rows.nth(1).inner_text().split("\t")[1:] == ["−1.00", "−3.00", "−2.00"]
    assert rows.count() == len(STEPS) + len(NEXT)
    view.names = ["small", "large"]
    view.continuations = ["this", "that"]
    view.steps = STEPS[1:2]
    mounted.push()
    assert tokens_of(mounted).count() == 1
    assert mounted.root.locator(".xw-md-end").all_inner_texts() == ["small goes on\nthis", "large goes on\nthat"]
    assert mounted.root.locator(".xw-md-said").inner_text() == view.said
