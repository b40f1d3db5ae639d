"""The picture of a sweep, whatever the study: each claim's estimate with its interval, its threshold, its verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xllm_widgets.studies import figures
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.figures import picture
from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 12  # claims that find room; all of them stand in `.claims`
INK, MUTED = palette.LIGHT["ink"], palette.LIGHT["muted"]


@picture("sweep", height=4.2)
def draw_sweep(evidence: Evidence, axes: Sequence[Axes]) -> None:
    """Claims of one sentence stand together, one line a model; | is the threshold, × the control."""
    ax, claims = axes[0], sorted(evidence.claims[:ROWS], key=lambda claim: claim.statement)
    for place, claim in enumerate(claims):
        ink = INK if claim.verdict == "shown" else MUTED
        ax.plot([claim.low, claim.high], [place, place], color=ink, linewidth=2)
        filled = {} if claim.verdict == "shown" else palette.HELD_OUT
        ax.plot(claim.estimate, place, "o", color=ink, markersize=6, **filled)
        ax.plot(claim.threshold, place, "|", color=palette.BASE, markersize=14)
        if claim.control is not None:
            ax.plot(claim.control, place, "x", color=palette.CONTROL, markersize=5)
    ax.set_yticks(range(len(claims)), [_label(claim.statement, claim.model) for claim in claims], fontsize=7.5)
    ax.set_ylim(len(claims) - 0.4, -0.6)
    seeds = max((claim.seeds for claim in claims), default=0)
    figures.caption(ax, f"mean over {seeds} seeds with its 95 % interval; | threshold, × control")


def _label(statement: str, model: str) -> str:
    return f"{textwrap.shorten(statement, 56, placeholder=' …')}\n{model}"
