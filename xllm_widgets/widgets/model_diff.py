"""What did tuning change? One prompt read by two models: token by token, the next token, and how each goes on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.language import Speech

MOST = 2000  # tokens
_DRAWN, _ROWS = 300, 8  # tokens and next tokens in the picture
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_COLOURS = (palette.BASE, palette.CHAT)
Reading = list[float | None]  # of the first model and of the second; None where it is not known


class ModelDiff(BaseView):
    """Where do two models read the same text differently? Teal: the first expected a token more; magenta: the second.

    `steps`: the prompt's tokens, each with `token`, `logprobs` (log p(token | text before it) of either model, in nats;
    None for what has none, such as the first token) and perhaps `top`, what either expected in its place: dictionaries
    with `token` and `p`, the probabilities by either model (None where not known). `following`: the same for the token
    after the prompt. `continuations`: how either goes on. `names`: of the two models, else base and chat. The
    difference is second − first. Raises ViewError for what is not a pair, or no probability.
    """

    _catalogue = "model_diff"
    _esm = module("model_diff")
    _css = styles("model_diff")

    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    following = traitlets.List(traitlets.Dict()).tag(sync=True)
    continuations = traitlets.List(traitlets.Unicode()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    differences = traitlets.List().tag(sync=True)  # second − first, nats, one a token; None where there is none
    said = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)  # the token whose alternatives are shown; -1: the next token
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, steps: Iterable[Mapping[str, Any]] = (), following: Iterable[Mapping[str, Any]] = (),
        continuations: Sequence[str] = (), *, names: Sequence[str] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        self._refuse_unknown(kwargs)
        named = [self.say("base"), self.say("chat")] if names is None else list(names)
        super().__init__(
            names=named, steps=list(steps), following=list(following), continuations=list(continuations), **kwargs
        )

    @traitlets.validate("steps")
    def _known_steps(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MOST:
            raise ViewError(f"{len(proposal['value'])} tokens are more than the {MOST} shown: pass a slice of them.")
        return [_step(one) for one in proposal["value"]]

    @traitlets.validate("following")
    def _known_following(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return _top(proposal["value"])

    @traitlets.validate("names", "continuations")
    def _two(self, proposal: dict[str, Any]) -> list[str]:
        if len(proposal["value"]) not in ((2,) if proposal["trait"].name == "names" else (0, 2)):
            raise ViewError(f"Two models have two {proposal['trait'].name}, not {len(proposal['value'])}.")
        return list(proposal["value"])

    @traitlets.observe("steps", "names")
    def _compare(self, change: dict[str, Any]) -> None:
        with self.hold_sync():
            self.selected = -1
            self.differences = [_difference(step["logprobs"]) for step in self.steps]
            self.said = _sentence(self.say, self.steps, self.differences, self.names)

    def on_select(self, callback: Callable[[int], None]) -> None:
        """Calls back with the place of each token chosen (-1: the choice is taken back); errors show in the view."""
        self._tell_selected(callback)

    def describe(self) -> str:
        """The message, the next tokens by either model, and how each goes on."""
        beside = self.say("beside", a=self.names[0], b=self.names[1])
        lines = [self.title or beside, self.said or self.say("nothing_read")]
        if self.following:
            rows = (f"{one['token']!r} {' / '.join(map(_percent, one['p']))}" for one in self.following[:_ROWS])
            lines.append(self.say("next_tokens", models=" / ".join(self.names), rows=self.say("and").join(rows)))
        for name, text in zip(self.names, self.continuations, strict=False):
            lines.append(self.say("goes_on_with", model=name, text=repr(text)))
        return "\n".join(lines)

    def draw(self, figure: Figure) -> None:
        """Title, message, the tokens on their ground, the next tokens back to back, and the continuations."""
        from xllm_widgets.widgets._draw import Page

        page, y = Page(figure), 0.2
        if self.title:
            page.text(0, y, self.title, 11, fontweight="bold")
            y += 0.3
        said = self.said or self.say("nothing_read")
        y = page.paragraph(said, 0, y, page.width, 10, fontweight="bold") + 0.36
        y = page.flow(self._runs(), 0, y, page.width, 11) + 0.42
        if self.following:
            y = self._draw_top(page, y) + 0.2
        half = page.width / 2
        ends = [
            self._draw_continuation(page, y, side * half, half - 0.25, side, text)
            for side, text in enumerate(self.continuations)
        ]
        page.finish(max(ends, default=y - 0.25) + 0.2)

    def _runs(self) -> list[Any]:
        from xllm_widgets.widgets._draw import Run

        limit = max((abs(d) for d in self.differences if d is not None), default=0.0)
        runs = []
        for step, difference in zip(self.steps[:_DRAWN], self.differences, strict=False):
            token = step["token"]
            shown = _BYTE.sub(lambda byte: f"[{byte[1].upper()}]", token).replace("\n", "⏎") or "∅"
            runs.append(Run(shown, _ground(difference, limit), breaks=token[:1] in " \n" or len(shown) == 1))
            runs.extend(Run("\n") for _ in range(token.count("\n")))
        left = len(self.steps) - _DRAWN
        more = f"  {self.say('more_tokens', n=left)}"
        return runs + ([Run(more, None, palette.LIGHT["muted"])] if left > 0 else [])

    def _draw_top(self, page: Any, y: float) -> float:
        """The next tokens in the middle, the first model's probability to the left, the second's to the right."""
        middle, half, gap = page.width / 2, 1.6, 0.75
        muted = palette.LIGHT["muted"]
        page.text(middle - gap, y, self.names[0], 9, _COLOURS[0], ha="right", fontweight="bold")
        page.text(middle, y, self.say("next_token"), 8.5, muted, ha="center")
        page.text(middle + gap, y, self.names[1], 9, _COLOURS[1], fontweight="bold")
        for one in self.following[:_ROWS]:
            y += 0.22
            first, second = ((p or 0.0) * half for p in one["p"])
            page.text(middle, y, f"“{one['token']}”".replace("\n", "⏎"), 9, ha="center")
            page.box(middle - gap - first, y - 0.11, first, 0.13, _COLOURS[0])
            page.box(middle + gap, y - 0.11, second, 0.13, _COLOURS[1])
            page.text(middle - gap - first - 0.06, y, _percent(one["p"][0]), 8, muted, ha="right")
            page.text(middle + gap + second + 0.06, y, _percent(one["p"][1]), 8, muted)
        return y + 0.2

    def _draw_continuation(self, page: Any, y: float, x: float, width: float, side: int, text: str) -> float:
        page.text(x, y, self.say("goes_on", model=self.names[side]), 9, _COLOURS[side], fontweight="bold")
        return float(page.paragraph(text.strip() or self.say("no_text"), x, y + 0.23, width, 9.5))


def _ground(difference: float | None, limit: float) -> tuple[float, ...] | None:
    if difference is None or limit <= 0:
        return None
    alpha = palette.MAX_ALPHA * min(1.0, abs(difference) / limit)
    return (*palette.hex_rgb(_COLOURS[difference > 0]), alpha)


def _step(given: Mapping[str, Any]) -> dict[str, Any]:
    """A token as plain JSON with exactly the fields shown, or a sentence on what is wrong with it."""
    missing = [name for name in ("token", "logprobs") if name not in given]
    if missing:
        raise ViewError(f"A step lacks {', '.join(missing)}: it needs token, logprobs and perhaps top.")
    logprobs = _pair(given["logprobs"], "log-probabilities")
    if any(value is not None and value > 1e-6 for value in logprobs):
        raise ViewError(f"{logprobs} are no log-probabilities: they are 0 or below, in nats.")
    return {"token": str(given["token"]), "logprobs": logprobs, "top": _top(given.get("top", ()))}


def _top(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Alternatives as plain JSON, those first that either model expects most."""
    rows = [(str(one["token"]), _pair(one["p"], "probabilities")) for one in given]
    for _, pair in rows:
        if any(p is not None and not 0 <= p <= 1 + 1e-6 for p in pair):
            raise ViewError(f"{pair} are no probabilities: they lie between 0 and 1.")
    ordered = sorted(rows, key=lambda row: -max(p or 0.0 for p in row[1]))
    return [{"token": token, "p": pair} for token, pair in ordered]


