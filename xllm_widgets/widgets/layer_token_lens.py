"""Layers × tokens: one number a cell, so that one sees where in the text and how deep in the model a thing is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CELLS = 8_000  # layers × tokens; beyond it the browser stutters
_DRAWN = 40  # tokens in the static picture
_KINDS = ("diverging", "sequential")
_KNOWN = {"name", "scores", "kind", "unit", "limit", "words"}


class Reading(TypedDict):
    """One way to read the same layers and tokens.

    `scores`: (layers, tokens), NaN where nothing is read; `kind`: "diverging" (a probe: orange toward, purple away,
    symmetric about zero) or "sequential" (a probability: cividis); `limit`: the size that gets the full colour, else
    the largest; `words`: (layers, tokens) strings, what the logit lens reads there.
    """

    name: str
    scores: ArrayLike
    kind: NotRequired[str]
    unit: NotRequired[str]
    limit: NotRequired[float]
    words: NotRequired[Sequence[Sequence[str]]]


class LayerTokenLens(BaseView):
    """Where in the text, and how deep in the model, can it be read?

    `tokens`: strings with their leading spaces; `layers`: numbers, 0 the embeddings, shallowest first; `readings`:
    one `Reading` or several, between which the student switches. The deepest layer is shown on top. Raises ViewError
    where shapes disagree.
    """

    _catalogue = "layer_token_lens"
    _esm = module("layer_token_lens")
    _css = styles("layer_token_lens")

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layers = traitlets.List(traitlets.Int()).tag(sync=True)
    readings = traitlets.List(traitlets.Dict()).tag(sync=True)  # name, kind, unit, limits, words, without the scores
    values = traitlets.Bytes(b"").tag(sync=True)  # float32, readings × layers × tokens
    reading = traitlets.Int(0).tag(sync=True)  # the one in view
    selected = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)  # [row of layers, token], or none
    toward = traitlets.Unicode().tag(sync=True)
    away = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)  # counted up last, so that the browser paints once

    def __init__(
        self,
        tokens: Sequence[str] = (),
        layers: Sequence[int] = (),
        readings: Reading | Sequence[Reading] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"toward": self.say("toward"), "away": self.say("away"), **kwargs})
        self.set_readings(readings, tokens=tokens, layers=layers)

    def set_readings(
        self,
        readings: Reading | Sequence[Reading],
        *,
        tokens: Sequence[str] | None = None,
        layers: Sequence[int] | None = None,
    ) -> None:
        """New readings, and if given new tokens and layers, painted in one go."""
        tokens = list(self.tokens if tokens is None else tokens)
        layers = [int(k) for k in (self.layers if layers is None else layers)]
        given = [readings] if isinstance(readings, Mapping) else list(readings)
        shape = _shape(tokens, layers, given)
        scores = [_scores(reading, shape) for reading in given]
        shown = [_described(reading, matrix) for reading, matrix in zip(given, scores, strict=True)]
        with self.hold_sync():
            self.tokens, self.layers, self.readings = tokens, layers, shown
            self.values = np.stack(scores).astype("<f4").tobytes()
            self.reading = min(max(self.reading, 0), len(shown) - 1)
            if self.selected_cell is None:
                self.selected = []
            self.version += 1

    @property
    def scores(self) -> NDArray[np.float32]:
        """The scores, float32, shape (readings, layers, tokens)."""
        return np.frombuffer(self.values, "<f4").reshape(len(self.readings), len(self.layers), len(self.tokens))

    @property
    def selected_cell(self) -> tuple[int, int] | None:
        """Layer number and token position chosen by click or key, None if there is none."""
        if len(self.selected) != 2:
            return None
        row, position = self.selected
        inside = 0 <= row < len(self.layers) and 0 <= position < len(self.tokens)
        return (self.layers[row], position) if inside else None

    def on_select(self, callback: Callable[[int, int], None]) -> None:
        """Calls back with the layer number and the token position of each cell chosen; errors show in the view."""

        def chosen(change: dict[str, Any]) -> None:
            with self.errors_shown():
                self.error = ""
                if self.selected_cell is not None:
                    callback(*self.selected_cell)

        self.observe(chosen, names="selected")

    def colours(self, value: float) -> tuple[tuple[float, ...] | None, str]:
        """Ground and ink of a score in the reading in view."""
        low, high = self.readings[self.reading]["limits"]
        if not np.isfinite(value):
            return None, palette.LIGHT["ink"]
        if self.readings[self.reading]["kind"] == "diverging":
            return palette.ground(value, high), palette.LIGHT["ink"]
        rgb = palette.cividis((value - low) / ((high - low) or 1))
        return rgb, palette.ink_over(rgb)

    def describe(self) -> str:
        """The strongest cells of the reading in view, with their numbers and, if any, words."""
        its, matrix = self.readings[self.reading], self.scores[self.reading]
        size = np.where(np.isfinite(matrix), np.abs(matrix), -1)
        order = [divmod(int(i), matrix.shape[1]) for i in np.argsort(-size, axis=None, kind="stable")[:5]]
        said = self.say("cells_and").join(self._cell_in_words(row, p) for row, p in order if size[row, p] >= 0)
        unit = self.say("in_unit", unit=its["unit"]) if its["unit"] else ""
        head = f"{self.title or self.say('name')}{self.say('comma')}{its['name']}"
        return self.say(
            "described", head=head, layers=len(self.layers), tokens=len(self.tokens), unit=unit,
            strongest=said or self.say("none"),
        )  # fmt: skip

    def _cell_in_words(self, row: int, position: int) -> str:
        its = self.readings[self.reading]
        sign = "+" if its["kind"] == "diverging" else ""
        number = f"{float(self.scores[self.reading, row, position]):{sign}.3g}"
        told = self.say("cell_in_words", k=self.layers[row], token=repr(self.tokens[position]), number=number)
        return self.say("reads", amount=told, word=repr(its["words"][row][position])) if its["words"] else told

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; `scores` as lists of numbers, none as null."""
        state = super().to_dict()
        del state["values"]
        state["scores"] = [
            [[float(v) if np.isfinite(v) else None for v in row] for row in matrix] for matrix in self.scores
        ]
        return state

    def draw(self, figure: Figure) -> None:
        """The reading in view as a grid with its numbers, deepest layer on top; the first 40 tokens."""
        from xllm_widgets.widgets._draw import Page

        page, its = Page(figure), self.readings[self.reading]
        page.text(0, 0.3, self.title or self.say("name"), 11, fontweight="bold")
        low, high = its["limits"]
        ends = f"{self.away} {low:.3g} … {high:+.3g} {self.toward}" if low == -high else f"{low:.3g} … {high:.3g}"
        page.text(0, 0.54, " · ".join(filter(None, [its["name"], its["unit"], ends])), 9, palette.LIGHT["muted"])
        n = min(len(self.tokens), _DRAWN)
        wide = min(0.8, (page.width - 0.8) / n)
        flat = max(page.measure(token, 9) for token in self.tokens[:n]) < wide
        top = 0.85 if flat else 0.75 + max(page.measure(token, 9) for token in self.tokens[:n])
        for p, token in enumerate(self.tokens[:n]):
            x = 0.8 + (p + 0.5) * wide + (0 if flat else 0.04)
            turned = {"ha": "center"} if flat else {"rotation": 90, "rotation_mode": "anchor"}
            page.text(x, top - 0.07, token, 9, **turned)
        y = self._draw_rows(page, top, wide, n)
        if len(self.tokens) > n:
            page.text(0.8, y + 0.2, self.say("more_tokens", n=len(self.tokens) - n), 8.5, palette.LIGHT["muted"])
        page.finish(y + 0.35)

    def _draw_rows(self, page: Any, y: float, wide: float, n: int) -> float:
        """The grid below `y` inches; where it ends."""
        words = self.readings[self.reading]["words"]
        high = 0.4 if words and wide > 0.4 else 0.25
        for row in reversed(range(len(self.layers))):
            name = self.say("layer_number", k=self.layers[row])
            page.text(0, y + high / 2 + 0.04, name, 9, palette.LIGHT["muted"])
            for p in range(n):
                value, x = float(self.scores[self.reading, row, p]), 0.8 + p * wide
                ground, ink = self.colours(value)
                if ground is not None:
                    page.box(x, y, wide - 0.015, high - 0.015, ground)
                if np.isfinite(value) and wide > 0.34:
                    page.text(x + wide / 2, y + high - 0.08, f"{value:.2f}", 7.5, ink, ha="center")
                if words and wide > 0.4:
                    page.text(x + wide / 2, y + 0.15, words[row][p][: int(wide * 12)], 8, ink, ha="center")
            y += high
        return y


