"""One small panel a claim: its estimate on every model, smallest to largest, with interval, threshold and control."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import figures
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.widgets import palette, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, HEIGHT = 4, 1.75  # panels side by side; inches each
LEGEND = "filled: shown · hollow: not shown, or reversed · thin line: threshold · grey dashes: control"
INK, MUTED, RULE = palette.LIGHT["ink"], palette.LIGHT["muted"], palette.LIGHT["rule"]


@dataclass(frozen=True)
class OverSizes:
    """Does a claim hold at every size? `panels`: title → words that the claim's statement holds.

    `evidence`: one study each, measured over several models (`over_models`, or recorded). A filled point is a claim
    shown on that model; the thin line is the claim's threshold, the grey dashed one its control. Raises XllmError for
    words that no claim holds.
    """

    evidence: Sequence[Evidence]
    panels: Mapping[str, str]

    def __post_init__(self) -> None:
        for words in self.panels.values():
            self.claims(words)

    def claims(self, words: str) -> list[tuple[int, Claim]]:
        """(parameters, claim) of every model whose statement holds the words, smallest first."""
        found = [
            (_sizes(each).get(claim.model, 0), claim)
            for each in self.evidence for claim in each.claims if words in claim.statement
        ]  # fmt: skip
        if not found:
            raise XllmError(f"No claim says {words!r}; look at the statements in .claims.")
        return sorted(found, key=lambda pair: pair[0])

    def plot(self) -> Figure:
        """The panels, COLUMNS a row."""
        rows = -(-len(self.panels) // COLUMNS)
        with style.house_style():
            figure = style.figure(figures.WIDTH + 0.6, HEIGHT * rows + 0.3)
            axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
            for ax, (title, words) in zip(axes, self.panels.items(), strict=False):
                _draw(ax, title, self.claims(words))
            for ax in axes[len(self.panels) :]:
                ax.axis("off")
            figure.supxlabel(LEGEND, fontsize=8.5, color=MUTED)
        return figure

    def describe(self) -> str:
        """Every panel in words."""
        lines = []
        for title, words in self.panels.items():
            said = [f"{c.model} {c.glyph} {c.estimate:.2f} [{c.low:.2f}, {c.high:.2f}]" for _, c in self.claims(words)]
            lines.append(f"{title}: {'; '.join(said)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        words, picture = self.describe(), figures.to_png(self.plot())
        data = {"text/plain": words, "image/png": base64.b64encode(picture).decode()}
        return data, {"image/png": {"alt": words}}


def _sizes(evidence: Evidence) -> dict[str, int]:
    """Model → parameters, of evidence over several models or of one."""
    if "model" in evidence.table:
        return dict(zip(evidence.table["model"], evidence.table["parameters"].astype(int), strict=True))
    return {evidence.provenance.get("model", ""): int(evidence.provenance.get("parameters", 0))}


def _draw(ax: Axes, title: str, claims: Sequence[tuple[int, Claim]]) -> None:
    places = np.arange(len(claims))
    ax.axhline(claims[0][1].threshold, color=RULE, linewidth=1, zorder=0)
    controls = [np.nan if claim.control is None else claim.control for _, claim in claims]
    ax.plot(places, controls, **palette.CONTROL_LINE)
    ax.plot(places, [claim.estimate for _, claim in claims], color=RULE, linewidth=1.2, zorder=1)
    for place, (_, claim) in enumerate(claims):
        shade = palette.SIZE_RAMP[min(place + 1, len(palette.SIZE_RAMP) - 1)]
        face = shade if claim.verdict == "shown" else "white"
        ax.plot([place, place], [claim.low, claim.high], color=shade, linewidth=1.6)
        ax.plot(place, claim.estimate, "o", color=shade, markerfacecolor=face, markersize=5.5)
    if not np.isfinite([claim.estimate for _, claim in claims]).any():
        ax.set_ylim(0, 1)
        ax.annotate("cannot be measured", (0.5, 0.6), xycoords="axes fraction", ha="center", color=MUTED, fontsize=8)
    ax.set_xticks(places, [figures.short_count(size) for size, _ in claims], fontsize=8)
    ax.tick_params(axis="y", labelsize=8)
    ax.set_xlim(-0.4, len(claims) - 0.6)
    ax.set_title("\n".join(textwrap.wrap(title, 22)), fontsize=9, fontweight="normal", color=INK, pad=5)
