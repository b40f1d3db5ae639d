"""The journal to be read, in the language that is on: words for a terminal, a part of a notebook, and one HTML page.

None asks the network for anything, runs a script or trusts a text.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from xllm_widgets.classroom.journal import Entry, Prediction, predictions
from xllm_widgets.methods import calibration
from xllm_widgets.widgets import palette
from xllm_widgets.widgets.language import Speech, speech

Row = Sequence[str]

BINS = 5  # of a few dozen predictions, more would stand empty

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PAGE_STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 {", ".join(f"'{font}'" for font in palette.FONTS)}, sans-serif; max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }}
"""
# In a notebook this is a part of JupyterLab: no rule reaches beyond the journal, each outdoes what tables wear there.
_STYLE = f"""
.xw-journal.xw-journal table {{ border-collapse: collapse; width: 100%; table-layout: auto; margin: 1.25rem 0 0;
  font-size: .875em; }}
.xw-journal.xw-journal caption {{ text-align: start; font-weight: 600; font-size: 1.2em; padding: 0 0 .25rem; }}
.xw-journal.xw-journal :is(th, td) {{ text-align: start; vertical-align: top; padding: .25rem .75rem .25rem 0;
  overflow-wrap: break-word; white-space: pre-wrap; border: 0; border-bottom: 1px solid {palette.CONTROL};
  background: none; max-width: 22rem; }}
.xw-journal.xw-journal :is(th, td):first-child {{ width: 10rem; white-space: nowrap; }}
"""


def words(entries: list[Entry]) -> str:
    """How many entries of each kind, the Brier score and the reliability table, for a terminal."""
    say, made = speech("journal"), predictions(entries)
    if not entries:
        return say("nothing_yet")
    counts = Counter(entry["kind"] for entry in entries)
    counts["explanation"] = sum(bool(each.explanation) for each in made)  # of a card, the last one counts
    said = say("and").join(say(kind, n=number) for kind, number in counts.items() if number)
    rows = [_headings(say), *reliability_rows(made)]
    table = ["  ".join(f"{cell:<12}" for cell in row).rstrip() for row in rows] if len(rows) > 1 else []
    return "\n".join([say("entries", counts=said), score_in_words(made), *table])


def _headings(say: Speech) -> Row:
    """Of the reliability table."""
    return [say(column) for column in ("you_said", "predictions", "came_right", "interval")]


def score_in_words(made: list[Prediction]) -> str:
    """The mean Brier score of the predictions that came out, with its scale."""
    say = speech("journal")
    sure, hit = _scored(made)
    if not sure:
        return say("no_score_yet")
    return say("score", brier=f"{calibration.brier(sure, hit):.2f}", n=len(sure), meaning=say("brier_meaning"))


def reliability_rows(made: list[Prediction]) -> list[Row]:
    """The reliability table in words, one row for each occupied bin: mean confidence, n, share right, its interval."""
    say = speech("journal")
    sure, hit = _scored(made)
    bins = calibration.reliability(sure, hit, BINS)["bins"] if sure else []
    return [
        (
            say("sure", percent=f"{each['confidence']:.0%}"),
            str(each["n"]),
            f"{each['accuracy']:.0%}",
            say("from_to", low=f"{each['interval'][0]:.0%}", high=f"{each['interval'][1]:.0%}"),
        )
        for each in bins
        if each["n"]
    ]


def _scored(made: list[Prediction]) -> tuple[list[float], list[bool]]:
    """Confidence and correctness of the predictions that came out."""
    pairs = [(each.confidence, each.correct) for each in made if each.correct is not None]
    return [sure for sure, _ in pairs], [hit for _, hit in pairs]


def page(student: str, entries: list[Entry]) -> str:
    """The whole journal as HTML; every text in it is escaped, and the page may load and run nothing."""
    say = speech("journal")
    title = html.escape(say("title", student=student))
    return (
        f'<!doctype html>\n<html lang="{say("lang")}"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width"><style>{_PAGE_STYLE}{_STYLE}</style></head>\n'
        f'<body><main class="xw-journal"><h1>{title}</h1>\n{_body(entries)}\n</main></body></html>\n'
    )


