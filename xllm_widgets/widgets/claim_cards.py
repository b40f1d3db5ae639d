"""What was claimed and how it came out: verdict, interval, threshold and control on one line each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.language import Speech

MAX_CLAIMS = 400
_WORDS = ("study", "section", "paper", "model", "statement", "verdict")
_NUMBERS = ("estimate", "low", "high", "threshold", "control")
_COUNTS = ("n", "seeds")
_VERDICTS = {"shown": "shown", "not shown": "not_shown", "reversed": "reversed"}  # as the catalogue has them


class ClaimCards(BaseView):
    """Was it shown here? Each claim's estimate with its 95 % interval, beside its threshold and its control.

    `claims`: the fields of `xllm claims --json` (or objects whose `to_dict()` gives them); a number that does
    not exist is None. Claims that follow each other with one statement share a card, one line a model. Raises ViewError
    where a field is missing or a verdict unknown.
    """

    _catalogue = "claim_cards"
    _esm = module("claim_cards")
    _css = styles("claim_cards")

    claims = traitlets.List(traitlets.Dict()).tag(sync=True)
    groups = traitlets.List(traitlets.Dict()).tag(sync=True)  # claims [index, …], axis [low, high], places
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self, claims: Iterable[Any] = (), **kwargs: Any) -> None:
        self._refuse_unknown(kwargs)
        super().__init__(claims=[_claim(claim) for claim in claims], **kwargs)

    @traitlets.validate("claims")
    def _known_claims(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MAX_CLAIMS:
            raise ViewError(f"{len(proposal['value'])} claims are more than the {MAX_CLAIMS} shown: pass fewer.")
        return [_claim(claim) for claim in proposal["value"]]

    @traitlets.observe("claims")
    def _group(self, change: dict[str, Any]) -> None:
        self.groups = _groups(change["new"])

    def describe(self) -> str:
        """Every verdict with its numbers, a line each."""
        lines = [_sentence(self.say, self.claims[i], group["places"]) for group in self.groups for i in group["claims"]]
        return "\n".join([self.title or self.say("name"), *lines])

    def draw(self, figure: Figure) -> None:
        """The cards one below the other, as in the browser."""
        from xllm_widgets.widgets._draw import Page

        page, muted, y = Page(figure), palette.LIGHT["muted"], 0.2
        if self.title:
            page.text(0, y, self.title, 11, fontweight="bold")
            y += 0.3
        y = self._draw_legend(page, y) + 0.36
        for group in self.groups:
            rows = [self.claims[i] for i in group["claims"]]
            y = page.paragraph(rows[0]["statement"], 0, y, page.width, 10, fontweight="bold") + 0.19
            page.text(0, y, _source(self.say, rows[0]), 8, muted)
            for row in rows:
                y = self._draw_row(page, y + 0.32, row, group)
            y = self._draw_axis(page, y + 0.18, group["axis"]) + 0.4
        page.finish(y - 0.2)

    def _draw_legend(self, page: Any, y: float) -> float:
        muted, x = palette.LIGHT["muted"], 0.0
        marks = (("estimate_and_interval", _interval), ("threshold", _threshold), ("control", _control))
        for key, mark in marks:
            words = self.say(key)
            mark(page, x + 0.12, y - 0.04, 0.1)
            page.text(x + 0.3, y, words, 8.5, muted)
            x += 0.55 + page.measure(words, 8.5)
        return y

    def _draw_row(self, page: Any, y: float, claim: dict[str, Any], group: dict[str, Any]) -> float:
        (left, wide), axis, places = _plot_place(page), group["axis"], group["places"]

        def place(value: float) -> float:
            return left + wide * min(1.0, max(0.0, (value - axis[0]) / (axis[1] - axis[0])))

        page.text(0, y, palette.GLYPHS[claim["verdict"]], 10, family="DejaVu Sans")
        weight = "bold" if claim["verdict"] != "not shown" else "normal"
        page.text(0.2, y, self.say(_VERDICTS[claim["verdict"]]), 9.5, fontweight=weight)
        page.text(1.35, y, claim["model"], 9.5)
        page.text(1.35, y + 0.15, _sample(self.say, claim), 7.5, palette.LIGHT["muted"])
        middle = y - 0.04
        page.line((left, left + wide), (middle, middle), color=palette.LIGHT["rule"], linewidth=0.8)
        if claim["control"] is not None:
            _control(page, place(claim["control"]), middle)
        if claim["threshold"] is not None:
            _threshold(page, place(claim["threshold"]), middle)
        if _measured(claim):
            _interval(page, place(claim["estimate"]), middle, 0, place(claim["low"]), place(claim["high"]))
        page.text(left + wide + 0.18, y, _estimate(self.say, claim, places), 9.5)
        page.text(left + wide + 0.18, y + 0.15, _beside(self.say, claim, places), 7.5, palette.LIGHT["muted"])
        return y + 0.1

    def _draw_axis(self, page: Any, y: float, axis: list[float]) -> float:
        left, wide = _plot_place(page)
        for share, value in ((0.0, axis[0]), (1.0, axis[1])):
            page.text(left + share * wide, y, f"{value:g}".replace("-", "−"), 7.5, palette.LIGHT["muted"], ha="center")
        return y


def number(value: float | None, places: int) -> str:
    """A number with a real minus; a dash for one that does not exist."""
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.{places}f}".replace("-", "−")


def _claim(given: Any) -> dict[str, Any]:
    """A claim as plain JSON with exactly the fields shown, or a sentence on what it lacks."""
    fields = given if isinstance(given, Mapping) else given.to_dict()
    missing = [name for name in (*_WORDS, *_NUMBERS, *_COUNTS) if name not in fields]
    if missing:
        raise ViewError(f"A claim lacks {', '.join(missing)}: pass claims as `xllm claims --json` writes them.")
    if fields["verdict"] not in palette.GLYPHS:
        raise ViewError(f"{fields['verdict']!r} is no verdict: it is one of {', '.join(map(repr, palette.GLYPHS))}.")
    words = {name: str(fields[name]) for name in _WORDS}
    return words | {name: _finite(fields[name]) for name in _NUMBERS} | {name: int(fields[name]) for name in _COUNTS}


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _groups(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours that make the same statement, with an axis that they share."""
    together = groupby(range(len(claims)), key=lambda i: (claims[i]["study"], claims[i]["statement"]))
    members = [list(indices) for _, indices in together]
    axes = [_axis([claims[i] for i in indices]) for indices in members]
    return [{"claims": i, "axis": axis, "places": _places(axis)} for i, axis in zip(members, axes, strict=True)]