def _pair(values: Iterable[float | None], what: str) -> Reading:
    pair = [None if value is None or not math.isfinite(value) else float(value) for value in values]
    if len(pair) != 2:
        raise ViewError(f"Two models have two {what}, not {len(pair)}.")
    return pair


def _difference(logprobs: Reading) -> float | None:
    first, second = logprobs
    return None if first is None or second is None else second - first


def _sentence(say: Speech, steps: list[dict[str, Any]], differences: list[float | None], names: Sequence[str]) -> str:
    """Which model expected the text more, by how much, and where they part most."""
    known = [(difference, i) for i, difference in enumerate(differences) if difference is not None]
    if not known:
        return ""
    total = sum(difference for difference, _ in known)
    most, place = max(known, key=lambda pair: abs(pair[0]))
    if abs(most) < 0.005:
        return say("read_alike", a=names[0], b=names[1], n=len(known))
    return say(
        "parted", more=names[total > 0], total=f"{abs(total):.2f}", n=len(known), most=names[most > 0],
        size=f"{abs(most):.2f}", token=steps[place]["token"].replace("\n", "⏎"),
    )  # fmt: skip


def _percent(p: float | None) -> str:
    return "–" if p is None else f"{100 * p:.1f} %" if p < 0.0995 else f"{100 * p:.0f} %"
