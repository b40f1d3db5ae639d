"""What every view shares: arguments checked, errors shown in words, and a picture wherever widgets do not run."""

from __future__ import annotations

import base64
import difflib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from xllm_widgets.errors import XllmError
from xllm_widgets.widgets import palette, static_page
from xllm_widgets.widgets.language import Speech, strings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HERE = Path(__file__).parent


class UnknownArgument(XllmError, TypeError):
    """A view was given a keyword it does not have."""


class ViewError(XllmError, ValueError):
    """A view was given values it cannot show."""


def module(name: str) -> str:
    """The view's JavaScript as one self-contained ES module: palette, shared helpers, then its own file."""
    own = (_HERE / f"{name}.js").read_text(encoding="utf-8")
    shared = (_HERE / "_common.js").read_text(encoding="utf-8")
    return f"const PALETTE = {json.dumps(palette.as_dict(), ensure_ascii=False)};\n{shared}\n{own}"


def styles(name: str) -> str:
    """The view's CSS: the palette as custom properties, shared rules, then its own file."""
    own = (_HERE / f"{name}.css").read_text(encoding="utf-8")
    return palette.css_variables() + (_HERE / "_common.css").read_text(encoding="utf-8") + own


class BaseView(anywidget.AnyWidget):
    """A view receives plain strings and numbers and emits events; it never sees a tensor, a model or a tokenizer.

    Subclasses give `describe()` (text) and `draw(figure)` (the static twin), from the traits that the browser reads.
    """

    _ipython_display_ = None  # ipywidgets 7 (Colab) would display before the mime bundle below is asked for
    _catalogue = "common"  # the part of language.json that the view speaks from
    error = traitlets.Unicode("").tag(sync=True)
    code = traitlets.Unicode("").tag(sync=True)  # the Python that makes the view again, shown on request
    cost = traitlets.Unicode("").tag(sync=True)  # what its last answer took, in words
    strings = traitlets.Dict().tag(sync=True)  # in the language that was on when the view was made, for all its life

    def __init__(self, **kwargs: Any) -> None:
        self._refuse_unknown(kwargs)
        super().__init__(**kwargs)

    def _refuse_unknown(self, kwargs: dict[str, Any]) -> None:
        known = [name for name in self.trait_names() if not name.startswith("_")]
        for name in kwargs:
            if name not in known:
                raise UnknownArgument(f"{type(self).__name__} has no argument {name!r}; {_advice(name, known)}.")

    @traitlets.default("strings")
    def _strings_of_the_language(self) -> dict[str, Any]:
        return strings(self._catalogue)

    @property
    def say(self) -> Speech:
        """What the view says in its language: `view.say("computing")`."""
        return Speech(self.strings)

    def _tell_selected(self, callback: Callable[[Any], None]) -> None:
        """Calls back with every new value of the trait `selected`; errors show in the view."""

        def chosen(change: dict[str, Any]) -> None:
            with self.errors_shown():
                self.error = ""
                callback(change["new"])

        self.observe(chosen, names="selected")

    def describe(self) -> str:
        """The view in words and numbers, as read by those who cannot see it."""
        raise NotImplementedError

    def draw(self, figure: Figure) -> None:
        """Draws the view's static twin into an empty figure, whose height it may change."""
        raise NotImplementedError

    def to_png(self, width: float = 8.0) -> bytes:
        """The view as a PNG `width` inches wide, for a saved notebook, a slide or a report."""
        from xllm_widgets.widgets import style

        with style.house_style():
            figure = style.figure(width, 2.0)
            figure.set_layout_engine("none")
            self.draw(figure)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", bbox_inches=None)
        return buffer.getvalue()

    def to_html(self, path: str | Path | None = None) -> str:
        """The view as a page that needs neither network nor kernel; written to `path` if one is given."""
        page = static_page.page([self])
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_dict(self) -> dict[str, Any]:
        """The view's state as plain JSON, arrays as lists of numbers; not the strings of its language."""
        return {name: plain(getattr(self, name)) for name in self.state_names() if name != "strings"}

    def state_names(self) -> list[str]:
        """The traits the browser reads, without ipywidgets' own."""
        inherited = set(anywidget.AnyWidget.class_trait_names())
        return [name for name in self.keys if not name.startswith("_") and name not in inherited]

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """A failure inside becomes the sentence in `error`, which the view shows, instead of a lost traceback."""
        try:
            yield
        except XllmError as wrong:
            self.error = str(wrong)
        except Exception as wrong:
            self.error = self.say("not_computable", why=f"{type(wrong).__name__}: {wrong}")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, meta = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        from xllm_widgets.widgets import style

        words = self.describe()
        data = {**data, "text/plain": words}
        if not style.can_draw(self.say("table")):  # no font for the language: a picture would be empty boxes
            return data, meta
        return data | {"image/png": base64.b64encode(self.to_png()).decode()}, {**meta, "image/png": {"alt": words}}


def plain(value: Any) -> Any:
    """Trait values as JSON: bytes are base64, everything else is plain already."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    return value


def _advice(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"[:-1]
    return "it has " + ", ".join(sorted(set(known) - set(anywidget.AnyWidget.class_trait_names())))
