"""The static twin of the steering dial: setting, bars before and after, both texts, the coherence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xllm_widgets.widgets import palette
from xllm_widgets.widgets._draw import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.steering_dial import SteeringDial

_MUTED, _WELL = palette.LIGHT["muted"], palette.LIGHT["well"]


def colour_of(dial: SteeringDial) -> Any:
    """Orange toward the concept, purple away from it, grey for the control."""
    if dial.setting["direction"] == "random":
        return palette.CONTROL
    return palette.ground(dial.signed_strength or 1.0, 1e-9)


def draw(dial: SteeringDial, figure: Figure) -> None:
    """Draws `dial` into an empty figure, whose height it sets."""
    page = Page(figure)
    page.text(0, 0.3, dial.title or dial.say("name"), 11, fontweight="bold")
    y = page.paragraph(dial.setting["prompt"], 0, 0.6, page.width, 10) + 0.1
    y = page.paragraph(dial.setting_in_words(), 0, y + 0.2, page.width, 9.5, ink=_MUTED) + 0.32
    y = _scale(page, dial, y)
    y = _bars(page, dial, y + 0.42)
    y = _texts(page, dial, y + 0.1)
    page.finish(y + 0.2)


def _scale(page: Page, dial: SteeringDial, y: float) -> float:
    """The slider: its ends, its zero, and where the strength stands."""
    middle, half = page.width / 2, page.width / 2 - 0.2
    page.box(middle - half, y - 0.02, 2 * half, 0.04, palette.LIGHT["rule"])
    reach = half * dial.setting["strength"] / dial.most
    page.box(min(middle, middle + reach), y - 0.04, abs(reach), 0.08, colour_of(dial))
    page.line((middle, middle), (y - 0.09, y + 0.09), color=_MUTED, linewidth=1)
    page.box(middle + reach - 0.04, y - 0.09, 0.08, 0.18, palette.LIGHT["ink"])
    for x, label, side in (
        (middle - half, f"−{dial.most:g}", "left"),
        (middle, dial.say("zero_end"), "center"),
        (middle + half, f"+{dial.most:g}", "right"),
    ):
        page.text(x, y + 0.26, label, 8.5, _MUTED, ha=side)
    return y + 0.26


def _bars(page: Page, dial: SteeringDial, y: float) -> float:
    now = dial.current("probabilities")
    if now is None:
        page.text(0, y, dial.error or dial.say("not_computed"), 9.5, _MUTED)
        return y + 0.27
    left = max((page.measure(word, 10) for word in now["words"]), default=0) + 0.15
    wide = page.width - left - 1.2
    for word, before, after in zip(now["words"], now["unsteered"], now["steered"], strict=True):
        page.text(0, y, word, 10, fontweight="bold")
        for value, top, colour in ((before, y - 0.14, _MUTED), (after, y - 0.05, colour_of(dial))):
            page.box(left, top, wide, 0.08, _WELL)
            page.box(left, top, wide * value, 0.08, colour)
        page.text(left + wide + 0.1, y, f"{before:.1%} → {after:.1%}", 9.5)
        y += 0.3
    return y


def _texts(page: Page, dial: SteeringDial, y: float) -> float:
    now = dial.current("texts")
    if now is None:
        return y
    from xllm_widgets.widgets.steering_dial import coherence_in_words

    half, ends = (page.width - 0.3) / 2, []
    for i, side in enumerate(("unsteered", "steered")):
        x = i * (half + 0.3)
        page.text(x, y, dial.say(side), 9, _MUTED)
        ends.append(page.paragraph(now[side]["text"], x, y + 0.22, half, 9.5))
    y = max(ends) + 0.34
    page.text(0, y, coherence_in_words(dial.say, now), 9.5)
    return y