def _shape(tokens: Sequence[str], layers: Sequence[int], readings: Sequence[Reading]) -> tuple[int, int]:
    """(layers, tokens), or a sentence on why there is nothing to show."""
    if not tokens or not layers or not readings:
        raise ViewError("The lens needs a token, a layer and a reading or more.")
    if len(layers) * len(tokens) > MAX_CELLS:
        raise ViewError(
            f"{len(layers)} layers × {len(tokens)} tokens are more than the {MAX_CELLS} cells that can be shown: pass "
            "fewer tokens or layers."
        )
    return len(layers), len(tokens)


def _scores(reading: Reading, shape: tuple[int, int]) -> NDArray[np.float64]:
    if missing := {"name", "scores"} - set(reading):
        raise ViewError(f"A reading needs a name and scores; {' and '.join(sorted(missing))} is missing.")
    if strange := sorted(set(reading) - _KNOWN):
        raise ViewError(f"A reading has no {strange[0]!r}; it has {', '.join(sorted(_KNOWN))}.")
    matrix = np.asarray(reading["scores"], dtype=float)
    if matrix.shape != shape:
        raise ViewError(f"Reading {reading['name']!r} needs scores of shape {shape}, not {matrix.shape}.")
    return matrix


def _described(reading: Reading, matrix: NDArray[np.float64]) -> dict[str, Any]:
    """The reading without its scores, as the browser reads it."""
    kind, words = reading.get("kind", "diverging"), [list(map(str, row)) for row in reading.get("words") or []]
    if kind not in _KINDS:
        raise ViewError(f"A reading is {' or '.join(_KINDS)}, not {kind!r}.")
    if words and (len(words) != len(matrix) or any(len(row) != matrix.shape[1] for row in words)):
        raise ViewError(f"The words of reading {reading['name']!r} need the shape of its scores, {matrix.shape}.")
    finite = matrix[np.isfinite(matrix)]
    size = float(reading.get("limit") or (np.abs(finite).max() if finite.size else 1.0) or 1.0)
    low = -size if kind == "diverging" else min(0.0, float(finite.min())) if finite.size else 0.0
    more = {"unit": str(reading.get("unit", "")), "limits": [low, size], "words": words}
    return {"name": str(reading["name"]), "kind": kind, **more}
