"""A prediction is written down, locked for good, and scored."""

import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.prediction_card import PredictionCard, PredictionError


def card(**more) -> PredictionCard:
    return PredictionCard("Which?", ["stays", "flips"], **more)


def test_predict_lock_score() -> None:
    made = card()
    made.predict("flips", 0.8)
    made.lock()
    assert made.score("flips") is made
    assert made.correct is True
    assert made.brier == pytest.approx(0.04)
    assert "Brier score 0.04" in made.describe()
    assert card().score("stays").brier is None


def test_what_came_out_is_explained_and_thought_again() -> None:
    made = card()
    made.predict("flips", 0.8)
    with pytest.raises(PredictionError, match=r"^There is nothing to explain yet: predict, lock and run"):
        made.explain("I knew it")
    assert "Why" not in made.score("stays").describe()
    before = made.to_png()
    made.explain("  its prior is stronger\n")
    assert made.explanation == made.kept == "its prior is stronger"
    assert made.describe().endswith("Why: its prior is stronger")
    assert made.to_png() != before
    made.set_state({"explanation": "too few {shots}"})
    assert made.describe().endswith("Why: too few {shots}")
    made.explain("")
    assert (made.kept, "Why" in made.describe()) == ("", False)


def test_where_nothing_was_predicted_there_is_nothing_to_explain() -> None:
    made = card().score("flips")
    made.set_state({"explanation": "I would have known"})
    assert (made.explanation, made.kept) == ("", "")
    assert made.error.startswith("There is nothing to explain yet")


def test_sure_and_wrong_costs_one() -> None:
    made = card()
    made.predict("flips", 1.0)
    assert made.score("stays").brier == 1.0
    assert made.locked, "looking locks"


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.predict("stays"),
        lambda made: setattr(made, "prediction", "stays"),
        lambda made: setattr(made, "confidence", 1.0),
        lambda made: setattr(made, "locked", False),
        lambda made: setattr(made, "options", ["flips", "both"]),
        lambda made: setattr(made, "question", "Which else?"),
    ],
)
def test_locked_means_locked(change) -> None:
    made = card()
    made.predict("flips", 0.8)
    made.lock()
    with pytest.raises(PredictionError, match=r"^The prediction is locked and stays as it is: make a new card"):
        change(made)
    assert (made.prediction, made.confidence, made.locked) == ("flips", 0.8, True)
    assert made.options == ["stays", "flips"]


def test_no_prediction_can_be_added_after_the_outcome() -> None:
    made = card().score("flips")
    assert "No prediction was made" in made.describe()
    with pytest.raises(PredictionError, match="locked"):
        made.predict("flips", 1.0)


def test_one_message_may_both_predict_and_lock() -> None:
    made = card()
    made.set_state({"prediction": "flips", "confidence": 0.7, "locked": True})
    assert (made.prediction, made.confidence, made.locked) == ("flips", 0.7, True)
    made.set_state({"prediction": "stays"})
    assert made.prediction == "flips"
    assert "locked" in made.error


@pytest.mark.parametrize(
    ("value", "confidence", "said"),
    [
        ("flip", 0.8, "'flip' is not on the card: did you mean 'flips'"),
        ("xyz", 0.8, "choose one of 'stays', 'flips'"),
        ("flips", 0.3, "outside 0.5 .a blind guess. to 1"),
        ("flips", 80, "80 % sure is 0.8"),
    ],
)
def test_what_the_card_does_not_offer_is_refused(value, confidence, said) -> None:
    made = card()
    with pytest.raises(PredictionError, match=said):
        made.predict(value, confidence)
    assert made.prediction is None


def test_nothing_can_be_locked_before_a_choice() -> None:
    made = card()
    with pytest.raises(PredictionError, match="nothing to lock yet"):
        made.lock()
    assert not made.locked


def test_a_number_counts_as_right_within_its_band() -> None:
    made = PredictionCard("How much?", low=0, high=1, within=0.1)
    assert made.confidence == pytest.approx(0.2), "what a blind guess would hit"
    made.predict(0.7, 0.8)
    assert made.score(0.8).correct is True
    assert made.score(0.81).correct is False
    assert "0.7 ± 0.1" in made.describe()
    assert made.to_png().startswith(b"\x89PNG")


@pytest.mark.parametrize("value", [1.2, "much", float("nan"), True])
def test_a_number_off_the_scale_is_refused(value) -> None:
    with pytest.raises(XllmError, match="card"):
        PredictionCard("How much?", low=0, high=1).predict(value, 0.8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "options="),
        ({"options": ["only"]}, "two different options"),
        ({"options": ["a", "a"]}, "two different options"),
        ({"low": 1, "high": 0}, "low < high"),
        ({"options": ["a", "b"], "low": 0, "high": 1}, "not both"),
    ],
)
def test_a_card_that_offers_no_choice_is_refused(arguments, said) -> None:
    with pytest.raises(ViewError, match=said):
        PredictionCard("Which?", **arguments)


def test_on_lock_hears_once_and_its_errors_are_shown() -> None:
    made, heard = card(), []
    made.on_lock(lambda locked: heard.append(locked.prediction) or 1 / 0)
    made.predict("flips", 0.9)
    made.lock()
    made.lock()
    assert heard == ["flips"]
    assert "ZeroDivisionError" in made.error
