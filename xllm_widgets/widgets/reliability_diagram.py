"""Is it as often right as it is sure? Confidence against accuracy, a panel for each model or student."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.language import Speech

MOST_SERIES, MOST_BINS = 6, 25
ROLES = {"": palette.SIZE_RAMP[3], "base": palette.BASE, "chat": palette.CHAT, "control": palette.CONTROL}
CALIBRATED = 0.03  # a mean confidence nearer than this to the accuracy is called right
_MEASURES = ("n", "confidence", "accuracy", "ece", "brier")
_BIN = ("low", "high", "n", "confidence", "accuracy", "interval")
_MARGIN = 0.55  # inches beside a panel in the picture


class ReliabilityDiagram(BaseView):
    """When it says 80 % sure, is it right 80 % of the time? One panel a series, all on the same axes.

    `series`: name → what `methods.calibration.reliability` gives: `n`, `confidence`, `accuracy`, `ece`, `brier`,
    perhaps `auroc`, and `bins`, each with `low`, `high`, `n`, mean `confidence`, `accuracy` and its `interval`
    (shares, 0 … 1; an empty bin has None, None and []). A series may have a `role`, "base", "chat" or "control", that
    gives its colour. `selected` is [series, bin], [-1, -1] for none. Raises ViewError for what lacks a field.
    """

    _catalogue = "reliability_diagram"
    _esm = module("reliability_diagram")
    _css = styles("reliability_diagram")

    series = traitlets.List(traitlets.Dict()).tag(sync=True)
    words = traitlets.List(traitlets.Dict()).tag(sync=True)  # of each series: sentence, measures, bins
    selected = traitlets.List(traitlets.Int(), default_value=[-1, -1]).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self, series: Mapping[str, Mapping[str, Any]] | None = None, **kwargs: Any) -> None:
        self._refuse_unknown(kwargs)
        super().__init__(series=[{"name": name, **one} for name, one in (series or {}).items()], **kwargs)

    @traitlets.validate("series")
    def _known_series(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MOST_SERIES:
            raise ViewError(f"{len(proposal['value'])} series are more than the {MOST_SERIES} that fit: pass fewer.")
        return [_series(one) for one in proposal["value"]]

    @traitlets.observe("series")
    def _say(self, change: dict[str, Any]) -> None:
        say = self.say
        self.words = [
            {"sentence": _sentence(say, one), "measures": _measures(say, one),
             "bins": [_bin_said(say, b) for b in one["bins"]]}
            for one in change["new"]
        ]  # fmt: skip
        self.selected = [-1, -1]

    def on_select(self, callback: Callable[[str, int], None]) -> None:
        """Calls back with the series' name and the number of each bin chosen; errors show in the view."""

        def chosen(change: dict[str, Any]) -> None:
            series, number = change["new"]
            if series >= 0:
                with self.errors_shown():
                    self.error = ""
                    callback(self.series[series]["name"], number)

        self.observe(chosen, names="selected")

    def describe(self) -> str:
        """Of each series the verdict, the measures and every bin that holds items."""
        lines = [self.title or self.say("name")]
        for one, words in zip(self.series, self.words, strict=True):
            measures = self.say("measures_and").join(f"{name} {value}" for name, value, _ in words["measures"])
            told = {"series": one["name"], "sentence": words["sentence"], "measures": measures}
            lines += [self.say("described", **told)]
            lines += [f"  {said}" for said, b in zip(words["bins"], one["bins"], strict=True) if b["n"]]
        return "\n".join(lines)

    def draw(self, figure: Figure) -> None:
        """The panels, three to a row, each over the histogram of its items."""
        from xllm_widgets.widgets._draw import Page

        page, places = Page(figure), []
        y = 0.2
        if self.title:
            page.text(0, y, self.title, 11, fontweight="bold")
            y += 0.24
        page.text(0, y, self.say("key_drawn"), 8, palette.LIGHT["muted"])
        y += 0.32
        for i, (one, words) in enumerate(zip(self.series, self.words, strict=True)):
            column = i % 3
            y += (4.0 if i else 0) * (column == 0)
            left = column * (page.width / 3)
            page.text(left, y, one["name"], 10, fontweight="bold")
            below = page.paragraph(words["sentence"], left, y + 3.2, page.width / 3 - 0.15, 8.5)
            measures = "   ".join(f"{name} {value}" for name, value, _ in words["measures"])
            page.text(left, below + 0.17, measures, 8, palette.LIGHT["muted"])
            places.append((page.margin + left + 0.42, y + 0.15))
        height = y + (3.8 if self.series else 0.2)
        page.finish(height)
        for one, (left, top) in zip(self.series, places, strict=True):
            lower = _draw_panel(figure, one, left, top, page.width / 3 - _MARGIN, height)
            lower.set_xlabel(self.say("stated_confidence"), fontsize=8, labelpad=1)


