"""The pictures of chapter 01: accuracy under flips, the ladder of scale, the order of emergence, shifts of saliency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xllm_widgets.studies import figures, statistics
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.figures import picture
from xllm_widgets.studies.in_context_learning import accuracy, saliency_changes
from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLIP_AXIS = "labels flipped in the demonstrations"
SHARES = ([0, 0.25, 0.5, 0.75, 1], ["none", "25 %", "50 %", "75 %", "all"])
INK, MUTED, GREY = palette.LIGHT["ink"], palette.LIGHT["muted"], palette.CONTROL


def by_size(parameters: Sequence[int]) -> dict[int, str]:
    """Parameters → colour on the size ramp, smallest lightest."""
    sizes = sorted(set(parameters))
    return dict(zip(sizes, palette.size_colours(len(sizes)), strict=True))


@picture("flipped_labels")
def draw_flips(evidence: Evidence, axes: Sequence[Axes]) -> None:
    ax, tables = axes[0], _by_model(evidence.table)
    colours = by_size([size for size, _, _ in tables])
    ends = []
    for size, name, table in tables:
        rows = _measured(table, "flipped", "correct")
        figures.band(ax, rows["flipped"], rows, colours[size])
        ends.append((rows["accuracy"].iloc[-1], name, colours[size]))
    unshown = float(evidence.control["correct"].mean())
    ax.axhline(unshown, **palette.CONTROL_LINE)
    ends.append((unshown, "no demonstrations", GREY))
    _finish_flips(ax, ends, max(evidence.table["flipped"]))
    figures.caption(ax, _small_print(evidence))


@picture("unrelated_labels", height=2.6)
def draw_unrelated(evidence: Evidence, axes: Sequence[Axes]) -> None:
    ax, rows = axes[0], []
    for size, name, table in _by_model(evidence.table):
        control = {n: t for _, n, t in _by_model(evidence.control)}[name]
        rows.append((name, accuracy(table, "correct"), accuracy(control, "correct"), size))
    colours = by_size([size for *_, size in rows])
    for place, (_, bound, shuffled, size) in enumerate(rows):
        _interval(ax, place + 0.12, bound, colours[size], "arbitrary words" if place == len(rows) - 1 else "")
        _interval(
            ax, place - 0.12, shuffled, GREY, "the same, shuffled" if place == len(rows) - 1 else "", control=True
        )
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    _accuracy_below(ax)
    figures.caption(ax, _small_print(evidence))


@picture("label_override_ladder", widths=(1.5, 1), height=3.6)
def draw_ladder(evidence: Evidence, axes: Sequence[Axes]) -> None:
    table = evidence.table
    colours = by_size(table["parameters"])
    _draw_ladder_curves(axes[0], table, colours)
    _draw_ladder_symbols(axes[1], table, evidence.control, colours)


def _draw_ladder_curves(ax: Axes, table: pd.DataFrame, colours: dict[int, str]) -> None:
    ends, curves = [], table[(table["labels"] == "natural") & (table["against"] == "gold")]
    first_seed = curves["seed"].min()
    for (size, seed, recipe), rows in curves.groupby(["parameters", "seed", "recipe"]):
        rows = rows.sort_values("flipped")
        if recipe != "base":
            ax.plot(rows["flipped"], rows["accuracy"], **palette.CONTROL_LINE)
            ends.append((rows["accuracy"].iloc[-1], f"{figures.short_count(size)}, never saw a flip", GREY))
        elif seed == first_seed:
            figures.band(ax, rows["flipped"], rows, colours[size])
            ends.append((rows["accuracy"].iloc[-1], figures.short_count(size), colours[size]))
        else:
            ax.plot(rows["flipped"], rows["accuracy"], color=colours[size], linewidth=0.9, alpha=0.75)
    _finish_flips(ax, ends, curves["flipped"].max())
    n, draws = int(table["n"].min()), int(table["draws"].min())
    more = "; thin: other seeds" if curves.loc[curves["recipe"] == "base", "seed"].nunique() > 1 else ""
    figures.caption(ax, f"flipped labels, n = {n} × {draws}, bands 95 %{more}")


def _draw_ladder_symbols(ax: Axes, table: pd.DataFrame, control: pd.DataFrame, colours: dict[int, str]) -> None:
    rows = table[(table["labels"] == "arbitrary") & (table["recipe"] == "base")]
    shuffled = control[(control["labels"] == "arbitrary, shuffled") & (control["recipe"] == "base")]
    for _, row in rows.iterrows():
        ax.plot([row["parameters"]] * 2, [row["low"], row["high"]], color=colours[row["parameters"]], linewidth=1.6)
        ax.plot(row["parameters"], row["accuracy"], "o", color=colours[row["parameters"]])
    means = shuffled.groupby("parameters")["accuracy"].mean()
    ax.plot(means.index, means.to_numpy(), **palette.CONTROL_LINE)
    place = {"xytext": (0, -12), "textcoords": "offset points", "ha": "right"}
    ax.annotate("words shuffled", (means.index[-1], means.iloc[-1]), color=GREY, fontsize=9, **place)
    ax.set_xscale("log")
    ax.set_xticks(list(colours), [figures.short_count(size) for size in colours])
    ax.minorticks_off()
    ax.set_xlim(min(colours) / 1.7, max(colours) * 1.7)
    ax.set_xlabel("parameters")
    figures.accuracy_axis(ax, "")
    figures.caption(ax, "arbitrary label words")


@picture("emergence", height=3.4)
def draw_emergence(evidence: Evidence, axes: Sequence[Axes]) -> None:
    ax, ends = axes[0], []
    names = {"natural": ("natural labels: the prior", "o"), "flipped": ("flipped labels: the override", "s"),
             "arbitrary": ("arbitrary words: symbols", "^")}  # fmt: skip
    shades = dict(zip(names, (palette.SIZE_RAMP[1], palette.SIZE_RAMP[2], palette.SIZE_RAMP[4]), strict=True))
    for ability, (name, marker) in names.items():
        rows = evidence.table[evidence.table["ability"] == ability].sort_values("tokens")
        figures.band(ax, rows["tokens"], rows, shades[ability], marker=marker)
        ends.append((rows["accuracy"].iloc[-1], name, shades[ability]))
    control = evidence.control.sort_values("tokens")
    ax.plot(control["tokens"], control["accuracy"], **palette.CONTROL_LINE)
    ends.append((control["accuracy"].iloc[-1], "arbitrary words, shuffled", GREY))
    tokens = sorted(evidence.table["tokens"].unique())
    ax.set_xscale("log")
    ticks = figures.apart(tokens, 1.3)
    ax.set_xticks(ticks, [figures.short_count(t) for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("tokens read in training")
    figures.accuracy_axis(ax, "accuracy against the labels as given")
    figures.label_lines(ax, ends, tokens[-1], gap=0.07)
    n, draws = int(evidence.table["n"].min()), evidence.knobs["draws"]
    figures.caption(ax, f"{evidence.knobs['model']}, n = {n} × {draws} draws, bands 95 %")


@picture("contrastive_demonstrations", widths=(1, 1.25), height=3.4)
def draw_contrasts(evidence: Evidence, axes: Sequence[Axes]) -> None:
    models = _by_model(evidence.table)
    colours = by_size([size for size, _, _ in models])
    _draw_kinds(axes[0], models, colours)
    _draw_changes(axes[1], models, evidence.control, colours)
    if len(models) > 1:
        _name_sizes(axes[0], models, colours)
    subject = f"{len(models)} models" if len(models) > 1 else models[0][1] or evidence.provenance.get("model", "")
    parts = [subject, evidence.knobs.get("method", ""), f"n = {evidence.table['item'].nunique()}"]
    figures.caption(axes[0], ", ".join(filter(None, parts)))
    figures.caption(axes[1], "change under each contrast, 95 % intervals")


def _draw_kinds(ax: Axes, models, colours: dict[int, str]) -> None:
    kinds = ["label", "sentiment word", "review", "question", "frame"]
    for offset, (size, _, table) in zip(_offsets(len(models)), models, strict=True):
        plain = table[table["condition"] == "original"]
        for place, kind in enumerate(reversed(kinds)):
            values = plain.loc[plain["kind"] == kind, "saliency"].to_numpy()
            if len(values):
                _interval(ax, place + offset, statistics.bootstrap_mean(values), colours[size])
    ax.axvline(1, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(kinds)), [kind.replace("sentiment word", "sentiment words") for kind in reversed(kinds)])
    ax.set_xlim(left=0)
    ax.set_xlabel("saliency (1 = an average token)")


CHANGES = (
    ("labels flipped → labels", "flipped labels", "label", False),
    ("other words changed → labels", "other words", "label", True),
    ("neutral words → those words", "neutral words", "sentiment word", False),
    ("same sentiment → those words", "same sentiment", "sentiment word", True),
)


def _draw_changes(ax: Axes, models, control: pd.DataFrame, colours: dict[int, str]) -> None:
    rows = [*CHANGES[:2], ("labels flipped, random weights", "flipped labels", "label", True), *CHANGES[2:]]
    untaught = {name: table for _, name, table in _by_model(control)}
    for offset, (size, name, table) in zip(_offsets(len(models)), models, strict=True):
        for place, (title, condition, kind, is_control) in enumerate(reversed(rows)):
            changes = saliency_changes(untaught[name] if "random" in title else table, condition, kind)
            if len(changes):
                colour = GREY if is_control else colours[size]
                _interval(ax, place + offset, statistics.bootstrap_mean(changes), colour, control=is_control)
    ax.axvline(0, color=palette.LIGHT["muted"], linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(rows)), [title for title, *_ in reversed(rows)])
    for tick, (*_, is_control) in zip(ax.get_yticklabels(), reversed(rows), strict=True):
        tick.set_color(GREY if is_control else INK)
    ax.set_xlabel("change of saliency")


def _interval(ax: Axes, height: float, interval, colour: str, name: str = "", *, control: bool = False) -> None:
    dashes = (0, (3, 2)) if control else "solid"
    ax.plot([interval.low, interval.high], [height, height], color=colour, linewidth=1.6, linestyle=dashes)
    ax.plot(interval.estimate, height, "o", color=colour, markersize=5)
    if name:
        side = {"xytext": (8, 0), "ha": "left"} if interval.high < 0.75 else {"xytext": (-8, 0), "ha": "right"}
        place = interval.high if side["ha"] == "left" else interval.low
        ax.annotate(name, (place, height), textcoords="offset points", va="center", color=colour, fontsize=9, **side)


def _finish_flips(ax: Axes, ends, right: float) -> None:
    ax.set_xticks(*SHARES)
    ax.set_xlim(-0.03, max(right, 0.5) + 0.02)
    ax.set_xlabel(FLIP_AXIS)
    figures.accuracy_axis(ax, "accuracy against the true labels")
    figures.label_lines(ax, ends, right, gap=0.075)


def _accuracy_below(ax: Axes) -> None:
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    ax.set_xlabel("accuracy against the words as assigned")
    ax.axvline(0.5, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)


def _measured(table: pd.DataFrame, by: str, column: str) -> pd.DataFrame:
    rows = [{by: value, **_as_row(accuracy(group, column))} for value, group in table.groupby(by)]
    return pd.DataFrame(rows).sort_values(by)


def _as_row(interval: statistics.Interval) -> dict[str, float]:
    return {"accuracy": interval.estimate, "low": interval.low, "high": interval.high}


def _by_model(table: pd.DataFrame) -> list[tuple[int, str, pd.DataFrame]]:
    """(parameters, name, table) of each model in a table, smallest first; a table of one model has no such columns."""
    if "model" not in table:
        return [(0, "", table)]
    groups = table.groupby(["parameters", "model"])
    return [(int(size), str(name), group) for (size, name), group in groups]


def _name_sizes(ax: Axes, models, colours: dict[int, str]) -> None:
    """The models in their colours, in the corner where the frame's points leave room."""
    for line, (size, name, _) in enumerate(reversed(models)):
        ax.annotate(
            name, (1, 0), xycoords="axes fraction", xytext=(0, 6 + 11 * line), textcoords="offset points",
            ha="right", color=colours[size], fontsize=8.5,
        )  # fmt: skip


def _offsets(n: int) -> np.ndarray:
    return np.linspace(0.25, -0.25, n) if n > 1 else np.zeros(1)


def _small_print(evidence: Evidence) -> str:
    model = evidence.provenance.get("model", "")
    knobs, table = evidence.knobs, evidence.table
    parts = [
        model,
        f"{knobs.get('shots', '?')} demonstrations",
        f"n = {table['item'].nunique()} × {table['draw'].nunique()} draws",
    ]
    return ", ".join(part for part in [*parts, "bands 95 %"] if part)
