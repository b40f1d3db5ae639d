"""The instructor's side: the journals of a class in one table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xllm_widgets.classroom import safe_files
from xllm_widgets.classroom.journal import Contents, Entry, JournalError, predictions, read

COLUMNS = (
    "student", "file", "at", "kind", "subject", "answer", "confidence", "outcome", "right", "brier", "explanation",
    "hints", "details",
)  # fmt: skip
_OF_A_CARD = ("outcome", "explanation")  # what is said of a prediction after it is locked
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run instead of showing


@dataclass
class Merged:
    """Rows of the table, whose journals they are, and a sentence for each file that was skipped."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    students: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)


def merge(files: Iterable[str | Path], out: str | Path) -> Merged:
    """Put journals together into one CSV table, a row for each prediction, run, exercise and note.

    files: journals, or folders of them; each entry is taken once, however many copies of a journal were handed in, and
    no journal is changed. In the table confidence and brier are shares from 0 to 1, hints counts those opened before an
    exercise was checked, and a text that a spreadsheet would take for a formula begins with an apostrophe. Raises
    JournalError, and writes nothing, if none can be read or `out` cannot be written or is one of them.
    """
    paths, out = list(_expanded(files)), Path(out)
    if any(path.resolve() == out.resolve() for path in paths):
        raise JournalError(f"{out} is one of the journals; give the table another name, such as table.csv.")
    merged = Merged()
    journals = _readable(paths, merged.skipped)
    if not journals:
        raise JournalError(" ".join(["No journal could be read.", *merged.skipped]))
    later = [entry for each in journals.values() for entry in each.entries if entry["kind"] in _OF_A_CARD]
    for path, (student, entries) in journals.items():
        merged.students.add(student)
        merged.rows += [{"student": student, "file": str(path)} | row for row in rows([*entries, *later])]
    try:
        safe_files.write_whole(out, _csv(merged.rows))
    except OSError as reason:
        raise JournalError(f"{out} cannot be written ({reason.strerror}); choose another folder.") from reason
    return merged


def _expanded(files: Iterable[str | Path]) -> Iterable[Path]:
    for path in map(Path, files):
        yield from sorted(path.glob("[!.]*.json")) if path.is_dir() else [path]


def _readable(paths: list[Path], skipped: list[str]) -> dict[Path, Contents]:
    """Every sound journal with the entries that no earlier file had; `skipped` gets a sentence for each other one."""
    found: dict[Path, Contents] = {}
    seen: set[str] = set()
    for path in paths:
        try:
            student, entries = read(path)
        except JournalError as problem:
            skipped.append(f"{path} was skipped: {problem}")
        except OSError as problem:
            skipped.append(f"{path} was skipped: it cannot be read ({problem.strerror}).")
        else:
            found[path] = Contents(student, [entry for entry in entries if entry["id"] not in seen])
            seen |= {entry["id"] for entry in entries}
    return found


def rows(entries: list[Entry]) -> list[dict[str, Any]]:
    """Entries as rows, in the order of time; a prediction's outcome and explanation, of later, stand in its own row."""
    others = [_row(entry) for entry in entries if entry["kind"] not in ("prediction", *_OF_A_CARD)]
    predicted = [
        {"at": made.at, "kind": "prediction", "subject": made.question, "answer": made.prediction,
         "confidence": made.confidence, "outcome": made.outcome, "right": made.correct, "brier": made.brier,
         "explanation": made.explanation}
        for made in predictions(entries)
    ]  # fmt: skip
    return sorted([*predicted, *others], key=lambda row: row["at"])


def _row(entry: Entry) -> dict[str, Any]:
    row = {"at": entry["at"], "kind": entry["kind"]}
    if entry["kind"] == "run":
        verdicts = "; ".join(str(claim.get("verdict")) for claim in entry["claims"])
        details = json.dumps({"model": entry["model"], **entry["knobs"]}, ensure_ascii=False)
        return row | {"subject": entry["study"], "outcome": verdicts, "details": details}
    if entry["kind"] == "exercise":
        told = {"subject": entry["exercise"], "right": entry["right"], "details": entry["misconception"]}
        return row | told | {"hints": entry.get("hints")}
    return row | {"details": entry["text"]}


def _csv(rows: list[dict[str, Any]]) -> bytes:
    """With a mark at the front that tells spreadsheets which alphabet it is in."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
