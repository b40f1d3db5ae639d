"""Journals of a class become one table: nothing twice, nothing lost, nothing run, damaged files named and skipped."""

import csv
import shutil
from pathlib import Path

import pytest

from xllm_widgets.classroom import Journal
from xllm_widgets.classroom.journal import JournalError
from xllm_widgets.classroom.merging import COLUMNS, merge


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def ada(tmp_path: Path) -> Journal:
    journal = Journal("Ada", tmp_path / "ada")
    journal.add("prediction", card="1", question="Which?", prediction="flips", confidence=0.8)
    return journal


def test_every_kind_of_entry_gets_a_row(ada: Journal, tmp_path: Path) -> None:
    ada.add("outcome", card="1", outcome="flips", correct=True)
    claims = [{"verdict": "shown"}, {"verdict": "reversed"}]
    ada.add("run", study="flipped_labels", model="pebble-1m", knobs={"shots": 8}, claims=claims)
    ada.add("explanation", card="1", question="Which?", text="chance")
    ada.add("explanation", card="1", question="Which?", text="the labels count")
    ada.add("exercise", exercise="00-count", right=False, misconception="only documents matter", hints=2)
    Journal("李雷", tmp_path / "li").note('你好, "quoted"\nsecond line')
    merged = merge([ada.path, tmp_path / "li"], tmp_path / "table.csv")
    rows = table(tmp_path / "table.csv")
    assert merged.students == {"Ada", "李雷"}
    assert merged.skipped == []
    assert tuple(rows[0]) == COLUMNS
    assert [row["kind"] for row in rows] == ["prediction", "run", "exercise", "note"]
    predicted, run, exercise, note = rows
    told = ("subject", "answer", "confidence", "outcome", "right")
    assert [predicted[name] for name in told] == ["Which?", "flips", "0.8", "flips", "True"]
    assert float(predicted["brier"]) == pytest.approx(0.04)
    assert predicted["explanation"] == "the labels count"
    assert run["outcome"] == "shown; reversed"
    assert run["details"] == '{"model": "pebble-1m", "shots": 8}'
    told = [exercise[name] for name in ("right", "details", "hints")]
    assert told == ["False", "only documents matter", "2"]
    assert (note["student"], note["details"]) == ("李雷", '你好, "quoted"\nsecond line')


def test_copies_of_a_journal_count_once_and_the_later_one_adds_what_came_of_it(ada: Journal, tmp_path: Path) -> None:
    early = tmp_path / "early.json"
    shutil.copy(ada.path, early)
    ada.add("outcome", card="1", outcome="stays", correct=False)
    ada.add("explanation", card="1", question="Which?", text="its prior")
    ada.note("later")
    for order in ([early, ada.path], [ada.path, early]):
        merge(order, tmp_path / "table.csv")
        rows = table(tmp_path / "table.csv")
        told = [(row["kind"], row["outcome"], row["explanation"]) for row in rows]
        assert told == [("prediction", "stays", "its prior"), ("note", "", "")]


def test_damaged_files_are_named_and_left_as_they_are(ada: Journal, tmp_path: Path) -> None:
    broken, elsewhere, missing = tmp_path / "broken.json", tmp_path / "other.json", tmp_path / "missing.json"
    broken.write_text('{"version": 1, "stud')
    elsewhere.write_text('{"cells": []}')
    merged = merge([broken, ada.path, elsewhere, missing], tmp_path / "table.csv")
    assert merged.skipped == [
        f"{broken} was skipped: broken.json is damaged: it is not the JSON of a journal.",
        f"{elsewhere} was skipped: other.json is not a journal.",
        f"{missing} was skipped: it cannot be read (No such file or directory).",
    ]
    assert broken.read_text() == '{"version": 1, "stud'
    assert len(table(tmp_path / "table.csv")) == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_a_spreadsheet_runs_nothing(text: str, tmp_path: Path) -> None:
    ada = Journal("Ada", tmp_path / "ada")
    ada.note(text)
    ada.add("prediction", card="1", question=text, prediction=-0.5, confidence=0.8)
    ada.add("explanation", card="1", question=text, text=text)
    merge([ada.path], tmp_path / "table.csv")
    found = {row["kind"]: row for row in table(tmp_path / "table.csv")}
    note, predicted = found["note"], found["prediction"]
    assert [note["details"], predicted["subject"], predicted["explanation"]] == [f"'{text}"] * 3
    assert predicted["answer"] == "-0.5"


def test_nothing_is_written_where_nothing_can_be_read(ada: Journal, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(JournalError, match=r"^No journal could be read\. .*broken\.json was skipped"):
        merge([broken], tmp_path / "table.csv")
    with pytest.raises(JournalError, match="is one of the journals"):
        merge([ada.path], ada.path)
    with pytest.raises(JournalError, match="cannot be written"):
        merge([ada.path], tmp_path / "nowhere" / "table.csv")
    assert not (tmp_path / "table.csv").exists()
    assert len(ada.entries()) == 1
