"""Show me the code, and what did it cost? Every panel that is touched carries the call that makes it again, and the
seconds of its last answer."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from xllm_widgets.lab.durations import measured
from xllm_widgets.studies.registry import call, written
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.widgets.base import BaseView
    from xllm_widgets.widgets.language import Speech

P = ParamSpec("P")
View = TypeVar("View", bound="BaseView")
Make = Callable[P, View]
Write = Callable[..., str]
Edited = Callable[[Any], Callable[[Write], str]]


def with_code(edited: Edited | None = None) -> Callable[[Make[P, View]], Make[P, View]]:
    """The view that a function makes carries, as `code`, the call that makes it again.

    `edited(view)`, asked before anything was edited, gives what writes the code after an edit from `write(after="",
    **arguments)`: the call with other arguments, and with lines of code behind it.
    """

    def decorated(make: Make[P, View]) -> Make[P, View]:
        @functools.wraps(make)
        def made(*args: P.args, **kwargs: P.kwargs) -> View:
            view = make(*args, **kwargs)
            write = functools.partial(_code, make, _arguments(make, args, kwargs))
            view.code = write()
            if edited is not None:
                now = edited(view)
                view.observe(lambda _: view.set_trait("code", now(write)), names="request")
            return view

        return made

    return decorated


def with_cost(make: Make[P, View]) -> Make[P, View]:
    """The view that a function makes says what making it took: all its answers are in it."""

    @functools.wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> View:
        started = time.perf_counter()
        view = make(*args, **kwargs)
        view.cost = _cost(speech("lab"), time.perf_counter() - started)
        return view

    return made


class Timed:
    """Answers a view as `answer` does; the view says how long all stages of the last answer took together."""

    def __init__(self, answer: Callable[..., None]) -> None:
        self.answer, self._say = answer, speech("lab")
        self._request: Any = None
        self._seconds = 0.0

    def __call__(self, view: Any, *asked: Any) -> None:
        started = time.perf_counter()
        self.answer(view, *asked)
        before = self._seconds if view.request == self._request else 0.0
        self._request, self._seconds = view.request, before + time.perf_counter() - started
        view.cost = _cost(self._say, self._seconds)


def _cost(say: Speech, seconds: float) -> str:
    return say("last_answer", time=measured(say, seconds))


def _arguments(make: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Name → value as the function got them, defaults too; None and () are what was left out."""
    signature = inspect.signature(make)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        named |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
    return {
        name: value
        for name, value in named.items()
        if value is not None and not (isinstance(value, tuple) and len(value) == 0)
    }


def _code(make: Callable[..., Any], arguments: Mapping[str, Any], after: str = "", **changed: Any) -> str:
    now = {**arguments, **changed}
    lm, settings = now.pop("lm", None), {name: written(name, value) for name, value in now.items()}
    load = "" if lm is None else f"lm = xw.load({lm.name!r})\n"
    shown = call("view", make.__name__, "" if lm is None else "lm", settings)
    needs = "import xllm_widgets as xw\n" if load else ""
    return f"{needs}from xllm_widgets.lab import {make.__name__}\n\n{load}{shown}\n{after}view\n"