def _draw_panel(figure: Figure, one: dict[str, Any], left: float, top: float, wide: float, height: float) -> Axes:
    """Confidence against accuracy, and beneath it the histogram, which is returned; all in inches from the top left."""
    full = figure.get_figwidth()
    upper = figure.add_axes((left / full, 1 - (top + 1.95) / height, wide / full, 1.95 / height))
    lower = figure.add_axes((left / full, 1 - (top + 2.55) / height, wide / full, 0.47 / height))
    colour = ROLES[one["role"]]
    _draw_bins(upper, one["bins"], colour)
    lower.bar(
        [b["low"] for b in one["bins"]], [b["n"] for b in one["bins"]], align="edge", color=colour, alpha=0.45,
        width=[0.92 * (b["high"] - b["low"]) for b in one["bins"]],
    )  # fmt: skip
    for axes in (upper, lower):
        axes.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        axes.tick_params(labelsize=7.5)
    upper.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0 %", "50 %", "100 %"], xticklabels=[])
    lower.set(xticklabels=["0 %", "50 %", "100 %"], yticks=[max([b["n"] for b in one["bins"]], default=1) or 1])
    return lower


def _draw_bins(axes: Axes, bins: list[dict[str, Any]], colour: str) -> None:
    axes.plot([0, 1], [0, 1], color=palette.LIGHT["muted"], linewidth=1, linestyle=(0, (2, 2)))
    for b in (b for b in bins if b["n"]):
        width, bottom = 0.92 * (b["high"] - b["low"]), min(b["confidence"], b["accuracy"])
        gap = abs(b["confidence"] - b["accuracy"])
        hatch = "////" if b["confidence"] > b["accuracy"] else None
        axes.bar(
            b["low"], gap, width, bottom, align="edge", color=(colour, 0.2), hatch=hatch, edgecolor=(colour, 0.45),
            linewidth=0,
        )  # fmt: skip
        axes.plot([b["confidence"]] * 2, b["interval"], color=colour, linewidth=1.2, clip_on=False)
        axes.plot(b["confidence"], b["accuracy"], "o", color=colour, markersize=4, clip_on=False)


def _series(given: Mapping[str, Any]) -> dict[str, Any]:
    """A series as plain JSON with exactly the fields shown, or a sentence on what it lacks."""
    missing = [name for name in ("name", *_MEASURES, "bins") if name not in given]
    if missing:
        raise ViewError(f"A series lacks {', '.join(missing)}: pass what `methods.calibration.reliability` gives.")
    role, bins = given.get("role", ""), list(given["bins"])
    if role not in ROLES:
        raise ViewError(f"{role!r} is no role of a series: it is one of {', '.join(map(repr, ROLES))}.")
    if not 1 <= len(bins) <= MOST_BINS:
        raise ViewError(f"{len(bins)} bins cannot be shown: use 1 to {MOST_BINS}.")
    measures = {name: float(given[name]) for name in _MEASURES} | {"n": int(given["n"])}
    return {
        "name": str(given["name"]), "role": role, **measures, "auroc": _number(given.get("auroc")),
        "bins": [_bin(one) for one in bins],
    }  # fmt: skip


def _bin(given: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in _BIN if name not in given]
    if missing:
        raise ViewError(f"A bin lacks {', '.join(missing)}: it needs {', '.join(_BIN)}.")
    n, confidence, accuracy = int(given["n"]), _number(given["confidence"]), _number(given["accuracy"])
    interval = [float(end) for end in given["interval"]]
    if n and (confidence is None or accuracy is None or len(interval) != 2):
        raise ViewError(f"A bin of {n} items needs confidence, accuracy and the two ends of the accuracy's interval.")
    return {
        "low": float(given["low"]), "high": float(given["high"]), "n": n, "confidence": confidence,
        "accuracy": accuracy, "interval": interval,
    }  # fmt: skip


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _sentence(say: Speech, one: dict[str, Any]) -> str:
    """The diagram's message: how sure, how often right, and which way that errs."""
    confidence, accuracy = _percent(one["confidence"]), _percent(one["accuracy"])
    return say("sentence", confidence=confidence, accuracy=accuracy, verdict=_verdict(say, one))


def _verdict(say: Speech, one: dict[str, Any]) -> str:
    gap = one["confidence"] - one["accuracy"]
    if abs(gap) < CALIBRATED:
        return say("well_judged")
    return say("points_too_sure" if gap > 0 else "points_too_unsure", n=_points(gap))


def _measures(say: Speech, one: dict[str, Any]) -> list[list[str]]:
    """Name, number and meaning of each measure, as it is read beside the diagram."""
    said = [
        ["ECE", f"{one['ece']:.2f}", say("ece_means", n=_points(one["ece"]))],
        ["Brier", f"{one['brier']:.2f}", say("brier_means")],
    ]
    if one["auroc"] is not None:
        said.append(["AUROC", f"{one['auroc']:.2f}", say("auroc_means")])
    return [*said, ["n", str(one["n"]), say("n_means")]]


def _bin_said(say: Speech, b: dict[str, Any]) -> str:
    span = f"{100 * b['low']:.3g}–{100 * b['high']:.3g} %"
    if not b["n"]:
        return say("bin_empty", span=span)
    low, high = (f"{100 * end:.0f}" for end in b["interval"])
    means = {"confidence": _percent(b["confidence"]), "accuracy": _percent(b["accuracy"]), "low": low, "high": high}
    return say("bin_said", span=span, n=b["n"], verdict=_bin_verdict(say, b), **means)


def _bin_verdict(say: Speech, b: dict[str, Any]) -> str:
    """Whether the interval leaves room for the confidence that was stated."""
    if b["interval"][0] <= b["confidence"] <= b["interval"][1]:
        return say("no_clear_gap")
    return _verdict(say, b)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _points(gap: float) -> str:
    return f"{100 * abs(gap):.0f}"
