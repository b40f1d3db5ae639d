"""The pictures of chapter 02: accuracy by steps, saliency with and without them, the counterfactual grid, faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xllm_widgets.studies import chain_of_thought_claims as claims_of
from xllm_widgets.studies import figures, statistics
from xllm_widgets.studies.counterfactual_demonstrations import FAULTS, PATTERNS, SYMBOLS, TEXTS
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.figures import picture
from xllm_widgets.studies.statistics import Interval
from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, RULE, GREY = palette.LIGHT["ink"], palette.LIGHT["rule"], palette.CONTROL
Models = list[tuple[str, str, pd.DataFrame, pd.DataFrame]]
"""(name, colour, table, control) of each model, smallest first."""


def models_of(evidence: Evidence) -> Models:
    """A table of one model has no column `model`; one of several is told apart by it, small to large on one hue."""
    table, control = evidence.table, evidence.control
    if "model" not in table:
        return [(str(evidence.provenance.get("model", "")), palette.SIZE_RAMP[3], table, control)]
    order = table[["parameters", "model"]].drop_duplicates().sort_values("parameters")["model"]
    colours = palette.size_colours(len(order))
    return [
        (str(name), colour, table[table["model"] == name], control[control["model"] == name])
        for name, colour in zip(order, colours, strict=True)
    ]


@picture("worked_answers", height=3.4)
def draw_worked(evidence: Evidence, axes: Sequence[Axes]) -> None:
    ax, ends = axes[0], []
    models = models_of(evidence)
    several = len(models) > 1
    last = max(evidence.table["steps"])
    for name, colour, table, control in models:
        who = f"{name}, " if several else ""
        for way, line, rows in (("worked", "-", table), ("direct", ":", table), ("dummy", "--", control)):
            curve = _by_steps(rows[rows["way"] == way])
            ink = GREY if way == "dummy" else colour
            figures.band(ax, curve["steps"], curve, ink, linestyle=line)
            title = {"worked": "worked", "direct": "direct", "dummy": "behind dummy steps"}[way]
            ends.append((curve["accuracy"].iloc[-1], f"{who}{title}", ink))
    ax.set_xticks(sorted(set(evidence.table["steps"])))
    ax.set_xlabel("steps that the problem takes")
    figures.accuracy_axis(ax, "right answers", chance=None)
    figures.label_lines(ax, ends, last, gap=0.07)
    figures.caption(ax, _small_print(evidence, models))


@picture("cot_saliency", widths=(1, 1), height=2.8)
def draw_saliency(evidence: Evidence, axes: Sequence[Axes]) -> None:
    models = models_of(evidence)
    measures: tuple[tuple[str, Callable[[pd.DataFrame, str], pd.Series]], ...] = (
        ("share of all attribution on the question's numbers", lambda t, arm: claims_of.by_item(t, arm, "share")),
        ("variation over paraphrases (sd / mean)", claims_of.variation),
    )
    arms = (("direct", "no steps"), ("worked", "with steps"), ("dummy", "dummy steps"))
    for ax, (title, measure) in zip(axes, measures, strict=True):
        for offset, (_, colour, table, control) in zip(_offsets(len(models)), models, strict=True):
            for place, (arm, _) in enumerate(reversed(arms)):
                values = measure(control if arm == "dummy" else table, arm).to_numpy()
                if len(values):
                    ink = GREY if arm == "dummy" else colour
                    _interval(ax, place + offset, statistics.bootstrap_mean(values), ink, control=arm == "dummy")
        _name_rows(ax, [name for _, name in arms], grey=("dummy steps",))
        ax.set_xlim(left=0)
        ax.set_xlabel(title)
    figures.caption(axes[0], _small_print(evidence, models))
    figures.caption(axes[1], str(evidence.knobs.get("method", "")).replace("_", " "))


@picture("counterfactual_prompts", widths=(1, 1, 1), height=3.0)
def draw_grid(evidence: Evidence, axes: Sequence[Axes]) -> None:
    models, titles = models_of(evidence), {"true": "true equations", "false": "false equations", "none": "no equations"}
    for ax, pattern in zip(axes, PATTERNS, strict=True):
        for offset, (_, colour, table, control) in zip(_offsets(len(models)), models, strict=True):
            _draw_cells(ax, table, pattern, colour, offset / 2)
            ax.axhline(float(control["correct"].mean()), **palette.CONTROL_LINE)
        ax.set_xticks(range(len(SYMBOLS)), SYMBOLS)
        ax.set_xlim(-0.5, len(SYMBOLS) - 0.5)
        figures.accuracy_axis(ax, "right answers" if ax is axes[0] else "", chance=None)
        ax.set_xlabel(titles[pattern])
    figures.caption(axes[0], models[0][0] if len(models) == 1 else f"{len(models)} models")
    figures.caption(axes[1], "● text kept   ■ shuffled")
    figures.caption(axes[2], f"dashed: not shown, n = {evidence.table['item'].nunique()}")


@picture("taught_reasoning", height=2.9)
@picture("faulty_reasoning", height=2.9)
def draw_faults(evidence: Evidence, axes: Sequence[Axes]) -> None:
    ax, models = axes[0], models_of(evidence)
    null = str(evidence.control["steps shown"].iloc[0])  # no demonstrations, or, where steps are taught, nothing taught
    arms = [*FAULTS, "direct", null]
    for offset, (_, colour, table, control) in zip(_offsets(len(models)), models, strict=True):
        for place, arm in enumerate(reversed(arms)):
            rows = control if arm == null else table[table["steps shown"] == arm]
            _interval(ax, place + offset, claims_of.share(rows), GREY if arm == null else colour, control=arm == null)
    _name_rows(ax, [f"{arm} steps" if arm in FAULTS else arm for arm in arms], grey=(null,))
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    ax.set_xlabel("right answers")
    figures.caption(ax, _small_print(evidence, models))


def _by_steps(rows: pd.DataFrame) -> pd.DataFrame:
    found = [{"steps": k, **_as_row(claims_of.share(group))} for k, group in rows.groupby("steps")]
    return pd.DataFrame(found).sort_values("steps")


def _as_row(interval: Interval) -> dict[str, float]:
    return {"accuracy": interval.estimate, "low": interval.low, "high": interval.high}


def _draw_cells(ax: Axes, table: pd.DataFrame, pattern: str, colour: str, offset: float) -> None:
    for text, marker, shift in zip(TEXTS, ("o", "s"), (-0.12, 0.12), strict=True):
        for place, symbol in enumerate(SYMBOLS):
            rows = claims_of.cell(table, symbol, pattern, text)
            if len(rows):
                found = claims_of.share(rows)
                x = place + shift + offset
                ax.plot([x, x], [found.low, found.high], color=colour, linewidth=1.6)
                ax.plot(x, found.estimate, marker, color=colour, markersize=5)


def _interval(ax: Axes, height: float, interval: Interval, colour: str, *, control: bool = False) -> None:
    dashes = (0, (3, 2)) if control else "solid"
    ax.plot([interval.low, interval.high], [height, height], color=colour, linewidth=1.6, linestyle=dashes)
    ax.plot(interval.estimate, height, "o", color=colour, markersize=5)


def _name_rows(ax: Axes, names: Sequence[str], grey: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), list(reversed(names)))
    ax.set_ylim(-0.6, len(names) - 0.4)
    for tick, name in zip(ax.get_yticklabels(), reversed(names), strict=True):
        tick.set_color(GREY if name in grey else INK)


def _offsets(n: int) -> np.ndarray:
    return np.linspace(0.25, -0.25, n) if n > 1 else np.zeros(1)


def _small_print(evidence: Evidence, models: Models) -> str:
    subject = " → ".join(name for name, *_ in models) if len(models) > 1 else models[0][0]
    n = evidence.table["item"].nunique()
    shots = evidence.knobs.get("shots", "?")
    parts = [subject, f"{shots} demonstration{'' if shots == 1 else 's'}", f"n = {n}", "intervals 95 %"]
    return ", ".join(part for part in parts if part)
