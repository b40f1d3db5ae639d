"""The journal to be read: words for a terminal, and one HTML page without network, scripts or trust in its text."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from xllm_widgets.classroom.journal import Entry, Prediction, predictions
from xllm_widgets.methods import calibration
from xllm_widgets.widgets import palette

Row = Sequence[str]

HEADINGS = ("you said", "predictions", "came right", "95 %")
BRIER_IN_WORDS = "0 is perfect, 0.25 a coin toss, 1 sure and wrong"
BINS = 5  # of a few dozen predictions, more would stand empty

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 {", ".join(f"'{font}'" for font in palette.FONTS)}, sans-serif; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: start; vertical-align: top; padding: .25rem .75rem .25rem 0; overflow-wrap: anywhere;
  white-space: pre-wrap; border-bottom: 1px solid {palette.CONTROL}; }}
"""


def words(entries: list[Entry]) -> str:
    """How many entries of each kind, the Brier score and the reliability table, for a terminal."""
    if not entries:
        return "Nothing yet: lock a prediction, run a panel or check an exercise, and it will stand here."
    counts = Counter(entry["kind"] for entry in entries)
    said = ", ".join(f"{number} {kind}{'s' * (number > 1)}" for kind, number in counts.items())
    rows = [HEADINGS, *reliability_rows(predictions(entries))]
    table = ["  ".join(f"{cell:<12}" for cell in row).rstrip() for row in rows] if len(rows) > 1 else []
    return "\n".join([f"{said}.", score_in_words(predictions(entries)), *table])


def score_in_words(made: list[Prediction]) -> str:
    """The mean Brier score of the predictions that came out, with its scale."""
    sure, hit = _scored(made)
    if not sure:
        return "No prediction has come out yet, so there is no score."
    return f"Brier score {calibration.brier(sure, hit):.2f}, n = {len(sure)} ({BRIER_IN_WORDS})."


def reliability_rows(made: list[Prediction]) -> list[Row]:
    """The reliability table in words, one row for each occupied bin: mean confidence, n, share right, its interval."""
    sure, hit = _scored(made)
    bins = calibration.reliability(sure, hit, BINS)["bins"] if sure else []
    return [
        (
            f"{each['confidence']:.0%} sure",
            str(each["n"]),
            f"{each['accuracy']:.0%}",
            "{:.0%} to {:.0%}".format(*each["interval"]),
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
    title = html.escape(f"Lab journal of {student}")
    made = predictions(entries)
    parts = [f"<p>{html.escape(score_in_words(made))}</p>", _table(HEADINGS, reliability_rows(made))]
    for heading, columns, rows in _sections(entries, made):
        parts += [f"<h2>{heading}</h2>", _table(columns, rows)] if rows else []
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{title}</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _sections(entries: list[Entry], made: list[Prediction]) -> list[tuple[str, Row, list[Row]]]:
    def rows(kind: str, row: Callable[[Entry], Row]) -> list[Row]:
        return [(entry["at"], *row(entry)) for entry in entries if entry["kind"] == kind]

    predicted = ("locked at", "question", "prediction", "confidence", "came out", "Brier score")
    return [
        ("Predictions", predicted, [_prediction_row(each) for each in made]),
        ("Runs", ("at", "study", "model", "knobs", "claims"), rows("run", _run_row)),
        ("Exercises", ("at", "exercise", "answer", "misconception"), rows("exercise", _exercise_row)),
        ("Notes", ("at", "note"), rows("note", lambda entry: [entry["text"]])),
    ]


def _prediction_row(made: Prediction) -> Row:
    came = "–" if made.outcome is None else f"{_said(made.outcome)} ({'right' if made.correct else 'wrong'})"
    score = "–" if made.brier is None else f"{made.brier:.2f}"
    return (made.at, made.question, _said(made.prediction), f"{made.confidence:.0%}", came, score)


def _run_row(entry: Entry) -> Row:
    knobs = ", ".join(f"{name} = {value}" for name, value in entry["knobs"].items())
    return (entry["study"], entry["model"], knobs, "\n".join(map(claim_in_words, entry["claims"])))


def claim_in_words(claim: dict[str, Any]) -> str:
    """Verdict, statement, estimate and interval of one recorded claim."""
    verdict = str(claim.get("verdict"))
    numbers = [_said(claim.get(name)) for name in ("estimate", "low", "high")]
    glyph = palette.GLYPHS.get(verdict, "")
    return f"{glyph} {verdict} here: {claim.get('statement')} ({numbers[0]} [{numbers[1]}, {numbers[2]}])".strip()


def _exercise_row(entry: Entry) -> Row:
    return (entry["exercise"], "✓ right" if entry["right"] else "✗ not yet", entry["misconception"])


def _said(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "–" if value is None else str(value)


def _table(columns: Row, rows: list[Row]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    return f'<td dir="auto">{html.escape(text)}</td>'
