"""The pictures of chapter 03: a layer × token scan, a dial, a transfer matrix with its causal bars, a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xllm_widgets.studies import figures, statistics
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.figures import picture
from xllm_widgets.studies.representation_control import COST
from xllm_widgets.studies.representation_streams import PLACES
from xllm_widgets.studies.representation_truth import READ_AT
from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GREY = palette.LIGHT["ink"], palette.LIGHT["muted"], palette.CONTROL
TOWARD, AWAY = (f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (palette.TOWARD, palette.AWAY))


@picture("reading_vectors", widths=(1.6, 1), height=3.4, largest=True)
def draw_reading(evidence: Evidence, axes: Sequence[Axes]) -> None:
    """Accuracy at every layer and place, by difference PCA; beside it every method's chosen cell and its nulls."""
    table, name = _largest(evidence.table)
    scan = table[table["method"] == "difference PCA"].pivot(index="layer", columns="token", values="accuracy")
    scan = scan[[place for place in PLACES if place in scan]]
    _grid(axes[0], scan.to_numpy()[::-1], 0.5, 1.0)
    axes[0].set_yticks(range(len(scan)), list(scan.index[::-1]))
    axes[0].set_xticks(range(scan.shape[1]), [place.replace(" ", "\n") for place in scan], fontsize=6.8)
    axes[0].set_ylabel("layer")
    chosen = table[table["chosen"] & (table["method"] == "difference PCA")].iloc[0]
    spot = (list(scan).index(chosen["token"]) - 0.5, len(scan) - 1 - list(scan.index).index(chosen["layer"]) - 0.5)
    axes[0].add_patch(_frame(spot))
    figures.caption(axes[0], f"{name or _model(evidence)}, held-out accuracy, n = {chosen['n']} pairs; framed: chosen")
    _draw_methods(axes[1], table[table["chosen"]], _of_model(evidence.control, name))


def _draw_methods(ax: Axes, chosen: pd.DataFrame, control: pd.DataFrame) -> None:
    for place, (_, row) in enumerate(chosen.iloc[::-1].iterrows()):
        _interval(ax, place, row, palette.SIZE_RAMP[3])
        nulls = control[control["method"] == row["method"]]
        for offset, (_, null) in zip((-0.18, -0.32), nulls.iterrows(), strict=False):
            ax.plot(null["accuracy"], place + offset, "|", color=GREY, markersize=9)
            if place == 0:
                ax.annotate(null["control"], (null["accuracy"], place + offset), xytext=(6, 0), fontsize=7.5,
                            textcoords="offset points", va="center", color=GREY)  # fmt: skip
    ax.set_yticks(range(len(chosen)), list(chosen["method"].iloc[::-1]))
    ax.set_ylim(-0.6, len(chosen) - 0.5)
    _share_axis(ax, "accuracy")


@picture("control_vectors", widths=(1.5, 1), height=3.4, largest=True)
def draw_control(evidence: Evidence, axes: Sequence[Axes]) -> None:
    """P(true) of honest and of lying speakers along the dial, and the price in perplexity."""
    table, name = _largest(evidence.table)
    control = _of_model(evidence.control, name)
    ends = []
    for speaker, colour in (("honest", TOWARD), ("lying", AWAY)):
        rows = _dial(table, speaker)
        figures.band(axes[0], rows["notch"], rows, colour)
        ends.append((rows["accuracy"].iloc[-1], f"{speaker} speaker", colour))
        null = control[(control["measure"] == "P(true)") & (control["speaker"] == speaker)]
        means = null.groupby("notch")["value"].mean()
        axes[0].plot(means.index, means, "x", color=GREY, markersize=6)
    figures.accuracy_axis(axes[0], "P(true)")
    figures.label_lines(axes[0], ends, float(table["notch"].max()), gap=0.08)
    axes[0].set_xlabel("← towards lying     strength     towards honesty →")
    n = table.loc[table["measure"] == "P(true)", "item"].nunique()
    figures.caption(axes[0], f"{name or _model(evidence)}, n = {n} facts; ×: random direction of equal norm")
    _draw_cost(axes[1], table, control)


def _dial(table: pd.DataFrame, speaker: str) -> pd.DataFrame:
    rows = table[(table["measure"] == "P(true)") & (table["speaker"] == speaker)]
    groups = [(notch, statistics.bootstrap_mean(group["value"])) for notch, group in rows.groupby("notch")]
    return pd.DataFrame([{"notch": n, "accuracy": i.estimate, "low": i.low, "high": i.high} for n, i in groups])