def fragment(student: str, entries: list[Entry], notice: str = "") -> str:
    """The journal as the part of a notebook's page; it has no headings, which a table of contents would take up."""
    say = speech("journal")
    top = f"<p>{html.escape(notice)}</p>\n" if notice else ""
    top += f"<p><strong>{html.escape(say('title', student=student))}</strong></p>\n"
    return f'<div class="xw-journal" lang="{say("lang")}"><style>{_STYLE}</style>\n{top}{_body(entries)}\n</div>'


def _body(entries: list[Entry]) -> str:
    """Score, reliability, then a table of each kind of entry."""
    say, made = speech("journal"), predictions(entries)
    said = score_in_words(made) if entries else say("nothing_yet")
    tables = [_table(say("reliability"), _headings(say), reliability_rows(made)), *_tables(say, entries, made)]
    return "\n".join(filter(None, [f"<p>{html.escape(said)}</p>", *tables]))


def _tables(say: Speech, entries: list[Entry], made: list[Prediction]) -> list[str]:
    def rows(kind: str, row: Callable[[Speech, Entry], Row]) -> list[Row]:
        return [(_when(entry["at"]), *row(say, entry)) for entry in entries if entry["kind"] == kind]

    sections = (
        ("predictions_made", ("locked_at", "question", "predicted", "confidence", "came_out", "brier", "why"),
         [_prediction_row(say, each) for each in made]),
        ("runs", ("at", "study", "model", "knobs", "claims"), rows("run", _run_row)),
        ("exercises", ("at", "exercise_name", "answer", "misconception", "hints"), rows("exercise", _exercise_row)),
        ("notes", ("at", "note_text"), rows("note", lambda say, entry: [entry["text"]])),
    )  # fmt: skip
    return [_table(say(name), list(map(say, columns)), found) for name, columns, found in sections]


def _when(at: str) -> str:
    """A time as people write it, to the minute; the heading says UTC. What is no such time stays as it is."""
    return at[:16].replace("T", " ") if at.endswith("+00:00") else at


def _prediction_row(say: Speech, made: Prediction) -> Row:
    came = score = "–"
    if made.outcome is not None:
        came = say("outcome_right" if made.correct else "outcome_wrong", outcome=_said(made.outcome))
    if made.brier is not None:
        score = f"{made.brier:.2f}"
    sure = f"{made.confidence:.0%}"
    return (_when(made.at), made.question, _said(made.prediction), sure, came, score, made.explanation)


def _run_row(say: Speech, entry: Entry) -> Row:
    knobs = "\n".join(f"{name} = {value}" for name, value in entry["knobs"].items())
    return (entry["study"], entry["model"], knobs, "\n".join(claim_in_words(say, claim) for claim in entry["claims"]))


def claim_in_words(say: Speech, claim: dict[str, Any]) -> str:
    """Verdict, statement, estimate and interval of one recorded claim."""
    verdict = str(claim.get("verdict"))
    if verdict in palette.GLYPHS:
        verdict = f"{palette.GLYPHS[verdict]} {speech('claim_cards')(verdict.replace(' ', '_'))}"
    numbers = {name: _said(claim.get(name)) for name in ("estimate", "low", "high")}
    return say("claim", verdict=verdict, statement=claim.get("statement"), **numbers)


def _exercise_row(say: Speech, entry: Entry) -> Row:
    answer = say("right" if entry["right"] else "not_yet")
    return (entry["exercise"], answer, entry["misconception"], _said(entry.get("hints")))


def _said(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "–" if value is None else str(value)


def _table(caption: str, columns: Row, rows: list[Row]) -> str:
    """Nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    caption = f"<caption>{html.escape(caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    return f'<td dir="auto">{html.escape(text)}</td>'
