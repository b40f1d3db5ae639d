"""The prediction card in a real browser: chosen, locked, scored."""

import pytest
from browsing import watched_page

from xllm_widgets.widgets import static_page
from xllm_widgets.widgets.prediction_card import PredictionCard

pytestmark = pytest.mark.browser

OPTIONS = ["its prior", "the <b>demonstrations</b>"]


def test_choose_lock_score(mount) -> None:
    card = PredictionCard("What will it follow? <img src=x>", OPTIONS)
    mounted = mount(card)
    lock = mounted.root.get_by_role("button", name="Lock it")
    assert lock.is_disabled()
    mounted.root.get_by_role("radio").nth(1).click()
    mounted.root.get_by_label("confidence in per cent").fill("80")
    lock.click()
    mounted.settled()
    assert (card.prediction, card.confidence, card.locked) == (OPTIONS[1], 0.8, True)
    assert all(radio.is_disabled() for radio in mounted.root.get_by_role("radio").all())
    assert not lock.is_visible()
    card.score(OPTIONS[1])
    mounted.push()
    result = mounted.root.locator(".xw-pc-result").inner_text()
    assert "You were right" in result
    assert "0.04" in result
    assert "0.25 a coin toss" in result
    assert mounted.root.locator("img, b").count() == 0


def scored() -> PredictionCard:
    card = PredictionCard("Which?", ["a", "b"])
    card.predict("a", 0.8)
    return card.score("b")


def test_after_the_score_it_asks_why(mount) -> None:
    card = PredictionCard("Which?", ["a", "b"])
    mounted = mount(card)
    why = mounted.root.get_by_label("Why did it come out so?")
    assert not why.is_visible()
    card.predict("a", 0.8)
    card.score("b")
    mounted.push()
    state = mounted.root.locator(".xw-pc-why .xw-pc-state")
    assert state.inner_text() == ""
    why.fill(" <img src=x> its prior ")
    assert (state.inner_text(), card.explanation) == ("not kept yet", "")
    why.blur()
    mounted.settled()
    assert card.explanation == "<img src=x> its prior"
    assert (state.inner_text(), why.input_value()) == ("✓ kept", "<img src=x> its prior")
    assert mounted.root.locator("img").count() == 0


def test_the_explanation_is_kept_by_keys_which_the_notebook_does_not_hear(mount) -> None:
    card = scored()
    mounted = mount(card, views=2)
    mounted.page.evaluate("heard = []; document.addEventListener('keydown', (event) => heard.push(event.key))")
    here, there = (root.get_by_label("Why did") for root in mounted.page.locator(".xw-view").all())
    here.focus()
    mounted.page.keyboard.type("a")
    mounted.page.keyboard.press("Enter")
    mounted.page.keyboard.type("b")
    mounted.settled()
    assert card.explanation == ""
    mounted.page.keyboard.press("Control+Enter")
    mounted.settled()
    assert mounted.page.evaluate("heard") == []
    assert card.explanation == here.input_value() == there.input_value() == "a\nb"
    mounted.page.keyboard.press("Control+Enter")
    mounted.page.keyboard.press("Tab")
    mounted.settled()
    assert [sent for sent in mounted.saved if "explanation" in sent] == [{"explanation": "a\nb"}]


def test_kept_is_said_only_once_python_has_it(mount) -> None:
    card = scored()
    mounted = mount(card)
    mounted.page.evaluate("bench.model.save_changes = () => {}")  # a kernel that is busy, or gone
    mounted.root.get_by_label("Why did").fill("its prior")
    mounted.root.get_by_label("Why did").blur()
    state = mounted.root.locator(".xw-pc-why .xw-pc-state")
    assert state.inner_text() == "not kept yet"
    card.explain("its prior")
    mounted.push()
    assert state.inner_text() == "✓ kept"


