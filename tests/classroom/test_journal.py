"""The lab journal keeps what was written down: through kill -9, two kernels at once, damage, and any text there is."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.classroom import Journal, journal, keep_journal, safe_files, stop_journal
from xllm_widgets.classroom.journal import JournalError
from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.language import language

WRITER = """
import sys
from xllm_widgets.classroom import Journal
mine = Journal("Ada", sys.argv[1])
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    mine.note(f"{sys.argv[4]} {number} " + "x" * 20_000)
    print(number, flush=True)
"""


@pytest.fixture
def ada(tmp_path: Path) -> Journal:
    return Journal("Ada", tmp_path)


def predict(of: Journal, card: str, confidence: float, correct: bool | None = None) -> None:
    of.add("prediction", card=card, question="Which?", prediction="flips", confidence=confidence)
    if correct is not None:
        of.add("outcome", card=card, outcome="flips" if correct else "stays", correct=correct)


def start_writing(folder: Path, first: int, last: int, name: str) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(last), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def numbers(of: Journal, name: str) -> list[int]:
    words = [entry["text"].split() for entry in of.entries("note")]
    return [int(number) for who, number, _ in words if who == name]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is a thing of Unix")
def test_kill_nine_loses_at_most_the_entry_being_written(ada: Journal, tmp_path: Path) -> None:
    rng, written = random.Random(0), 0
    for _ in range(12):
        writer = start_writing(tmp_path, written, 10**9, "w")
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(rng.randint(1, 8))]
        time.sleep(rng.uniform(0, 0.02))
        os.kill(writer.pid, signal.SIGKILL)
        said += map(int, writer.stdout.read().split())
        assert writer.wait() == -signal.SIGKILL
        found = numbers(ada, "w")
        assert found == list(range(len(found))), "nothing in between is lost"
        assert said[-1] + 1 <= len(found) <= said[-1] + 2, "what was acknowledged is there, and at most one more"
        written = len(found)
    assert ada.notice == ""
    assert list(tmp_path.glob("*damaged*")) == []
    ada.note("goes on")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".Ada.lock", "Ada.json"], "no litter stays"


def test_kernels_that_write_at_the_same_time_lose_nothing(ada: Journal, tmp_path: Path) -> None:
    writers = [start_writing(tmp_path, 0, 25, name) for name in "abc"]
    assert [writer.communicate() and writer.returncode for writer in writers] == [0, 0, 0]
    for name in "abc":
        assert numbers(ada, name) == list(range(25))


def test_whoever_waits_too_long_is_told(tmp_path: Path) -> None:
    with (
        safe_files.alone(tmp_path / ".lock"),
        pytest.raises(XllmError, match=r"Another program has held .* for 0\.05 s"),
        safe_files.alone(tmp_path / ".lock", patience=0.05),
    ):
        pass
    with safe_files.alone(tmp_path / ".lock", patience=0):
        pass


SOUND = '{"version": 1, "student": "Ada", "entries": []}'
LACKING = '{"version": 1, "student": "Ada", "entries": [{"id": "1", "at": "now", "kind": "prediction"}]}'


@pytest.mark.parametrize(
    "damaged",
    [
        b"", b"\x00" * 50, b"\xff\xfe", b"[]", b'{"version": 1}', SOUND[:-2].encode(), b"[" * 100_000,
        LACKING.encode(), SOUND.replace("[]", '[{"kind": "note"}]').encode(), SOUND.replace("[]", "[3]").encode(),
        SOUND.replace("1", "true").encode(),
    ],
)  # fmt: skip
def test_a_damaged_file_is_set_aside_and_never_overwritten(ada: Journal, damaged: bytes, tmp_path: Path) -> None:
    aside = [tmp_path / f"Ada.damaged-{number}.json" for number in (1, 2)]
    aside[0].write_bytes(b"of last week")
    ada.path.write_bytes(damaged)
    ada.note("first of the new one")
    assert ada.notice.count("\n") == 0
    assert "set aside as Ada.damaged-2.json" in ada.notice
    assert [path.read_bytes() for path in aside] == [b"of last week", damaged]
    assert [entry["text"] for entry in ada.entries()] == ["first of the new one"]
    assert ada.notice == "", "said once"


def test_looking_sets_aside_as_well_and_says_so(ada: Journal) -> None:
    ada.path.write_text("{")
    assert ada.describe().startswith("Ada.json is damaged: it is not the JSON of a journal. It was set aside")
    assert "Nothing yet" in ada.describe()


def test_the_journal_of_a_later_version_is_left_alone(ada: Journal) -> None:
    ada.path.write_text(later := SOUND.replace("1", str(journal.VERSION + 1)))
    for use in (ada.entries, lambda: ada.note("x")):
        with pytest.raises(JournalError, match=r"^Ada\.json was written by a later xllm-widgets"):
            use()
    assert ada.path.read_text() == later


def test_the_journal_of_an_earlier_version_goes_on(ada: Journal) -> None:
    ada.path.write_text(SOUND.replace("[]", '[{"id": "1", "at": "then", "kind": "note", "text": "of last year"}]'))
    ada.add("explanation", card="1", question="Which?", text="because")
    assert [entry["kind"] for entry in ada.entries()] == ["note", "explanation"]
    assert json.loads(ada.path.read_text("utf-8"))["version"] == journal.VERSION


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_used_is_one_sentence(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(JournalError, match=r"cannot be used .*; choose a folder of yours"):
        Journal("Ada", tmp_path / folder).note("x")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("remark", {}, "'remark' is none of prediction, outcome, explanation, run, exercise, note"),
        ("note", {}, "a note needs a proper text"),
        ("prediction", {"card": "1", "question": "?", "prediction": "a", "confidence": 80}, "a share between 0 and 1"),
        ("prediction", {"card": "1", "question": "?", "prediction": "a", "confidence": True}, "proper confidence"),
        ("outcome", {"card": "1", "outcome": float("nan"), "correct": True}, "proper outcome"),
        ("run", {"study": "s", "model": "m", "knobs": {}, "claims": [3]}, "claims with named fields"),
    ],
)
def test_what_is_no_entry_is_refused_and_nothing_is_written(ada: Journal, kind: str, fields: dict, said: str) -> None:
    with pytest.raises(JournalError, match=said):
        ada.add(kind, **fields)
    assert not ada.path.exists()


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".hidden", "a\nb", "x" * 61, "CON:", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(JournalError, match="cannot name a journal"):
        Journal(name)


def test_names_of_people_can_be_used(tmp_path: Path) -> None:
    for name in ("李雷", "Ada Lovelace", "Ó Súilleabháin", "O'Neil"):
        Journal(name, tmp_path).note("x")
        assert Journal(name, tmp_path).entries()[0]["text"] == "x"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_any_text_comes_back_as_it_was(texts: list[str], knob: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for text in texts:
            Journal("Ada", folder).note(text)
        knobs = {knob: texts, "share": 0.25, "none": None}
        Journal("Ada", folder).add("run", study="s", model="m", knobs=knobs, claims=[{"statement": knob}])
        *notes, run = Journal("Ada", folder).entries()
    assert [entry["text"] for entry in notes] == texts
    assert run["knobs"] == knobs
    assert run["claims"] == [{"statement": knob}]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), min_size=1))
def test_half_a_surrogate_pair_harms_nothing(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ada = Journal("Ada", folder)
        said = ada.note(text + "\ud83d")["text"]
        assert said.endswith("�")
        ada.path.write_text(ada.path.read_text("utf-8").replace("�", "\\ud83d"), "utf-8")
        ada.note("more")
        assert ada.export_html(Path(folder) / "page.html").read_text("utf-8")
        assert len(ada.entries()) == 2


def test_values_that_json_does_not_know_are_named_by_their_type(ada: Journal) -> None:
    import numpy as np

    knobs = {"flipped": (0, np.float64(0.5)), "data": object(), "n": np.int64(3), "bad": float("inf")}
    ada.add("run", study="s", model="m", knobs=knobs, claims=[])
    assert ada.entries()[0]["knobs"] == {"flipped": [0, 0.5], "data": "object", "n": 3, "bad": None}


def test_a_prediction_meets_the_first_outcome_of_its_card(ada: Journal) -> None:
    predict(ada, "1", 0.8, correct=False)
    ada.add("outcome", card="1", outcome="flips", correct=True)
    predict(ada, "2", 0.6)
    ada.add("outcome", card="3", outcome="flips", correct=True)
    first, second = ada.predictions()
    assert (first.correct, first.outcome, first.brier) == (False, "stays", pytest.approx(0.64))
    assert (second.correct, second.brier) == (None, None)
    assert "Brier score 0.64, n = 1" in ada.describe()
    assert "2 predictions, 3 outcomes." in ada.describe()


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def read_html(text: str | None) -> Reader:
    assert text is not None
    reader = Reader()
    reader.feed(text)
    return reader


EVIL = "</td></style><script>alert(1)</script><img src=//x onerror=alert(2)> & \" ' \u202e 你好"


def test_the_page_escapes_every_text_and_asks_for_nothing(tmp_path: Path) -> None:
    ada = Journal("R&D", tmp_path)
    ada.note(EVIL)
    ada.add("prediction", card="1", question=EVIL, prediction=EVIL, confidence=0.9)
    ada.add("outcome", card="1", outcome=EVIL, correct=True)
    claim = dict.fromkeys(("verdict", "statement", "estimate"), EVIL)
    ada.add("run", study=EVIL, model=EVIL, knobs={EVIL: EVIL}, claims=[claim])
    ada.add("explanation", card="1", question=EVIL, text=EVIL)
    ada.add("exercise", exercise=EVIL, right=False, misconception=EVIL, hints=EVIL)
    page = ada.export_html(tmp_path / "page.html").read_text("utf-8")
    reader, part = read_html(page), read_html(ada._repr_html_())
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    for shown in (reader, part):
        assert not {"script", "img", "link", "iframe", "a"} & set(shown.tags)
        assert shown.words.count(EVIL) == 15
    for told in ("Lab journal of R&D", "Brier score 0.01, n = 1", "90% sure", "100%", "21% to 100%"):
        assert told in reader.words


def test_the_page_shows_the_last_explanation_and_the_hints_that_were_opened(ada: Journal, tmp_path: Path) -> None:
    predict(ada, "1", 0.8, correct=False)
    for text in ("chance", "its prior is stronger"):
        ada.add("explanation", card="1", question="Which?", text=text)
    ada.add("exercise", exercise="00-count", right=True, misconception="", hints=2)
    ada.add("exercise", exercise="00-verdict", right=True, misconception="")  # as an older journal may have it
    rows = re.findall("<tr>(.*)</tr>", ada.export_html(tmp_path / "page.html").read_text("utf-8"))
    last = {cells[1]: cells[-1] for cells in (re.findall("<td[^>]*>(.*?)</td>", row) for row in rows) if cells}
    assert last["Which?"] == "its prior is stronger"
    assert (last["00-count"], last["00-verdict"]) == ("2", "–")
    assert "chance" not in ada._repr_html_()
    assert ada.describe().splitlines()[1] == "1 prediction, 1 outcome, 1 explanation, 2 exercises."


def test_a_cell_that_ends_in_the_journal_shows_it(ada: Journal) -> None:
    assert "Nothing yet" in read_html(ada._repr_html_()).words
    ada.note("你好")
    shown = ada._repr_html_()
    assert shown.startswith('<div class="xw-journal" lang="en">')
    assert not {"h1", "h2", "body", "meta"} & set(read_html(shown).tags), "nothing that a notebook's page would take up"
    rules = re.findall(r"([^{}]+)\{", re.search("<style>(.*)</style>", shown, re.DOTALL)[1])
    assert rules
    assert all(rule.strip().startswith(".xw-journal.xw-journal ") for rule in rules), "no rule for the rest of the page"
    assert "Lab journal of Ada" in shown
    assert "你好" in shown


def test_a_journal_that_cannot_be_read_says_why_where_it_is_shown(ada: Journal) -> None:
    ada.path.write_text("{")
    assert "set aside as Ada.damaged-1.json" in ada._repr_html_()
    ada.path.write_text(SOUND.replace("1", str(journal.VERSION + 1)))
    assert ada._repr_html_() is None
    assert repr(ada).startswith("Ada.json was written by a later xllm-widgets")


def test_the_journal_speaks_the_language_that_is_on(tmp_path: Path) -> None:
    li = Journal("李雷", tmp_path)
    li.add("prediction", card="1", question="哪个？", prediction="一", confidence=0.8)
    li.add("outcome", card="1", outcome="一", correct=True)
    li.add("explanation", card="1", question="哪个？", text="先验更强")
    claim = {"verdict": "not shown", "statement": "它照着做。", "estimate": 0.5, "low": 0.4, "high": 0.6}
    li.add("run", study="研究", model="小", knobs={}, claims=[claim])
    li.add("exercise", exercise="00", right=False, misconception="误解", hints=1)
    li.note("笔记")
    language("zh")
    try:
        page = li.export_html(tmp_path / "page.html").read_text("utf-8")
        said = [re.sub("<style>.*?</style>", "", page, flags=re.DOTALL), li.describe().splitlines()[1]]
    finally:
        language("en")
    assert '<html lang="zh-Hans">' in page
    assert set(re.findall("[A-Za-z]{2,}", re.sub("<[^>]*>", "", "".join(said)))) == {"Brier", "UTC"}
    assert 'lang="en"' in li._repr_html_()


def test_the_page_never_takes_the_journals_place(ada: Journal, tmp_path: Path) -> None:
    ada.note("x")
    with pytest.raises(JournalError, match="is the journal itself"):
        ada.export_html(ada.path)
    with pytest.raises(JournalError, match="cannot be used"):
        ada.export_html(tmp_path)
    with pytest.raises(JournalError, match="cannot be used"):
        ada.export_html(tmp_path / "nowhere" / "page.html")
    assert len(ada.entries()) == 1


def test_the_session_opts_out_by_setting_or_by_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_session", {})
    assert journal.current() is None, "tests/conftest.py opted out for all tests"
    assert journal.record("note", text="x") == ""
    monkeypatch.setattr(journal, "_session", {})
    monkeypatch.setenv("XLLM_JOURNAL", str(tmp_path / "mine"))
    assert journal.record("note", text="x") == ""
    assert len(list((tmp_path / "mine").glob("*.json"))) == 1
    kept = keep_journal("Ada", tmp_path)
    assert journal.record("note", text="y") == ""
    stop_journal()
    journal.record("note", text="z")
    assert [entry["text"] for entry in kept.entries()] == ["y"]


def test_the_default_place_is_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Journal("Ada").path == tmp_path / "xllm_widgets" / "journal" / "Ada.json"
    monkeypatch.setattr(journal.getpass, "getuser", lambda: "DOMAIN\\ada l.")
    assert Journal().student == "DOMAIN-ada-l"

    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr(journal.getpass, "getuser", nobody)
    assert Journal().student == "student"


def test_the_file_is_json_that_people_can_read(ada: Journal) -> None:
    ada.note("你好")
    ada.note("b")
    text = ada.path.read_text("utf-8")
    assert len(json.loads(text)["entries"]) == 2
    assert [line.count('"kind"') for line in text.splitlines()] == [0, 1, 1, 0]
    assert "你好" in text
