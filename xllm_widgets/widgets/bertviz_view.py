"""bertviz's head view and model view of short texts: its own drawing, with nothing fetched and no token run as code.

bertviz asks a CDN for require.js, d3 and jQuery, and writes tokens into the script it runs. Here its JavaScript runs
unchanged inside a sandboxed frame that may ask nobody for anything; weights and tokens reach it as a message, never as
markup. d3 5 (the last whose handlers are told a mark's number, on which bertviz counts) and jQuery are npm packages
locked by scripts/third_party, put into the wheel when it is built: PyPI's packages that carry them carry other things
with other versions, and drawing without them would not be bertviz.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.attention_bytes import triangle
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LINES = 40_000  # that bertviz draws at once, each an element of the page
_LIBRARIES = Path(__file__).parent / "third_party"
_DRAWN = 12  # layers and heads in the static picture


class ScriptsMissing(ViewError):
    """This copy of the package was made without the scripts that bertviz draws with."""


class BertvizView(BaseView):
    """Which token looks at which? bertviz's head view (one layer, a colour a head) or model view (all, small).

    `tokens`: strings; `attention`: (layers, heads, tokens, tokens), causal, each query's weights summing to 1; `kind`:
    "head" or "model"; `layers`: their numbers, from 1 if left out. Raises ViewError where shapes disagree or bertviz
    would draw more than `MAX_LINES` lines at once, ScriptsMissing where the build left d3 and jQuery out.
    """

    _catalogue = "bertviz_view"
    _esm = module("bertviz_view")
    _css = styles("bertviz_view")

    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layers = traitlets.List(traitlets.Int()).tag(sync=True)
    heads = traitlets.Int(0).tag(sync=True)
    weights = traitlets.Bytes(b"").tag(sync=True)  # a byte each; layers × heads × queries × the keys up to the query
    kind = traitlets.Enum(["head", "model"], default_value="head").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    scripts = traitlets.List(traitlets.Unicode()).tag(sync=True)  # in the order in which they must run

    def __init__(
        self,
        tokens: Sequence[str] = (),
        attention: ArrayLike = (),
        *,
        kind: str = "head",
        layers: Sequence[int] = (),
        **more: Any,
    ) -> None:
        super().__init__(**more)
        weights = np.asarray(attention, dtype=np.float32)
        numbers = [int(k) for k in layers] or [*range(1, len(weights) + 1)]
        _check(weights, tokens, numbers, kind)
        with self.hold_sync():
            self.tokens, self.layers, self.heads, self.kind = list(tokens), numbers, weights.shape[1], kind
            self.weights = b"".join(triangle(layer) for layer in weights)
            self.scripts = scripts(kind)

    @property
    def attention(self) -> NDArray[np.float32]:
        """The weights as they are drawn, in steps of 1/255, shape (layers, heads, tokens, tokens)."""
        n = len(self.tokens)
        whole = np.zeros((len(self.layers), self.heads, n, n), dtype=np.float32)
        rows, columns = np.tril_indices(n)
        whole[:, :, rows, columns] = np.frombuffer(self.weights, np.uint8).reshape(*whole.shape[:2], -1) / 255
        return whole

    def describe(self) -> str:
        """Where the last token looks, for the heads that look most at one token."""
        last = self.attention[:, :, -1]
        order = np.argsort(-last.max(-1), axis=None, kind="stable")[:5]
        places = [divmod(int(i), self.heads) for i in order]
        said = self.say("and").join(self._head_in_words(row, head, last[row, head]) for row, head in places)
        about = {"layers": len(self.layers), "heads": self.heads, "tokens": len(self.tokens)}
        return self.say("described", head=self.title or self.say(self.kind), **about, strongest=said)

    def _head_in_words(self, row: int, head: int, seen: NDArray[np.float32]) -> str:
        at, share = repr(self.tokens[int(seen.argmax())]), f"{seen.max():.2f}"
        return self.say("head_looks", k=self.layers[row], head=head + 1, token=at, share=share)

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; `attention` as lists of numbers."""
        state = super().to_dict()
        del state["weights"], state["scripts"]
        return {**state, "attention": np.round(self.attention.astype(float), 3).tolist()}

    def draw(self, figure: Figure) -> None:
        """A small matrix for each layer and head, queries downward, keys to the right; the first 12 of each."""
        from xllm_widgets.widgets._draw import Page

        page, seen = Page(figure), self.attention[:_DRAWN, :_DRAWN]
        page.text(0, 0.3, self.title or self.say(self.kind), 11, fontweight="bold")
        page.text(0, 0.54, self.say("how_drawn"), 9, palette.LIGHT["muted"])
        side = min(1.0, (page.width - 0.8) / seen.shape[1])
        top, bottom = 0.9, 0.9 + side * len(seen)
        for head in range(seen.shape[1]):
            page.text(0.8 + (head + 0.5) * side, top - 0.06, str(head + 1), 9, palette.LIGHT["muted"], ha="center")
        for row, k in enumerate(self.layers[:_DRAWN]):
            page.text(0, top + (row + 0.5) * side + 0.04, self.say("layer_number", k=k), 9, palette.LIGHT["muted"])
        page.finish(bottom + 0.2)
        _matrices(figure, seen, (page.margin + 0.8, top, side * seen.shape[1], side * len(seen)))