def test_a_saved_page_shows_the_explanation_and_asks_for_none(chromium, tmp_path) -> None:
    told = scored()
    told.explain("its prior")
    page = tmp_path / "cards.html"
    page.write_text(static_page.page([told, scored()]), encoding="utf-8")
    with watched_page(chromium) as seen:
        seen.page.goto(page.as_uri())
        seen.page.wait_for_selector(".xw-view >> nth=1")
        shown, silent = (root.get_by_label("Why did") for root in seen.page.locator(".xw-view").all())
        assert shown.input_value() == "its prior"
        assert not shown.is_editable()
        assert not silent.is_visible()
        seen.assert_clean()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_explained_card_breaks_no_rule_of_accessibility(mount, violations, picture, dark) -> None:
    card = scored()
    mounted = mount(card, dark=dark)
    assert violations(mounted.page, ".xw-view") == []
    mounted.root.get_by_label("Why did").fill("Its prior is stronger than four demonstrations.\nSixteen would do.")
    mounted.root.get_by_label("Why did").blur()
    mounted.settled()
    assert violations(mounted.page, ".xw-view") == []
    picture(mounted.root, "prediction_card", "explained_dark" if dark else "explained_light")


def test_keys_choose_between_options(mount) -> None:
    card = PredictionCard("Which?", ["a", "b", "c"])
    mounted = mount(card)
    mounted.root.get_by_role("radio").first.focus()
    mounted.page.keyboard.press("ArrowDown")
    mounted.settled()
    assert card.prediction == "b"
    mounted.page.keyboard.press("ArrowUp")
    mounted.page.keyboard.press("ArrowUp")
    mounted.settled()
    assert card.prediction == "c"
    assert mounted.root.locator("[role=radio][tabindex='0']").inner_text() == "c"


def test_a_number_is_chosen_by_keys_and_shown_beside_the_outcome(mount) -> None:
    card = PredictionCard("How many?", low=0, high=10, step=1, unit="words")
    mounted = mount(card)
    number = mounted.root.get_by_label("How many?")
    assert number.get_attribute("aria-valuetext") == "not chosen yet"
    number.focus()
    mounted.page.keyboard.press("ArrowRight")
    mounted.settled()
    assert card.prediction == 6.0
    mounted.root.get_by_role("button", name="Lock it").click()
    mounted.settled()
    card.score(9)
    mounted.push()
    assert mounted.root.locator(".xw-pc-mark").inner_text().startswith("outcome 9 words")
    assert "Not as you expected" in mounted.root.locator(".xw-pc-result").inner_text()
    assert number.is_disabled()


@pytest.mark.parametrize("outcome", [0, 50, 100])
def test_the_outcome_is_told_within_the_scale_and_pointed_at_where_it_lies(mount, outcome) -> None:
    card = PredictionCard("How many?", low=0, high=100, step=1, unit="words in the answer")
    card.predict(50, 0.8)
    mounted = mount(card.score(outcome))
    scale, words, mark = (
        mounted.root.locator(f".xw-pc-{part}").bounding_box() for part in ("scale", "mark span", "mark")
    )
    assert scale["x"] <= words["x"] + 1
    assert words["x"] + words["width"] <= scale["x"] + scale["width"] + 1
    pointed = (mark["x"] + mark["width"] / 2 - scale["x"] - 8) / (scale["width"] - 16)
    assert pointed == pytest.approx(outcome / 100, abs=0.01)


def test_the_thumb_where_it_stands_can_be_chosen_by_a_click(mount) -> None:
    card = PredictionCard("How much?", low=0, high=1)
    mounted = mount(card)
    mounted.root.get_by_label("How much?").click()
    mounted.settled()
    assert card.prediction == pytest.approx(0.5, abs=0.02)


def test_what_python_locked_meanwhile_stays_and_the_view_says_so(mount) -> None:
    card = PredictionCard("Which?", ["a", "b"])
    mounted = mount(card)
    card.predict("a", 0.9)
    card.lock()  # the browser has not heard of it yet
    mounted.root.get_by_role("radio").nth(1).click()
    mounted.settled()
    assert card.prediction == "a"
    assert "locked" in mounted.root.locator(".xw-error").inner_text()
    assert mounted.root.get_by_role("radio").first.get_attribute("aria-checked") == "true"
