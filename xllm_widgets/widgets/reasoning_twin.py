"""The reasoning-step editor in words and as a still picture."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from xllm_widgets.widgets import palette
from xllm_widgets.widgets._draw import Page, Run, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.reasoning_editor import ReasoningEditor

INK, MUTED, RULE = palette.LIGHT["ink"], palette.LIGHT["muted"], palette.LIGHT["rule"]


def describe(view: ReasoningEditor) -> str:
    """What a reader needs who sees neither steps nor bars nor curve."""
    changed = sum(step["text"] != step["given"] for step in view.steps)
    head = view.say(
        "described", question=view.question, answer=view.answer, n=len(view.steps), given=len(view.given),
        changed=changed,
    )  # fmt: skip
    parts = [head, _answers_in_words(view), _curve_in_words(view), view.error]
    return view.say("between_sentences").join(filter(None, parts))


def current(view: ReasoningEditor, name: str) -> Any:
    """`answers` or `curve` if it belongs to the steps as they stand, else None."""
    value = getattr(view, name)
    return value if value["request"] == view.request else None


def named(view: ReasoningEditor, row: dict[str, Any]) -> str:
    """The answer of a row, or what the row that sums up the rest is called."""
    from xllm_widgets.widgets.reasoning_editor import OTHERS

    return view.say("others") if row["answer"] == OTHERS else row["answer"]


def _answers_in_words(view: ReasoningEditor) -> str:
    answers = current(view, "answers")
    if not answers:
        return ""
    told = [f"{named(view, row)} {row['share']:.0%}{_was(view, row)}" for row in answers["rows"]]
    return view.say("of_endings", n=answers["n"], answers=view.say("and").join(told))


def _was(view: ReasoningEditor, row: dict[str, Any]) -> str:
    if row["original"] is None:
        return ""
    return view.say("as_given_aside", share=f"{row['original']:.0%}")


def _curve_in_words(view: ReasoningEditor) -> str:
    curve = current(view, "curve")
    if not curve or not curve["points"]:
        return ""
    told = view.say("and").join(f"{point['kept']} {point['share']:.0%}" for point in curve["points"])
    said = view.say("curve_in_words", points=told) + view.say("between_sentences")
    if not curve["done"]:
        return said + view.say("curve_unfinished")
    which = curve["decisive"]
    if which is None:
        return said + view.say("none_decides_line")
    return said + view.say("step_decides", n=which + 1, text=repr(view.texts[which]))


def draw(view: ReasoningEditor, figure: Figure) -> None:
    """Question and steps, then the bars of the answers, then the curve."""
    page, y = Page(figure), 0.3
    if view.title:
        page.text(0, y, view.title, 11, fontweight="bold")
        y += 0.32
    y = page.paragraph(view.question, 0, y, page.width, 10) + 0.3
    y = _draw_steps(view, page, y)
    y = _draw_answers(view, page, y + 0.12)
    curve = current(view, "curve")
    if curve and len(curve["points"]) > 1:
        y = _draw_curve(view, page, y + 0.15, curve)
    page.finish(y + 0.1)


def _draw_steps(view: ReasoningEditor, page: Page, y: float) -> float:
    curve = current(view, "curve")
    decisive = curve["decisive"] if curve else None
    for k, step in enumerate(view.steps):
        mark = [f"  {view.say('decides_mark')}"] if k == decisive else []
        mark += [f"  {view.say('changed_aside')}"] if step["text"] != step["given"] else []
        page.text(0, y, f"{k + 1}", 10, MUTED)
        runs = [Run(word) for word in words(step["text"])] + [Run(text, ink=MUTED) for text in mark]
        y = page.flow(runs, 0.28, y, page.width - 0.28, 10) + 0.26
    if not view.steps:
        page.text(0, y, view.say("no_steps_drawn"), 10, MUTED)
        y += 0.26
    return y


def _draw_answers(view: ReasoningEditor, page: Page, y: float) -> float:
    answers = current(view, "answers")
    if not answers:
        page.text(0, y, view.error or view.say("not_computed"), 9.5, MUTED)
        return y + 0.26
    rows = answers["rows"]
    left = max(page.measure(named(view, row), 10, "bold") for row in rows) + 0.15
    wide = page.width - left - 1.9
    for row in rows:
        right = row["answer"] == view.answer
        page.text(0, y, named(view, row), 10, fontweight="bold" if right else "normal")
        page.box(left, y - 0.13, wide, 0.16, palette.LIGHT["well"])
        page.box(left, y - 0.13, wide * row["share"], 0.16, INK if right else MUTED)
        if row["low"] is not None:
            page.line(
                (left + wide * row["low"], left + wide * row["high"]), (y + 0.055, y + 0.055), color=INK, linewidth=1
            )
        if row["original"] is not None:
            x = left + wide * row["original"]
            page.line((x, x), (y - 0.16, y + 0.06), **palette.CONTROL_LINE)
        page.text(left + wide + 0.1, y, f"{row['share']:.0%}{_was(view, row)}", 9.5)
        y += 0.27
    page.text(0, y, view.say("bars_drawn", n=answers["n"]), 8.5, MUTED)
    return y + 0.22


def _draw_curve(view: ReasoningEditor, page: Page, y: float, curve: dict[str, Any]) -> float:
    page.text(0, y, view.say("curve_drawn"), 9.5, MUTED)
    top, height, left, wide = y + 0.2, 1.1, 0.45, page.width - 0.9
    last = max(1, len(view.steps))
    for share in (0, 0.5, 1):
        level = top + height * (1 - share)
        page.line((left, left + wide), (level, level), color=RULE, linewidth=0.6)
        page.text(0, level + 0.04, f"{share:.0%}", 8, MUTED)
    spots = [(left + wide * p["kept"] / last, top + height * (1 - p["share"]), p) for p in curve["points"]]
    for (x0, y0, a), (x1, y1, b) in itertools.pairwise(spots):
        decides = curve["decisive"] is not None and b["kept"] == curve["decisive"] + 1
        tone = palette.TOWARD if b["share"] > a["share"] else palette.AWAY
        colour = tuple(c / 255 for c in tone) if decides else INK
        page.line((x0, x1), (y0, y1), color=colour, linewidth=2.6 if decides else 1.4)
    for x, place, point in spots:
        low, high = (top + height * (1 - point[end]) for end in ("low", "high"))
        page.line((x, x), (low, high), color=INK, linewidth=1)
        page.box(x - 0.025, place - 0.025, 0.05, 0.05, INK)
        page.text(x - 0.03, top + height + 0.18, f"{point['kept']}", 8, MUTED)
    page.text(left, top + height + 0.36, view.say("axis_drawn", n=curve["n"]), 8.5, MUTED)
    return top + height + 0.45
