"""The lab journal: what a student predicted, ran, explained, noted and solved, in one file that stays on this machine.

It begins by itself with the first locked prediction, run of a lab panel or checked exercise. To choose name and
folder: `classroom.keep_journal(student="Ada", folder="my journal")`. To keep none: `classroom.stop_journal()`, or set
XLLM_JOURNAL=off before the kernel starts; XLLM_JOURNAL=/a/folder keeps it there.

The file is JSON, written whole each time and then put in the place of the old one: a kernel killed at any moment loses
at most the entry that it was writing, and kernels that write at the same time take turns.
"""

from __future__ import annotations

import getpass
import json
import math
import os
import re
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from xllm_widgets.classroom import safe_files
from xllm_widgets.errors import XllmError
from xllm_widgets.paths import journal_dir

VERSION = 2  # 2 knows explanations; an install that does not must say so, not set the file aside as damaged
LONGEST_NAME = 60  # characters of a student's name: with an ending it still fits every file system
SETTING = "XLLM_JOURNAL"

Entry = dict[str, Any]

# The fields that each kind of entry must have, with their types; it may have more.
KINDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "prediction": {"card": str, "question": str, "prediction": (str, int, float), "confidence": (int, float)},
    "outcome": {"card": str, "outcome": (str, int, float), "correct": bool},
    "explanation": {"card": str, "question": str, "text": str},
    "run": {"study": str, "model": str, "knobs": dict, "claims": list},
    "exercise": {"exercise": str, "right": bool, "misconception": str},
    "note": {"text": str},
}


class JournalError(XllmError):
    """The journal cannot be read or written, or an entry is not one; the sentence says what to do."""


class DamagedJournal(JournalError):
    """A file is no journal, or no longer."""


class Prediction(NamedTuple):
    """A prediction, what came out (`correct` and `outcome` are None while nothing has), and the student's why."""

    at: str
    question: str
    prediction: str | float
    confidence: float
    outcome: str | float | None = None
    correct: bool | None = None
    explanation: str = ""

    @property
    def brier(self) -> float | None:
        """(confidence − correct)²; None while nothing has come out."""
        return None if self.correct is None else (self.confidence - self.correct) ** 2


