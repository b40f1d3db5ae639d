"""How evidence is drawn: one style, direct labels, verdicts under the picture. matplotlib's Figure, never pyplot."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.studies.evidence import WORDS, Claim
from xllm_widgets.widgets import palette, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xllm_widgets.studies.evidence import Evidence

WIDTH = 7.6  # inches; the text below the picture is wrapped to it
LINE = 0.19  # inches a line of that text
MAX_CLAIMS = 9  # verdict lines under a picture; all of them stand in `.claims`

_PICTURES: dict[str, tuple[Callable[[Evidence, Sequence[Axes]], None], tuple[float, ...], float]] = {}
_OF_THE_LARGEST: set[str] = set()  # studies whose picture, over several models, is that of the largest


def picture(study: str, *, widths: Sequence[float] = (1,), height: float = 3.3, largest: bool = False) -> Callable:
    """Register how a study's evidence is drawn: on one axes for each of `widths` (relative), `height` inches high.

    `largest`: over several models the largest alone is drawn, and so its verdicts alone stand under the picture.
    """

    def register(function: Callable) -> Callable:
        _PICTURES[study] = (function, tuple(widths), height)
        if largest:
            _OF_THE_LARGEST.add(study)
        return function

    return register


def draw(evidence: Evidence) -> Figure:
    """The picture of this evidence with its question above, its verdicts below."""
    from xllm_widgets.studies import registry

    registry.import_pictures()
    function, widths, height = _PICTURES["sweep" if "cells" in evidence.provenance else evidence.study]
    drawn = _drawn(evidence)
    notes = evidence.notes if len(drawn) == len(evidence.claims) else []  # those of several models say not whose
    lines = _verdict_lines(drawn, len(evidence.claims)) + [(note, palette.LIGHT["muted"]) for note in notes]
    with style.house_style():
        figure = style.figure(WIDTH, height + LINE * (len(lines) + 1.6))
        grid = figure.add_gridspec(2, len(widths), width_ratios=widths, height_ratios=(height, LINE * len(lines) + 0.1))
        axes = [figure.add_subplot(grid[0, i]) for i in range(len(widths))]
        function(evidence, axes)
        _write_below(figure.add_subplot(grid[1, :]), lines)
        figure.suptitle(_wrapped(evidence.question, 84), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes, in the house style."""
    buffer = io.BytesIO()
    with style.house_style():
        figure.savefig(buffer, format="png", dpi=144)
    return buffer.getvalue()


def band(axes: Axes, x, rows, colour: str, *, marker: str = "o", **line) -> None:
    """A line of accuracy over x with its 95 % interval as a band; `rows` has columns accuracy, low, high."""
    axes.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, rows["accuracy"], color=colour, marker=marker, markersize=4.5, **line)


def label_lines(axes: Axes, ends: Sequence[tuple[float, str, str]], x: float, gap: float = 0.055) -> None:
    """Names at the right end of lines, pushed apart where they would collide; `ends`: (height, text, colour)."""
    heights = spread([height for height, _, _ in ends], gap, axes.get_ylim())
    for (_, text, colour), height in zip(ends, heights, strict=True):
        beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
        axes.annotate(text, (x, height), color=colour, fontsize=9, **beside)


def spread(heights: Sequence[float], gap: float, within: tuple[float, float] = (-np.inf, np.inf)) -> list[float]:
    """The heights moved as little as needed to lie at least `gap` apart and, where there is room, `within` two others.

    Their order is kept.
    """
    order = np.argsort(heights, kind="stable")
    moved = np.asarray(heights, dtype=float)[order]
    for _ in range(200):
        push = gap - np.diff(moved)
        if not (push > 1e-9).any():
            break
        shift = np.where(push > 1e-9, push / 2 + 1e-6, 0)
        moved[:-1] -= shift
        moved[1:] += shift
        moved = moved.clip(*within)
    result = np.empty(len(moved))
    result[order] = moved
    return result.tolist()


def accuracy_axis(axes: Axes, name: str, *, chance: float | None = 0.5) -> None:
    """A vertical axis from 0 to 100 %, with chance as a thin line."""
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_ylabel(name)
    if chance is not None:
        axes.axhline(chance, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)


def caption(axes: Axes, text: str) -> None:
    """The small print under a panel's title: model, n, draws."""
    axes.set_title(text, fontsize=9, fontweight="normal", color=palette.LIGHT["muted"], pad=8)


def apart(places: Sequence[float], ratio: float) -> list[float]:
    """Of rising places on a logarithmic axis, those at least `ratio` times the last one kept: room for their names."""
    kept: list[float] = []
    for place in places:
        if not kept or place >= ratio * kept[-1]:
            kept.append(place)
    return kept


def short_count(number: float) -> str:
    """1066112 → "1.1M"."""
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= 0.999 * unit:
            digits = f"{number / unit:.2g}" if number / unit < 10 else f"{number / unit:.0f}"
            return f"{digits}{letter}"
    return f"{number:.0f}"


def _drawn(evidence: Evidence) -> Sequence[Claim]:
    """The claims that belong to the picture: all, or those on the largest model."""
    if evidence.study not in _OF_THE_LARGEST or "model" not in evidence.table:
        return evidence.claims
    largest = evidence.table.loc[evidence.table["parameters"].idxmax(), "model"]
    return [claim for claim in evidence.claims if claim.model == largest]


def _verdict_lines(claims: Sequence[Claim], every: int) -> list[tuple[str, str]]:
    lines = []
    for claim in claims[:MAX_CLAIMS]:
        numbers = f"{claim.estimate:.2f} [{claim.low:.2f}, {claim.high:.2f}]"
        text = f"{WORDS[claim.verdict]} · {claim.statement} · {claim.model}: {numbers}, n = {claim.n}"
        ink = palette.LIGHT["ink"] if claim.verdict == "shown" else palette.LIGHT["muted"]
        first, *rest = textwrap.wrap(text, 112)
        lines += [(first, ink), *((f"     {line}", ink) for line in rest)]
    hidden = every - min(MAX_CLAIMS, len(claims))
    return lines + ([(f"and {hidden} more in .claims", palette.LIGHT["muted"])] if hidden > 0 else [])


def _write_below(axes: Axes, lines: Sequence[tuple[str, str]]) -> None:
    axes.axis("off")
    for number, (text, ink) in enumerate(lines):
        axes.text(0, 1 - (number + 0.5) / max(1, len(lines)), text, color=ink, fontsize=8.4, va="center",
                  transform=axes.transAxes, family=[*style.fonts(), "DejaVu Sans"])  # fmt: skip


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width))
