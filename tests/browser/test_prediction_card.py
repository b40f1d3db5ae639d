"""The prediction card in a real browser: chosen, locked, scored."""

import pytest

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