def scripts(kind: str) -> list[str]:
    """d3, jQuery and the installed bertviz's own drawing, as they are; raises ScriptsMissing."""
    libraries = [_LIBRARIES / "d3.min.js", _LIBRARIES / "jquery.min.js"]
    if not all(path.is_file() for path in libraries):
        raise ScriptsMissing("This installation was made without d3 and jQuery, with which bertviz draws.")
    return [path.read_text(encoding="utf-8") for path in [*libraries, _bertviz() / f"{kind}_view.js"]]


def _bertviz() -> Path:
    """Where bertviz is installed; it is not imported, since that takes torch and seconds."""
    spec = find_spec("bertviz")
    if spec is None or spec.origin is None:
        raise ScriptsMissing("bertviz is not installed: pip install bertviz.")
    return Path(spec.origin).parent


def lines(kind: str, layers: int, heads: int, tokens: int) -> int:
    """How many lines does bertviz draw at once: a layer's weights in the head view, every weight in the model view?"""
    return heads * tokens**2 if kind == "head" else layers * heads * tokens * (tokens + 1) // 2


def token_limit(kind: str, layers: int, heads: int) -> int:
    """The longest text, in tokens, that keeps to `MAX_LINES` lines."""
    if kind == "head":
        return isqrt(MAX_LINES // heads)
    return (isqrt(8 * MAX_LINES // (layers * heads) + 1) - 1) // 2


def _check(weights: NDArray[np.float32], tokens: Sequence[str], layers: Sequence[int], kind: str) -> None:
    if kind not in ("head", "model"):
        raise ViewError(f"bertviz's view is head or model, not {kind!r}.")
    if weights.ndim != 4 or weights.shape[2:] != (len(tokens), len(tokens)) or not weights.size:
        raise ViewError(f"{len(tokens)} tokens need attention of shape (layers, heads, {len(tokens)}, {len(tokens)}).")
    if len(layers) != len(weights):
        raise ViewError(f"Attention of {len(weights)} layers needs as many numbers of layers, not {len(layers)}.")
    if lines(kind, *weights.shape[:3]) > MAX_LINES:
        limit = token_limit(kind, *weights.shape[:2])
        raise ViewError(f"{len(tokens)} tokens are more than the {limit} that bertviz draws well here; pass fewer.")


def _matrices(figure: Figure, seen: NDArray[np.float32], place: tuple[float, float, float, float]) -> None:
    """All matrices as one picture, a line of ground between them; `place` in inches from the top left."""
    layers, heads, n, _ = seen.shape
    tiled = np.full((layers, heads, n + 1, n + 1), np.nan)
    tiled[:, :, :n, :n] = np.where(np.tri(n, dtype=bool), seen, np.nan)
    width, height = figure.get_size_inches()
    x, y, wide, high = place
    axes = figure.add_axes((x / width, 1 - (y + high) / height, wide / width, high / height))
    axes.imshow(tiled.transpose(0, 2, 1, 3).reshape(layers * (n + 1), -1), vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