def _draw_cost(ax: Axes, table: pd.DataFrame, control: pd.DataFrame) -> None:
    for place, (rows, colour, title) in enumerate(
        ((control, GREY, "random"), (table, palette.SIZE_RAMP[3], "concept"))
    ):
        cost = rows[rows["measure"] == "perplexity cost"].groupby("item")["value"].mean()
        interval = statistics.bootstrap_mean(cost)
        _interval(ax, place, interval._asdict(), colour, dashed=title == "random")
    ax.axvline(COST, color=palette.LIGHT["rule"], linewidth=0.8)
    ax.set_yticks([0, 1], ["random direction", "honest - lying"])
    ax.set_ylim(-0.6, 1.6)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}")
    ax.set_xlabel("perplexity of neutral texts")
    figures.caption(ax, "what it costs")


@picture("truth_directions", widths=(1.8, 1.8, 1), height=3.8, largest=True)
def draw_truth(evidence: Evidence, axes: Sequence[Axes]) -> None:
    """Rows: trained on; columns: tested on; mass-mean, in both places. Beside it how far a push moves verdicts."""
    table, name = _largest(evidence.table)
    for ax, place in zip(axes, READ_AT, strict=False):
        rows = table[(table["measure"] == "accuracy") & (table["method"] == "mass-mean") & (table["place"] == place)]
        _draw_transfer(ax, rows)
        figures.caption(ax, f"at the {place}, layer {int(rows['layer'].iloc[0])}")
    axes[0].set_xlabel(f"tested on, {name or _model(evidence)}")
    axes[1].set_xlabel(f"n = {rows['n'].min()} a cell")
    axes[1].set_yticks([])
    _draw_effects(axes[2], table, _of_model(evidence.control, name))


def _draw_transfer(ax: Axes, rows: pd.DataFrame) -> None:
    matrix = rows.pivot(index="trained_on", columns="tested_on", values="estimate")
    matrix = matrix.loc[rows["trained_on"].unique(), rows["tested_on"].unique()]
    _grid(ax, matrix.to_numpy(), 0.0, 1.0, diverging=True)
    names = ["and negations" if " + neg " in name else name for name in matrix.index]
    ax.set_yticks(range(len(matrix)), names, fontsize=7.5)
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(matrix.shape[1]), list(matrix), fontsize=7.5, **turned)


def _draw_effects(ax: Axes, table: pd.DataFrame, control: pd.DataFrame) -> None:
    """One row a method, a mark for each place: light for the statement's end, dark for the verdict; dashed: random."""
    effects = table[table["measure"] == "NIE"]
    methods = list(dict.fromkeys(effects["method"]))[::-1]
    null = control.loc[control["measure"] == "NIE", "estimate"].abs().mean()
    for _, row in effects.iterrows():
        is_end = row["place"] == "statement end"
        place = methods.index(row["method"]) + (0.15 if is_end else -0.15)
        _interval(ax, place, row, palette.SIZE_RAMP[1 if is_end else 3])
    if np.isfinite(null):
        ax.axvline(null, **palette.CONTROL_LINE)
    ax.set_yticks(range(len(methods)), methods, fontsize=8)
    ax.set_ylim(-0.6, len(methods) - 0.4)
    ax.axvline(0, color=MUTED, linewidth=0.8, zorder=0)
    ax.set_xlabel("NIE (1 = all the way)\nlight: end, dark: verdict", fontsize=8.5)
    left, right = ax.get_xlim() if effects["estimate"].notna().any() else (0.0, 0.0)
    ax.set_xlim(min(left, -0.2), max(right, 1.2))  # nothing must not look like much
    if effects["estimate"].isna().all():
        ax.annotate("gives no verdicts", (0.55, 0.55), xycoords="axes fraction", ha="center", color=MUTED, fontsize=8.5)
    figures.caption(ax, "pushed along it")


@picture("space_and_time", widths=(1.7, 1), height=3.6, largest=True)
def draw_space(evidence: Evidence, axes: Sequence[Axes]) -> None:
    """The map drawn from inside the model (or the time line), and held-out R² by layer, held-out groups hollow."""
    table, name = _largest(evidence.table)
    places = table[table["measure"] == "place"]
    if {"latitude", "longitude"} <= set(places["axis"]):
        _draw_map(axes[0], places)
    else:
        _draw_line(axes[0], places)
    n = places[places["axis"] == places["axis"].iloc[0]]["name"].nunique()
    figures.caption(axes[0], f"{name or _model(evidence)}, n = {n}, held out; one colour a group")
    _draw_layers(axes[1], table, _of_model(evidence.control, name))


