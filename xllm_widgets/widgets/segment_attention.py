"""Attention by segment: how much of its attention each head of each layer spends on each part of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_HEADS = 8_000  # layers × heads; beyond it the browser stutters
_DRAWN = 90  # characters of a segment in the static picture


class SegmentAttention(BaseView):
    """Which heads look at which part of the text, and how much?

    `segments`: the parts of the text, or names for them; `mass`: (layers, heads, segments), the share of attention
    that one place in the text spends on each part, 0 … 1; `layers`: their numbers, from 1 if left out. The student
    chooses a part and sees every head's share of it, or chooses a head and sees how it is shared out. `note` stands
    above. Raises ViewError where shapes disagree.
    """

    _catalogue = "segment_attention"
    _esm = module("segment_attention")
    _css = styles("segment_attention")

    segments = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layers = traitlets.List(traitlets.Int()).tag(sync=True)
    heads = traitlets.Int(0).tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)  # float32, segments × layers × heads
    segment = traitlets.Int(0).tag(sync=True)  # the one in view
    selected = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)  # [row of layers, head], or none
    title = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)  # counted up last, so that the browser paints once

    def __init__(
        self, segments: Sequence[str] = (), mass: ArrayLike = (), *, layers: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.set_mass(mass, segments=segments, layers=layers)

    def set_mass(
        self, mass: ArrayLike, *, segments: Sequence[str] | None = None, layers: Sequence[int] | None = None
    ) -> None:
        """New shares, and if given new segments and layers, painted in one go."""
        segments = list(self.segments if segments is None else segments)
        shares = np.asarray(mass, dtype=float)
        numbers = [int(k) for k in (self.layers if layers is None else layers)] or [*range(1, len(shares) + 1)]
        _check(shares, segments, numbers)
        with self.hold_sync():
            self.segments, self.layers, self.heads = segments, numbers, shares.shape[1]
            self.values = shares.transpose(2, 0, 1).astype("<f4").tobytes()
            self.segment = min(max(self.segment, 0), len(segments) - 1)
            if self.selected_head is None:
                self.selected = []
            self.version += 1

    @property
    def mass(self) -> NDArray[np.float32]:
        """The shares, float32, shape (layers, heads, segments)."""
        shape = len(self.segments), len(self.layers), self.heads
        return np.frombuffer(self.values, "<f4").reshape(shape).transpose(1, 2, 0)

    @property
    def selected_head(self) -> tuple[int, int] | None:
        """Layer number and head number, both counted from 1, chosen by click or key; None if there is none."""
        if len(self.selected) != 2:
            return None
        row, head = self.selected
        inside = 0 <= row < len(self.layers) and 0 <= head < self.heads
        return (self.layers[row], head + 1) if inside else None

    def on_select(self, callback: Callable[[tuple[int, int] | None], None]) -> None:
        """Calls back with (layer, head) of each head chosen, None when the choice is taken back; errors show here."""
        self._tell_selected(lambda _: callback(self.selected_head))

    def shares(self) -> NDArray[np.float32]:
        """What stands beside the segments, (segments,): of the chosen head, else the mean of all."""
        if self.selected_head is None:
            return self.mass.mean((0, 1))
        row, head = self.selected
        return self.mass[row, head]

    def describe(self) -> str:
        """The share of each segment, and the heads that look most at the one in view."""
        pairs = zip(self.segments, self.shares(), strict=True)
        said = self.say("and").join(f"{name!r} {share:.2f}" for name, share in pairs)
        seen = self.mass[..., self.segment]
        order = [divmod(int(i), self.heads) for i in np.argsort(-seen, axis=None, kind="stable")[:5]]
        heads = [self.say("head_share", k=self.layers[r], head=h + 1, share=f"{seen[r, h]:.2f}") for r, h in order]
        about = {"layers": len(self.layers), "heads": self.heads, "shares": said}
        most = {"segment": repr(self.segments[self.segment]), "strongest": self.say("and").join(heads)}
        told = self.say("described", head=self.title or self.say("name"), **about, **most)
        return self.say("between_sentences").join(filter(None, [self.note, told]))

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; `mass` as lists of numbers."""
        state = super().to_dict()
        del state["values"]
        return {**state, "mass": np.round(self.mass.astype(float), 4).tolist()}

    def draw(self, figure: Figure) -> None:
        """The segments with their shares, and every head's share of the one in view."""
        from xllm_widgets.widgets._draw import Page

        page = Page(figure)
        page.text(0, 0.3, self.title or self.say("name"), 11, fontweight="bold")
        y = page.paragraph(self.note, 0, 0.56, page.width, 9, ink=palette.LIGHT["muted"]) + 0.28 if self.note else 0.6
        for i, (name, share) in enumerate(zip(self.segments, self.shares(), strict=True)):
            page.text(0, y, f"{share:.2f}", 9, palette.LIGHT["muted"])
            weight = "bold" if i == self.segment else "normal"
            page.text(0.45, y, " ".join(name.split())[:_DRAWN], 9, fontweight=weight)
            y += 0.22
        page.finish(self._draw_heads(page, y + 0.15) + 0.2)

    def _draw_heads(self, page: Any, y: float) -> float:
        """The grid below `y` inches, the deepest layer on top; where it ends."""
        wide = min(0.4, (page.width - 0.8) / self.heads)
        high, top = min(wide, 0.25), float(self.mass.max()) or 1.0
        for row in reversed(range(len(self.layers))):
            if high > 0.12 or row % 4 == 0:
                name = self.say("layer_number", k=self.layers[row])
                page.text(0, y + high / 2 + 0.04, name, 8, palette.LIGHT["muted"])
            for head in range(self.heads):
                share, x = float(self.mass[row, head, self.segment]), 0.8 + head * wide
                rgb = palette.cividis(share / top)
                page.box(x, y, wide - 0.01, high - 0.01, rgb)
                if wide > 0.25:
                    text = f"{100 * share:.0f}"
                    page.text(x + wide / 2, y + high / 2 + 0.04, text, 7, palette.ink_over(rgb), ha="center")
            y += high
        return y


def _check(mass: NDArray[np.float64], segments: Sequence[str], layers: Sequence[int]) -> None:
    if mass.ndim != 3 or mass.shape[2] != len(segments) or not mass.size:
        raise ViewError(f"{len(segments)} segments need shares of shape (layers, heads, {len(segments)}).")
    if len(layers) != len(mass):
        raise ViewError(f"Shares of {len(mass)} layers need as many numbers of layers, not {len(layers)}.")
    if len(mass) * mass.shape[1] > MAX_HEADS:
        raise ViewError(f"{len(mass) * mass.shape[1]} heads are more than the {MAX_HEADS} that can be shown.")
