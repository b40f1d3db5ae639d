"""matplotlib in the same clothes as the widgets: one palette, one font stack, no chart junk."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xllm_widgets.widgets import palette

if TYPE_CHECKING:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure


@functools.cache
def fonts() -> tuple[str, ...]:
    """The fonts of the stack that this machine has, so that matplotlib never warns of a missing one."""
    from matplotlib import font_manager

    here = set(font_manager.get_font_names())
    return tuple(name for name in palette.FONTS if name in here) or ("DejaVu Sans",)


@functools.cache
def can_draw(text: str) -> bool:
    """Whether the fonts of the stack that this machine has hold every letter of a text."""
    from matplotlib import font_manager

    held = [font_manager.get_font(font_manager.findfont(name)).get_charmap() for name in fonts()]
    return all(any(ord(letter) in letters for letters in held) for letter in text)


def rc() -> dict[str, Any]:
    """The house style as matplotlib rc settings; use it with `matplotlib.rc_context(rc())` or `house_style()`."""
    from cycler import cycler

    light = palette.LIGHT
    return {
        "font.family": list(fonts()), "font.size": 10.0, "text.color": light["ink"],
        "figure.facecolor": "white", "figure.dpi": 100, "savefig.dpi": 160, "savefig.bbox": "tight",
        "axes.facecolor": "white", "axes.edgecolor": light["muted"], "axes.linewidth": 0.8,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "axes.axisbelow": True,
        "axes.labelcolor": light["muted"], "axes.labelsize": 10.0,
        "axes.titlesize": 11.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10.0,
        "axes.prop_cycle": cycler(color=[palette.SIZE_RAMP[3], palette.BASE, palette.CHAT, palette.CONTROL]),
        "xtick.color": light["muted"], "ytick.color": light["muted"], "xtick.labelsize": 9.0, "ytick.labelsize": 9.0,
        "xtick.major.size": 3.0, "ytick.major.size": 3.0, "grid.color": light["rule"], "grid.linewidth": 0.6,
        "lines.linewidth": 1.8, "lines.markersize": 5.0, "lines.solid_capstyle": "round",
        "legend.frameon": False, "legend.fontsize": 9.0, "image.cmap": "cividis",
    }  # fmt: skip


@contextmanager
def house_style() -> Iterator[None]:
    """Everything drawn inside wears the house style; nothing outside is touched."""
    import matplotlib

    with matplotlib.rc_context(rc()):
        yield


def figure(width: float = 7.0, height: float = 4.0) -> Figure:
    """An empty figure (inches) apart from pyplot's state, safe on any thread; draw in it under `house_style()`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


@functools.cache
def diverging_map() -> LinearSegmentedColormap:
    """Away (purple) through nothing (white) to toward (orange): use symmetric limits about zero."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = [_on_white(palette.AWAY), (1.0, 1.0, 1.0), _on_white(palette.TOWARD)]
    return LinearSegmentedColormap.from_list("xllm_diverging", ends)


def _on_white(rgb: palette.RGB) -> tuple[float, float, float]:
    red, green, blue = (1 - palette.MAX_ALPHA * (1 - channel / 255) for channel in rgb)
    return (red, green, blue)