def _draw_map(ax: Axes, places: pd.DataFrame) -> None:
    places = places[places["axis"].isin(["latitude", "longitude"])]
    wide = places.pivot_table(index=["name", "group"], columns="axis", values=["truth", "estimate"]).dropna()
    truth, read = wide["truth"], wide["estimate"]
    colour = _ranks([truth.loc[truth.index.get_level_values("group") == g, "longitude"].mean()
                     for g in wide.index.get_level_values("group")])  # fmt: skip
    ax.plot(truth["longitude"], truth["latitude"], ".", color=palette.LIGHT["rule"], markersize=3, zorder=0)
    ax.scatter(read["longitude"], read["latitude"], c=colour, cmap="cividis", s=12, linewidths=0)
    ax.set_xlabel("longitude (grey: where they are)")
    ax.set_ylabel("latitude")


def _draw_line(ax: Axes, places: pd.DataFrame) -> None:
    axis = places["axis"].iloc[0]
    rows = places[places["axis"] == axis]
    ends = [rows["truth"].min(), rows["truth"].max()]
    ax.plot(ends, ends, color=palette.LIGHT["rule"], linewidth=0.8)
    ax.plot(rows["truth"], rows["estimate"], ".", color=palette.SIZE_RAMP[3], markersize=4)
    ax.set_xlabel(axis)
    ax.set_ylabel(f"{axis}, as read")


def _draw_layers(ax: Axes, table: pd.DataFrame, control: pd.DataFrame) -> None:
    rows = table[table["measure"] == "R²"]
    shades = dict(
        zip(dict.fromkeys(rows["axis"]), (palette.SIZE_RAMP[2], palette.SIZE_RAMP[4], palette.BASE), strict=False)
    )
    ends = []
    for (axis, split), group in rows.groupby(["axis", "split"], sort=False):
        hollow: dict[str, Any] = palette.HELD_OUT if split != "random" else {}
        group = group.sort_values("layer")
        ax.plot(group["layer"], group["estimate"].clip(lower=-0.2), "o-", color=shades[axis], markersize=4.5,
                linewidth=1 if hollow else 1.8, **hollow)  # fmt: skip
        if not hollow:
            ends.append((max(-0.2, group["estimate"].iloc[-1]), axis, shades[axis]))
    shuffled = control[control["control"] == "shuffled"]["estimate"].clip(lower=-0.2).mean()
    ax.axhline(shuffled, **palette.CONTROL_LINE)
    figures.label_lines(ax, [*ends, (shuffled, "shuffled", GREY)], rows["layer"].max(), gap=0.09)
    ax.set_ylim(-0.25, 1.05)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("layer")
    ax.set_ylabel("held-out R²")
    figures.caption(ax, "hollow: whole groups held out")


# --- what they share ----------------------------------------------------------------------------------------------


def _grid(ax: Axes, values: np.ndarray, low: float, high: float, *, diverging: bool = False) -> None:
    """Cells with their number in them: cividis, or purple to orange about the middle."""
    from matplotlib.colors import LinearSegmentedColormap

    own = LinearSegmentedColormap.from_list("away to toward", [AWAY, "#f7f7f7", TOWARD])
    ax.imshow(values, cmap=own if diverging else "cividis", vmin=low, vmax=high, aspect="auto")
    size = 7.5 if values.shape[1] < 8 else 6.5
    for (row, column), value in np.ndenumerate(values):
        share = (value - low) / (high - low)
        dark = abs(share - 0.5) > 0.38 if diverging else share < 0.55
        text = "–" if not np.isfinite(value) else f"{value:.2f}".lstrip("0")
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color="white" if dark else INK)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _frame(corner: tuple[float, float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, fill=False, edgecolor=TOWARD, linewidth=2)


def _interval(ax: Axes, height: float, row: Any, colour: str, *, dashed: bool = False) -> None:
    style = (0, (3, 2)) if dashed else "solid"
    ax.plot([row["low"], row["high"]], [height, height], color=colour, linewidth=1.6, linestyle=style)
    ax.plot(row["accuracy"] if "accuracy" in row else row["estimate"], height, "o", color=colour, markersize=5)


def _share_axis(ax: Axes, name: str) -> None:
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    ax.set_xlabel(name)
    ax.axvline(0.5, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)


def _largest(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the largest model and its name; a table of one model has no such columns."""
    if "model" not in table:
        return table, ""
    rows = table[table["parameters"] == table["parameters"].max()]
    return rows[rows["model"] == rows["model"].iloc[0]], str(rows["model"].iloc[0])


def _of_model(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["model"] == name] if name and "model" in table else table


def _model(evidence: Evidence) -> str:
    return str(evidence.provenance.get("model", ""))


def _ranks(values: Sequence[float]) -> np.ndarray:
    return pd.Series(values).rank().to_numpy()