def _axis(claims: list[dict[str, Any]]) -> list[float]:
    """Shares on 0 … 1, correlations on −1 … 1, differences symmetric about zero and as wide as they need."""
    values = [claim[name] for claim in claims for name in _NUMBERS if claim[name] is not None]
    size = max(map(abs, values), default=1.0)
    if any(claim["threshold"] == 0 for claim in claims) or size > 1:
        size = _round_up(size or 1.0)
        return [-size, size]
    return [0.0 if min(values, default=0.0) >= 0 else -1.0, 1.0]


def _places(axis: list[float]) -> int:
    """Decimals that tell about a hundredth of the axis apart."""
    return max(0, 2 - math.ceil(math.log10(axis[1]) - 1e-9))


def _round_up(size: float) -> float:
    """The next 1, 2 or 5 with any number of zeros."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= size * (1 - 1e-9))


def _measured(claim: dict[str, Any]) -> bool:
    return None not in (claim["estimate"], claim["low"], claim["high"])


def _estimate(say: Speech, claim: dict[str, Any], places: int) -> str:
    if not _measured(claim):
        return say("not_measured")
    estimate, low, high = (number(claim[name], places) for name in ("estimate", "low", "high"))
    return f"{estimate} [{low}, {high}]"


def _sample(say: Speech, claim: dict[str, Any]) -> str:
    return say("sample", count=claim["n"], n=claim["seeds"])


def _beside(say: Speech, claim: dict[str, Any], places: int) -> str:
    threshold = say("threshold_at", value=number(claim["threshold"], places))
    value = number(claim["control"], places)
    control = say("no_control") if claim["control"] is None else say("control_at", value=value)
    return f"{threshold}{say('comma')}{control}"


def _source(say: Speech, claim: dict[str, Any]) -> str:
    return say("source", section=claim["section"], paper=claim["paper"], study=claim["study"])


def _sentence(say: Speech, claim: dict[str, Any], places: int) -> str:
    verdict = f"{palette.GLYPHS[claim['verdict']]} {say(_VERDICTS[claim['verdict']])}"
    return say(
        "sentence", verdict=verdict, statement=claim["statement"], model=claim["model"],
        estimate=_estimate(say, claim, places), beside=_beside(say, claim, places), sample=_sample(say, claim),
    )  # fmt: skip


def _plot_place(page: Any) -> tuple[float, float]:
    """Left end and width of the plots, inches."""
    return 2.75, max(1.0, page.width - 2.75 - 1.75)


def _interval(page: Any, x: float, y: float, half: float, low: float | None = None, high: float | None = None) -> None:
    ends = (x - half if low is None else low, x + half if high is None else high)
    page.line(ends, (y, y), color=palette.SIZE_RAMP[3], linewidth=3, solid_capstyle="butt", alpha=0.55)
    page.line((x,), (y,), color=palette.SIZE_RAMP[3], marker="o", markersize=5)


def _threshold(page: Any, x: float, y: float, half: float = 0) -> None:
    page.line((x, x), (y - 0.1, y + 0.1), color=palette.LIGHT["ink"], linewidth=1.3)


def _control(page: Any, x: float, y: float, half: float = 0) -> None:
    page.line((x, x), (y - 0.1, y + 0.1), color=palette.CONTROL, linewidth=1.4, linestyle=(0, (2, 1.4)))