class Journal:
    """One student's journal. Made by its first entry; reading what does not exist yet gives no entries.

    student: a name, the account's if left out; folder: where `<student>.json` lies, the user's data folder if left
    out. `notice` is the last thing worth saying, such as that a damaged file was set aside. Raises JournalError for a
    name that cannot be a file's.
    """

    def __init__(self, student: str | None = None, folder: str | Path | None = None) -> None:
        self.student = _account() if student is None else _file_name(student)
        self.path = (journal_dir() if folder is None else Path(folder).expanduser()) / f"{self.student}.json"
        self.notice = ""

    def add(self, kind: str, **fields: Any) -> Entry:
        """Write an entry of one of the KINDS down, with its time (UTC) and an id; what is returned is on the disk.

        Values become plain JSON: tuples lists, numbers that do not exist null, and what JSON does not know (a table,
        say) the name of its type. Raises JournalError, and writes nothing, for an entry that lacks something or a
        folder that cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"id": uuid.uuid4().hex, "at": now, "kind": kind, **{name: plain(fields[name]) for name in fields}}
        self.notice = ""
        if wrong := fault(entry):
            raise JournalError(f"This is no journal entry: {wrong}.")
        with self._writing():
            entries = self._sound_or_set_aside()
            safe_files.write_whole(self.path, _dumped(self.student, [*entries, entry]))
        return entry

    def note(self, text: str) -> Entry:
        """Write down a thought of your own. Raises JournalError as `add` does."""
        return self.add("note", text=str(text))

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Everything written so far, oldest first, or only one kind. A damaged file is set aside first (`notice`).

        Raises JournalError where the file cannot be read, or was written by a later version.
        """
        self.notice = ""
        try:
            with self._in_words():
                found = self._read()
        except DamagedJournal:
            with self._writing():
                found = self._sound_or_set_aside()
        return [entry for entry in found if kind in (None, entry["kind"])]

    def predictions(self) -> list[Prediction]:
        """Each locked prediction beside the first outcome of its card, and the last explanation.

        Looking again does not change what was known; thinking again does change what is thought.
        """
        return predictions(self.entries())

    def export_html(self, path: str | Path) -> Path:
        """The journal as one page that needs no network and runs no script. Raises JournalError if it can't be written.

        It refuses to take the journal's own place.
        """
        from xllm_widgets.classroom.journal_page import page

        target, text = Path(path), page(self.student, self.entries())
        if target.resolve() == self.path.resolve():
            raise JournalError(f"{target} is the journal itself; give the page another name, such as journal.html.")
        with self._in_words(target):
            safe_files.write_whole(target, text.encode(errors="replace"))
        return target

    def describe(self) -> str:
        """Counts, score and reliability table in words."""
        from xllm_widgets.classroom.journal_page import words

        entries = self.entries()
        return "\n".join(filter(None, [self.notice, f"{self.student} · {self.path}", words(entries)]))

    def __repr__(self) -> str:
        """`describe()`; a journal that cannot be read says why, since a traceback would hide the rest of a cell."""
        try:
            return self.describe()
        except JournalError as why:
            return str(why)

    def _repr_html_(self) -> str | None:
        """What a cell shows that ends in the journal; None, so that the text speaks, where it cannot be read."""
        from xllm_widgets.classroom.journal_page import fragment

        try:
            entries = self.entries()
        except JournalError:
            return None
        return fragment(self.student, entries, self.notice)

    def _read(self) -> list[Entry]:
        return read(self.path).entries if self.path.exists() else []

    def _sound_or_set_aside(self) -> list[Entry]:
        """What the file holds; a damaged one gets another name, which no file has yet, and nothing is left."""
        try:
            return self._read()
        except DamagedJournal as damaged:
            aside = next(name for name in _names_aside(self.path) if not name.exists())
            self.path.rename(aside)
            self.notice = f"{damaged} It was set aside as {aside.name}, nothing in it was changed; a new one begins."
            return []

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._in_words():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with safe_files.alone(self.path.with_name(f".{self.student}.lock")):
                yield

    @contextmanager
    def _in_words(self, path: Path | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as reason:
            why = reason.strerror or str(reason)
            raise JournalError(
                f"{path or self.path} cannot be used ({why}); choose a folder of yours, "
                "for a journal with classroom.keep_journal(folder=…)."
            ) from reason


class Contents(NamedTuple):
    """What a journal's file says: whose it is, and its entries."""

    student: str
    entries: list[Entry]


def read(path: Path) -> Contents:
    """Read a journal's file and change nothing.

    Raises DamagedJournal for what is no sound journal, JournalError for one of a later version, OSError for a file
    that cannot be read.
    """
    try:
        parts = json.loads(path.read_bytes().decode())
    except (ValueError, RecursionError):
        raise DamagedJournal(f"{path.name} is damaged: it is not the JSON of a journal.") from None
    if not isinstance(parts, dict) or type(parts.get("version")) is not int:
        raise DamagedJournal(f"{path.name} is not a journal.")
    if parts["version"] > VERSION:
        raise JournalError(f"{path.name} was written by a later xllm-widgets; install that one to go on with it.")
    student, entries = parts.get("student"), parts.get("entries")
    if not isinstance(student, str) or not isinstance(entries, list):
        raise DamagedJournal(f"{path.name} is damaged: it lacks its student or its entries.")
    for number, entry in enumerate(entries, 1):
        if wrong := fault(entry):
            raise DamagedJournal(f"{path.name} is damaged in entry {number}: {wrong}.")
    return Contents(student, entries)


def fault(entry: Any) -> str:
    """What keeps this from being an entry, in words; empty if nothing does."""
    if not isinstance(entry, dict):
        return "it is not a set of named fields"
    if not all(isinstance(entry.get(name), str) for name in ("id", "at", "kind")):
        return "it lacks its id, its time or its kind"
    if entry["kind"] not in KINDS:
        return f"{entry['kind']!r} is none of {', '.join(KINDS)}"
    wrong = [name for name, types in KINDS[entry["kind"]].items() if not _is(entry.get(name), types)]
    if wrong:
        return f"a {entry['kind']} needs a proper {' and '.join(wrong)}"
    if entry["kind"] == "prediction" and not 0 <= entry["confidence"] <= 1:
        return "a confidence is a share between 0 and 1"
    if entry["kind"] == "run" and not all(isinstance(claim, dict) for claim in entry["claims"]):
        return "a run needs claims with named fields"
    return ""


def predictions(entries: list[Entry]) -> list[Prediction]:
    """The predictions among entries, each with the first outcome that its card had and the last explanation."""
    came: dict[str, Entry] = {}
    why: dict[str, str] = {}
    for entry in entries:
        if entry["kind"] == "outcome":
            came.setdefault(entry["card"], entry)
        elif entry["kind"] == "explanation":
            why[entry["card"]] = entry["text"]
    locked = [entry for entry in entries if entry["kind"] == "prediction"]
    return [_joined(entry, came.get(entry["card"], {}), why.get(entry["card"], "")) for entry in locked]


def _joined(locked: Entry, came: Entry, why: str) -> Prediction:
    told = {name: locked[name] for name in ("at", "question", "prediction", "confidence")}
    return Prediction(**told, outcome=came.get("outcome"), correct=came.get("correct"), explanation=why)


def plain(value: Any) -> Any:
    """A value as JSON knows it; half a surrogate pair, which no file can hold, becomes the replacement mark."""
    if isinstance(value, dict):
        return {_whole(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | None) else type(value).__name__


def keep_journal(student: str | None = None, folder: str | Path | None = None) -> Journal:
    """From here on this session's journal is this student's, in this folder. Raises JournalError as `Journal` does."""
    _session["journal"] = kept = Journal(student, folder)
    return kept


def stop_journal() -> None:
    """From here on this session writes nothing down; what is in the file stays. `keep_journal()` begins again."""
    _session["journal"] = None


def current() -> Journal | None:
    """The journal of this session, None if it keeps none."""
    if "journal" not in _session:
        _session["journal"] = None if _setting().lower() == "off" else Journal(folder=chosen_folder())
    return _session["journal"]


def chosen_folder() -> Path | None:
    """The folder that XLLM_JOURNAL names, None if it names none."""
    return None if _setting().lower() in ("", "off") else Path(_setting())


def _setting() -> str:
    return os.environ.get(SETTING, "").strip()


def record(kind: str, **fields: Any) -> str:
    """Write into this session's journal, if it keeps one; a lesson never stops because of its journal.

    Returns what there is to say, for the view to show: why nothing could be written, or what was set aside.
    """
    try:
        journal = current()
        if journal is None:
            return ""
        journal.add(kind, **fields)
        return journal.notice
    except XllmError as wrong:
        return f"Not written into the journal: {wrong}"


_session: dict[str, Journal | None] = {}  # empty until something asks for the journal


def _is(value: Any, types: type | tuple[type, ...]) -> bool:
    """isinstance, but True is no number, and neither is what JSON calls NaN."""
    if isinstance(value, bool):
        return types is bool
    return isinstance(value, types) and not (isinstance(value, float) and not math.isfinite(value))


def _dumped(student: str, entries: list[Entry]) -> bytes:
    """One entry a line, so that people and `diff` can read it; half a surrogate pair stays the escape that it was."""
    head = f'{{"version": {VERSION}, "student": {json.dumps(student, ensure_ascii=False)}, "entries": [\n'
    body = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"{head}{body}\n]}}\n".encode(errors="backslashreplace")


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _names_aside(path: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield path.with_name(f"{path.stem}.damaged-{number}.json")
        number += 1


def _account() -> str:
    """The account's name, without what a file's name cannot hold."""
    try:
        name = re.sub(r"[^\w-]+", "-", getpass.getuser()).strip("-")
    except (OSError, KeyError, ImportError):  # an account without a name: some containers
        name = ""
    return name[:LONGEST_NAME] or "student"


def _file_name(student: str) -> str:
    name = unicodedata.normalize("NFC", str(student)).strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or re.search(r'[/\\:*?"<>|]|^\.|\.$', name):
        raise JournalError(
            f"{student!r} cannot name a journal: use up to {LONGEST_NAME} letters, digits and spaces, "
            'without / \\ : * ? " < > | and without a dot at either end.'
        )
    return name
