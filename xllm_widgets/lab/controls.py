"""One input for each knob of a study, chosen by what its signature says; only what ipywidgets 7.6 knows is used."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets

from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.language import catalogue, speech

if TYPE_CHECKING:
    from xllm_widgets.studies.registry import Knob

LOOK = {"style": {"description_width": "120px"}, "layout": {"width": "350px"}}


@dataclass(frozen=True)
class Control:
    """An input and how its value is read; `read()` raises XllmError, in one sentence, for what cannot be read."""

    name: str
    input: ipywidgets.Widget
    read: Callable[[], Any]


def control(knob: Knob, value: Any) -> Control:
    """The input for a knob, set to `value`; a value that cannot be typed in (a table, say) is kept and named."""
    item, say, name = _item_type(knob.type), speech("lab"), label(knob.name)
    if knob.options:
        return _plain(knob, ipywidgets.Dropdown(options=list(knob.options), value=value, description=name, **LOOK))
    if isinstance(knob.default, bool):
        return _plain(knob, ipywidgets.Checkbox(value=value, description=name, **LOOK))
    if isinstance(knob.default, int | float):
        return _plain(knob, _number(knob, value))
    if item is not None and (value is None or isinstance(value, list | tuple)):
        box = ipywidgets.Text(value=", ".join(f"{v}" for v in value or ()), description=name, **LOOK)
        return Control(knob.name, box, lambda: _read_list(knob, box.value, item))
    if value is None or isinstance(value, str):
        hint = say("bundled_world") if knob.name == "data" else ""
        box = ipywidgets.Text(value=value or "", placeholder=hint, description=name, **LOOK)
        return Control(knob.name, box, lambda: box.value.strip() or None)
    kept = ipywidgets.Label(say("as_given", name=name, type=type(value).__name__))
    return Control(knob.name, kept, lambda: value)


def label(knob: str) -> str:
    """What a knob is called beside its input; one that the catalogue does not know, by its name in code."""
    return speech("knobs")(knob) if knob in catalogue()["knobs"] else knob


def _plain(knob: Knob, box: Any) -> Control:
    return Control(knob.name, box, lambda: box.value)


def _number(knob: Knob, value: float) -> ipywidgets.Widget:
    whole = isinstance(knob.default, int)
    words = {"value": value, "description": label(knob.name), **LOOK}
    if knob.between is None:
        return ipywidgets.IntText(**words) if whole else ipywidgets.FloatText(**words)
    low, high, step = knob.between.low, knob.between.high, knob.between.step
    if not low <= value <= high:
        raise XllmError(f"{knob.name} = {value} is outside {low} to {high}; choose a value between them.")
    kind = ipywidgets.BoundedIntText if whole else ipywidgets.BoundedFloatText
    return kind(min=low, max=high, step=step, **words)


def _item_type(hint: Any) -> type | None:
    """float for Sequence[float], str for Sequence[str] | None, None for what is no sequence."""
    for part in (hint, *typing.get_args(hint)):
        origin = typing.get_origin(part)
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return typing.get_args(part)[0]
    return None


def _read_list(knob: Knob, text: str, item: type) -> Any:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words and knob.default is None:
        return None
    try:
        return tuple(_as_typed(float(word)) if item is float else item(word) for word in words)
    except ValueError:
        raise XllmError(f"{knob.name} takes numbers separated by commas, not {text!r}.") from None


def _as_typed(number: float) -> float:
    """1 stays 1: settings are shown as they were typed."""
    return int(number) if number.is_integer() else number
