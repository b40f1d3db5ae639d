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


@picture("worked_answers", height=3.0)
def draw_worked(evidence: Evidence, axes: Sequence[Axes]) -> None:
    models = models_of(evidence)
    panels = _panels(axes[0], len(models))
    for panel, (name, colour, table, control) in zip(panels, models, strict=True):
        ends = []
        for way, line, rows in (("worked", "-", table), ("direct", ":", table), ("dummy", "--", control)):
            curve = _by_steps(rows[rows["way"] == way])
            ink = GREY if way == "dummy" else colour
            figures.band(panel, curve["steps"], curve, ink, linestyle=line)
            title = {"worked": "worked", "direct": "direct", "dummy": "behind dummy steps"}[way]
            ends.append((curve["accuracy"].iloc[-1], title, ink))
        panel.set_xticks(sorted(set(table["steps"])))
        panel.set_xmargin(0.12)
        figures.accuracy_axis(panel, "right answers" if panel is panels[0] else "", chance=None)
        if len(models) > 1:
            panel.set_title(name, fontsize=9, color=colour, pad=8)
    figures.label_lines(panel, ends, max(table["steps"]), gap=0.07)
    each = models[0][2].groupby("steps")["item"].nunique().max()
    if len(models) == 1:
        panels[0].set_xlabel(f"steps that the problem takes; n = {each} each, intervals 95 %", loc="left")
        figures.caption(panels[0], models[0][0])
    else:  # a label wider than its panel would push the panels apart
        panels[0].set_xlabel("steps needed")
        panels[1].set_xlabel(f"n = {each} each")


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
    figures.caption(axes[0], _subject(models))
    method = str(evidence.knobs.get("method", "")).replace("_", " ")
    figures.caption(axes[1], f"{method}, n = {evidence.table['item'].nunique()}")


@picture("counterfactual_prompts", widths=(1, 1, 1), height=3.0)
def draw_grid(evidence: Evidence, axes: Sequence[Axes]) -> None:
    models, titles = models_of(evidence), {"true": "true equations", "false": "false equations", "none": "no equations"}
    draw = _draw_cells if len(models) == 1 else _draw_cells_by_size
    for ax, pattern in zip(axes, PATTERNS, strict=True):
        draw(ax, models, pattern)
        figures.accuracy_axis(ax, "right answers" if ax is axes[0] else "", chance=None)
        ax.set_xlabel(titles[pattern])
    n = evidence.table["item"].nunique()
    if len(models) == 1:
        figures.caption(axes[0], models[0][0])
        figures.caption(axes[1], "● text kept   ■ shuffled")
    else:
        figures.caption(axes[0], "● digits   ◆ letters")
        figures.caption(axes[1], "■ ▲ the same, text shuffled")
    figures.caption(axes[2], f"dashed: not shown, n = {n}")


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


def _draw_cells(ax: Axes, models: Models, pattern: str) -> None:
    """One model: digits and letters side by side, text kept and shuffled beside each other."""
    _, colour, table, control = models[0]
    ax.axhline(float(control["correct"].mean()), **palette.CONTROL_LINE)
    for text, marker, shift in zip(TEXTS, ("o", "s"), (-0.12, 0.12), strict=True):
        for place, symbol in enumerate(SYMBOLS):
            _draw_cell(ax, place + shift, claims_of.cell(table, symbol, pattern, text), marker, colour)
    ax.set_xticks(range(len(SYMBOLS)), SYMBOLS)
    ax.set_xlim(-0.5, len(SYMBOLS) - 0.5)


def _draw_cells_by_size(ax: Axes, models: Models, pattern: str) -> None:
    """Several models, small to large: the four kinds of symbols and text beside each other, a mark for each."""
    kinds = list(zip(("o", "s", "D", "^"), ((s, t) for s in SYMBOLS for t in TEXTS), strict=True))
    for place, (_, colour, table, control) in enumerate(models):
        ax.plot([place - 0.45, place + 0.45], [control["correct"].mean()] * 2, **palette.CONTROL_LINE)
        for shift, (marker, (symbol, text)) in zip((-0.27, -0.09, 0.09, 0.27), kinds, strict=True):
            _draw_cell(ax, place + shift, claims_of.cell(table, symbol, pattern, text), marker, colour)
    ax.set_xticks(range(len(models)), _short([name for name, *_ in models]))
    ax.set_xlim(-0.6, len(models) - 0.4)


def _draw_cell(ax: Axes, x: float, rows: pd.DataFrame, marker: str, colour: str) -> None:
    if len(rows):
        found = claims_of.share(rows)
        ax.plot([x, x], [found.low, found.high], color=colour, linewidth=1.6)
        ax.plot(x, found.estimate, marker, color=colour, markersize=4.5)


def _panels(ax: Axes, n: int) -> list[Axes]:
    """`n` axes side by side in the place of one, with one scale."""
    if n == 1:
        return [ax]
    ax.axis("off")
    grid, figure = ax.get_subplotspec().subgridspec(1, n), ax.figure
    panels = [figure.add_subplot(grid[0, 0])]
    panels += [figure.add_subplot(grid[0, i], sharey=panels[0]) for i in range(1, n)]
    for panel in panels[1:]:
        panel.tick_params(labelleft=False)
    return panels


def _short(names: Sequence[str]) -> list[str]:
    """Names without what they all begin with: pebble-1m and pebble-3m are 1m and 3m."""
    families = {name.rpartition("-")[0] for name in names}
    return [name.rpartition("-")[2] for name in names] if len(families) == 1 else list(names)


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
    n = evidence.table["item"].nunique()
    shots = evidence.knobs.get("shots", "?")
    parts = [_subject(models), f"{shots} demonstration{'' if shots == 1 else 's'}", f"n = {n}", "intervals 95 %"]
    return ", ".join(part for part in parts if part)


def _subject(models: Models) -> str:
    """Whose evidence this is: the model, or the smallest and the largest of several."""
    return models[0][0] if len(models) == 1 else f"{models[0][0]} to {models[-1][0]}, light to dark"
