"""The static twin of the scatter map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.scatter_map import ScatterMap

MARKERS = ("o", "s", "^", "D", "v", "P")
_NAMED = 24  # points beyond which only the chosen ones are named


def colour(name: str) -> Any:
    """A group's colour as matplotlib reads it."""
    fixed = {"base": palette.BASE, "chat": palette.CHAT, "control": palette.CONTROL, "ink": palette.LIGHT["ink"]}
    rgb = {"toward": palette.TOWARD, "away": palette.AWAY}
    return fixed[name] if name in fixed else tuple(channel / 255 for channel in rgb[name])


def draw(view: ScatterMap, figure: Figure) -> None:
    """Draws `view` into an empty figure, whose height it sets."""
    figure.set_figheight(0.7 * figure.get_figwidth())
    axes = figure.add_axes((0.1, 0.11, 0.86, 0.78))
    axes.set_title(view.title, parse_math=False)
    axes.set_xlabel(view.x_label, parse_math=False)
    axes.set_ylabel(view.y_label, parse_math=False)
    axes.set_aspect("equal", adjustable="datalim")
    places = view.shown()
    if view.show_targets:
        _targets(view, axes, places)
    for k, group in enumerate(view.groups):
        _group(view, axes, places, k, colour(group["colour"]))
    _names(view, axes, places)
    _ground(view, axes)
    if len(view.groups) > 1 or any(view.held_out):
        figure.text(
            0.96, 0.965, _legend(view), ha="right", fontsize=8.5, color=palette.LIGHT["muted"], parse_math=False
        )


def _group(view: ScatterMap, axes: Any, places: np.ndarray, k: int, shade: Any) -> None:
    """One group's points: full where fitted on, hollow where held out."""
    marker = MARKERS[k % len(MARKERS)]
    for hollow in (False, True):
        mine = [i for i, m in enumerate(view.member) if m == k and view.held_out[i] is hollow]
        if mine:
            face = "none" if hollow else shade
            axes.scatter(*places[mine].T, s=22, marker=marker, facecolors=face, edgecolors=[shade], linewidths=1.2)


def _targets(view: ScatterMap, axes: Any, places: np.ndarray) -> None:
    goals = view.shown(view.targets)
    for place, goal in zip(places, goals, strict=True):
        if np.isfinite(goal).all():
            axes.plot(*zip(place, goal, strict=True), color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)


def _names(view: ScatterMap, axes: Any, places: np.ndarray) -> None:
    named = range(len(view.names)) if len(view.names) <= _NAMED else view.selected[:_NAMED]
    for i in named:
        axes.annotate(
            view.names[i], places[i], (4, 4), textcoords="offset points", fontsize=8,
            fontweight="bold" if i in view.selected else "normal", parse_math=False,
        )  # fmt: skip


def _ground(view: ScatterMap, axes: Any) -> None:
    """A map's lines of longitude and latitude; in a turned or centred plane the two axes through zero."""
    from matplotlib.ticker import MultipleLocator

    if view.graticule and not view.centred and not view.rotation:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(view.graticule))
        axes.grid(visible=True)
    elif view.centred or view.turning:
        axes.axhline(0, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)
        axes.axvline(0, color=palette.LIGHT["rule"], linewidth=0.8, zorder=0)


def _legend(view: ScatterMap) -> str:
    glyphs = "●■▲◆▼✚"
    named = [f"{glyphs[k % 6]} {group['name']}" for k, group in enumerate(view.groups) if group["name"]]
    return "   ".join([*named, *([view.say("hollow")] if any(view.held_out) else [])])
