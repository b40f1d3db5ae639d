"""Tokens set as text on a coloured ground: attribution (diverging), surprise (sequential), attention by segment."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_TOKENS = 16_000  # beyond it the browser stutters
_DRAWN = 400  # tokens in the static picture
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenHeatmap(BaseView):
    """Which token counted, and which way? One number a token, for one target or several.

    `tokens` are strings with their leading spaces; byte pieces may be written `<0xE6>`. `scores` has shape (tokens,) or
    (targets, tokens), any unit; a score that is not a number is shown as none. `kind` is "diverging" (orange toward,
    purple away, symmetric about zero) or "sequential" (cividis). Raises ViewError where shapes disagree.
    """

    _catalogue = "token_heatmap"
    _esm = module("token_heatmap")
    _css = styles("token_heatmap")

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)  # float32, targets × tokens
    targets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    target = traitlets.Int(0).tag(sync=True)
    kind = traitlets.Enum(["diverging", "sequential"], default_value="diverging").tag(sync=True)
    limits = traitlets.List(traitlets.Float(), default_value=[0.0, 1.0]).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    units = traitlets.Unicode("").tag(sync=True)
    toward = traitlets.Unicode().tag(sync=True)
    away = traitlets.Unicode().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)  # counted up last, so that the browser paints once

    def __init__(
        self, tokens: Sequence[str] = (), scores: ArrayLike = (), *, limit: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**{"toward": self.say("toward"), "away": self.say("away"), **kwargs})
        self._limit = limit
        self.set_scores(scores, tokens=tokens)

    def set_scores(
        self, scores: ArrayLike, *, tokens: Sequence[str] | None = None, targets: Sequence[str] | None = None
    ) -> None:
        """New numbers, and if given new tokens and targets, painted in one go."""
        tokens = list(self.tokens if tokens is None else tokens)
        targets = list(self.targets if targets is None else targets)
        matrix = _matrix(scores, len(tokens), targets)
        with self.hold_sync():
            self.tokens, self.targets = tokens, targets
            self.values = matrix.astype("<f4").tobytes()
            self.limits = _limits(matrix, self.kind, self._limit)
            self.target = min(self.target, len(matrix) - 1)
            self.selected = self.selected if self.selected < len(tokens) else -1
            self.version += 1

    @property
    def scores(self) -> NDArray[np.float32]:
        """The scores, float32, shape (targets, tokens)."""
        return np.frombuffer(self.values, "<f4").reshape(-1, max(1, len(self.tokens)))

    @property
    def selected_token(self) -> str | None:
        """The token chosen by click or key, None if there is none."""
        return self.tokens[self.selected] if 0 <= self.selected < len(self.tokens) else None

    def on_select(self, callback: Callable[[int], None]) -> None:
        """Calls back with the index of each token chosen (-1: the choice is taken back); errors show in the view."""
        self._tell_selected(callback)

    def describe(self) -> str:
        """The strongest tokens of the target in view, with their numbers."""
        row = self.scores[self.target] if len(self.tokens) else np.zeros(0)
        order = [i for i in np.argsort(-np.abs(np.nan_to_num(row))) if np.isfinite(row[i]) and row[i] != 0][:5]
        said = self.say("and").join(f"{self.tokens[i]!r} {self._number(float(row[i]))}" for i in order)
        unit = self.say("in_unit", unit=self.units) if self.units else ""
        head = self.title or self.say("name")
        if self.targets:
            head = self.say("for_target", head=head, target=repr(self.targets[self.target]))
        return self.say("described", head=head, n=len(self.tokens), unit=unit, strongest=said or self.say("none"))

    def _number(self, value: float) -> str:
        return f"{value:+.3g}" if self.kind == "diverging" else f"{value:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; `scores` as lists of numbers, none as null."""
        state = super().to_dict()
        del state["values"]
        state["scores"] = [[float(v) if np.isfinite(v) else None for v in row] for row in self.scores]
        return state

    def draw(self, figure: Figure) -> None:
        """Title, tokens on their ground, legend; the first 400 tokens."""
        from xllm_widgets.widgets._draw import Page

        page, y = Page(figure), 0.15
        if head := " · ".join(filter(None, [self.title, self.targets[self.target] if self.targets else ""])):
            y += 0.2
            page.text(0, y, head, 11, fontweight="bold")
        y = page.flow(self._runs(), 0, y + 0.3, page.width, 11) + 0.34
        self._draw_legend(page, y)
        page.finish(y + 0.2)

    def _runs(self) -> list[Any]:
        from xllm_widgets.widgets._draw import Run

        runs = []
        for token, value in zip(self.tokens[:_DRAWN], self.scores[self.target] if self.tokens else [], strict=False):
            ground, ink = self._colours(float(value))
            shown = _BYTE.sub(lambda byte: f"[{byte[1].upper()}]", token).replace("\n", "⏎") or "∅"
            runs.append(Run(shown, ground, ink, breaks=token[:1] in " \n" or len(shown) == 1))
            runs.extend(Run("\n") for _ in range(token.count("\n")))
        left = len(self.tokens) - _DRAWN
        more = f"  {self.say('more_tokens', n=left)}"
        return runs + ([Run(more, None, palette.LIGHT["muted"])] if left > 0 else [])

    def _colours(self, value: float) -> tuple[tuple[float, ...] | None, str]:
        if not np.isfinite(value):
            return None, palette.LIGHT["ink"]
        low, high = self.limits
        if self.kind == "diverging":
            return palette.ground(value, high), palette.LIGHT["ink"]
        rgb = palette.cividis((value - low) / ((high - low) or 1))
        return rgb, palette.ink_over(rgb)

    def _draw_legend(self, page: Any, y: float) -> None:
        low, high = self.limits
        left = f"{self.away} {low:.3g}" if self.kind == "diverging" else f"{low:.3g}"
        right = f"{high:+.3g} {self.units} {self.toward}" if self.kind == "diverging" else f"{high:.3g} {self.units}"
        start = page.measure(left + "  ", 8.5)
        page.text(0, y, left, 8.5, palette.LIGHT["muted"])
        for i in range(24):
            page.box(start + i * 0.04, y - 0.09, 0.041, 0.1, self._colours(low + (high - low) * (i + 0.5) / 24)[0])
        page.text(start + 24 * 0.04 + 0.08, y, right, 8.5, palette.LIGHT["muted"])


def _matrix(scores: ArrayLike, n: int, targets: Sequence[str]) -> NDArray[np.float64]:
    """Scores as (targets, tokens), or a sentence on what does not fit."""
    matrix = np.atleast_2d(np.asarray(scores, dtype=float))
    if n > MAX_TOKENS:
        raise ViewError(f"{n} tokens are more than the {MAX_TOKENS} that can be shown: pass a slice of them.")
    if matrix.shape[-1] != n or matrix.ndim != 2:
        raise ViewError(f"{n} tokens need scores of shape ({n},) or (targets, {n}), not {np.shape(scores)}.")
    if targets and len(targets) != len(matrix):
        raise ViewError(f"{len(matrix)} rows of scores need as many targets, not {len(targets)}.")
    return matrix


def _limits(matrix: NDArray[np.float64], kind: str, limit: float | None) -> list[float]:
    """The ends of the legend: symmetric for diverging, from zero (or below) to the largest for sequential."""
    finite = matrix[np.isfinite(matrix)]
    if kind == "diverging":
        size = float(limit or (np.abs(finite).max() if finite.size else 1.0) or 1.0)
        return [-size, size]
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    return [low, float(limit or (finite.max() if finite.size else 1.0) or 1.0)]
