"""Cards and exercises write into the journal what a student did, once, and say in the view what went wrong."""

from pathlib import Path

import pytest

import xllm_widgets as xw
from xllm_widgets.classroom import check, hint, journal, keep_journal
from xllm_widgets.classroom.predictions import PredictionCard, watch
from xllm_widgets.widgets import prediction_card as view


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> journal.Journal:
    monkeypatch.setattr(journal, "_session", {})
    return keep_journal("Ada", tmp_path)


def card() -> PredictionCard:
    return PredictionCard("Which?", ["stays", "flips"])


def test_a_locked_prediction_and_its_outcome_are_written_down(kept: journal.Journal) -> None:
    made = card()
    made.predict("flips", 0.8)
    assert kept.entries() == []
    made.lock()
    (locked,) = kept.entries()
    assert (locked["kind"], locked["question"], locked["prediction"], locked["confidence"]) == (
        "prediction", "Which?", "flips", 0.8,
    )  # fmt: skip
    made.score("stays")
    made.score("stays")
    assert [entry["kind"] for entry in kept.entries()] == ["prediction", "outcome"]
    assert [each.brier for each in kept.predictions()] == [pytest.approx(0.64)]
    assert made.error == ""


def test_looking_locks_and_a_card_without_a_prediction_has_nothing_to_tell(kept: journal.Journal) -> None:
    made = card()
    made.predict("flips", 0.8)
    made.score("flips")
    assert [entry["kind"] for entry in kept.entries()] == ["prediction", "outcome"]
    card().score("flips")
    assert len(kept.entries()) == 2


def test_what_the_browser_sends_is_written_down(kept: journal.Journal) -> None:
    made = PredictionCard("How much?", low=0, high=1, unit="nats")
    made.set_state({"prediction": 0.25, "confidence": 0.7, "locked": True})
    (locked,) = kept.entries()
    assert (locked["prediction"], locked["confidence"], locked["unit"]) == (0.25, 0.7, "nats")


def test_an_explanation_is_written_down_and_the_last_one_counts(kept: journal.Journal) -> None:
    made, other = card(), card()
    for each in (made, other):
        each.predict("flips", 0.8)
        each.score("stays")
    made.explain("chance")
    made.explain("its prior is stronger")
    told = kept.entries("explanation")
    assert [(entry["question"], entry["text"]) for entry in told] == [
        ("Which?", "chance"), ("Which?", "its prior is stronger"),
    ]  # fmt: skip
    assert told[0]["card"] == kept.entries("prediction")[0]["card"]
    assert [each.explanation for each in kept.predictions()] == ["its prior is stronger", ""]
    made.explain("")
    assert [each.explanation for each in kept.predictions()] == ["", ""]


def test_what_was_explained_before_a_card_was_watched_is_written_down(kept: journal.Journal) -> None:
    plain = view.PredictionCard("Which?", ["stays", "flips"])
    plain.predict("flips", 0.8)
    plain.score("stays").explain("its prior")
    watch(plain)
    assert [each.explanation for each in kept.predictions()] == ["its prior"]


def test_a_card_of_the_views_is_written_down_once_it_is_watched(kept: journal.Journal) -> None:
    plain = view.PredictionCard("Which?", ["stays", "flips"])
    plain.predict("flips", 0.8)
    plain.lock()
    assert kept.entries() == []
    watch(plain)
    watch(plain)
    plain.score("flips")
    assert [entry["kind"] for entry in kept.entries()] == ["prediction", "outcome"]


def test_a_journal_that_cannot_be_written_stops_nothing_and_is_told(tmp_path: Path, kept: journal.Journal) -> None:
    (tmp_path / "file").write_text("mine")
    keep_journal("Ada", tmp_path / "file")
    made = card()
    made.predict("flips", 0.8)
    made.score("flips")
    assert made.brier == pytest.approx(0.04)
    assert made.error.startswith("Not written into the journal: ")
    assert "Not written into the journal" in check("00-count", "a").text


def test_a_damaged_journal_is_told_under_the_card(kept: journal.Journal) -> None:
    kept.path.write_text("{")
    made = card()
    made.predict("flips", 0.8)
    made.lock()
    assert "set aside as Ada.damaged-1.json" in made.error
    assert len(kept.entries()) == 1


def test_the_card_of_the_public_face_is_the_one_that_is_kept() -> None:
    assert xw.PredictionCard is PredictionCard
    assert xw.Journal is journal.Journal


def test_exercises_are_written_down_and_what_is_no_attempt_is_not(kept: journal.Journal) -> None:
    check("00-count", "?")
    check("00-verdict", 3)
    check("00-verdict", lambda low, high, threshold: None)
    assert kept.entries() == []
    check("00-count", "b")
    hint("00-count")
    check("00-count", "a")
    wrong, right = kept.entries()
    assert (wrong["exercise"], wrong["right"], wrong["misconception"]) == (
        "00-count", False, "only documents on the subject matter",
    )  # fmt: skip
    assert right["right"] is True
    assert right["hints"] == wrong["hints"] + 1
