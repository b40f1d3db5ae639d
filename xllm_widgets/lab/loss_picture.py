"""The loss while a model learns, as a picture that grows under the cell: `train(…, on_progress=LossPicture())`."""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING, Any

from xllm_widgets.lab.durations import in_words
from xllm_widgets.microworld import training
from xllm_widgets.studies.figures import short_count
from xllm_widgets.widgets import palette, style
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAUSE = 1.0  # seconds at least between two pictures
SHARE = 20  # and this many times as long as the last one took to draw: drawing costs at most a twentieth of the time
POINTS = 600  # at most so many are drawn


class LossPicture:
    """Draws the loss of the learnable tokens against the tokens read, and says how long it will still take.

    Hand it to `train` or `tune` as `on_progress`. In a notebook the picture appears under the cell, is renewed about
    once a second, and its last state is saved with the notebook. Elsewhere nothing is shown; `figure()`, `to_png()` and
    `describe()` give what there is.
    """

    def __init__(self, title: str | None = None) -> None:
        self.say = speech("lab")
        if not style.can_draw(self.say("loss_title")):  # no font for the language, and the picture is what counts
            self.say = speech("lab", "en")
        self.title = self.say("loss_title") if title is None else title
        self.now: training.Progress | None = None
        self._begin()

    def __call__(self, now: training.Progress) -> None:
        """Take note of a step, and renew the picture if it is time."""
        if self.steps and now.step <= self.steps[-1]:
            self._begin()  # another run
        self.now = now
        self.steps.append(now.step)
        self.tokens.append(_tokens(now))
        self.losses.append(now.loss)
        self.clock.append(time.monotonic())
        if self.clock[-1] >= self.due or now.step >= now.steps:
            self._show()

    def describe(self) -> str:
        """Where the run stands, in one line."""
        if self.now is None:
            return self.say("nothing_learnt")
        finished = self.now.step >= self.now.steps
        told = {
            "step": f"{self.now.step:,}", "steps": f"{self.now.steps:,}",
            "read": self.say("tokens_read_count", n=short_count(self.tokens[-1])),
            "status": self._lasted() if finished else self._status(),
            "loss": self.say("nats_a_token_at", loss=f"{self.now.loss:.2f}"),
        }  # fmt: skip
        return self.say("loss_finished" if finished else "loss_so_far", **told)

    def figure(self) -> Figure:
        """The loss so far, on axes that are wide enough for the whole run."""
        with style.house_style():
            figure = style.figure(6.4, 2.9)
            axes = figure.subplots()
            axes.set_title(self.title)
            if self.now is not None:
                self._draw(axes, self.now)
        return figure

    def to_png(self) -> bytes:
        """The picture as PNG bytes; always of the same size, so that nothing jumps when it is renewed."""
        import matplotlib

        buffer, figure = io.BytesIO(), self.figure()
        with style.house_style(), matplotlib.rc_context({"savefig.bbox": "standard"}):
            figure.savefig(buffer, format="png", dpi=144)
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        words = self.describe()
        data = {"text/plain": words, "image/png": base64.b64encode(self.to_png()).decode()}
        return data, {"image/png": {"alt": words}}

    def _begin(self) -> None:
        self.now = None
        self.steps: list[int] = []
        self.tokens: list[int] = []
        self.losses: list[float] = []
        self.clock: list[float] = []
        self.due = 0.0
        self.handle: Any = None
        self.stopped = False

    def _show(self) -> None:
        if not in_notebook():
            self.due = time.monotonic() + PAUSE
            return
        from IPython.display import display

        began = time.monotonic()
        if self.handle is None:
            self.handle = display(self, display_id=True)
            self._watch_the_cell()
        else:
            self.handle.update(self)
        ended = time.monotonic()
        self.due = ended + max(PAUSE, SHARE * (ended - began))

    def _watch_the_cell(self) -> None:
        """Nobody tells a picture that its run was interrupted; but the cell's end can be seen."""
        from IPython import get_ipython

        events, handle = get_ipython().events, self.handle

        def cell_ended(*_: Any) -> None:
            events.unregister("post_run_cell", cell_ended)
            if self.handle is handle and self.now is not None and self.now.step < self.now.steps:
                self.stopped = True
                handle.update(self)

        events.register("post_run_cell", cell_ended)

    def _draw(self, axes: Axes, now: training.Progress) -> None:
        thinned = sorted({*range(0, len(self.losses), max(1, len(self.losses) // POINTS)), len(self.losses) - 1})
        axes.plot([self.tokens[i] for i in thinned], [self.losses[i] for i in thinned], color=palette.SIZE_RAMP[3])
        end, whole = (self.tokens[-1], self.losses[-1]), self.tokens[-1] / now.step * now.steps
        axes.plot(*end, marker="o", color=palette.SIZE_RAMP[3], clip_on=False)
        side = {"ha": "left", "xytext": (6, 6)} if end[0] < 0.1 * whole else {"ha": "center", "xytext": (0, 8)}
        axes.annotate(f"{now.loss:.2f}", end, textcoords="offset points", va="bottom", **side)
        axes.set_xlim(0, 1.03 * whole)
        axes.set_ylim(0, 1.15 * max(self.losses))
        axes.set_xlabel(self.say("tokens_read"))
        axes.set_ylabel(self.say("nats_a_token"))
        axes.locator_params("x", nbins=5, steps=(1, 2, 5, 10))  # numbers that two digits can name
        axes.xaxis.set_major_formatter(lambda value, _: short_count(value))
        status = self._lasted() if now.step >= now.steps else self._status()
        small = {"fontsize": 9, "color": palette.LIGHT["muted"], "ha": "right", "va": "bottom"}
        axes.annotate(status, (1, 1), xytext=(0, 10), xycoords="axes fraction", textcoords="offset points", **small)

    def _lasted(self) -> str:
        return self.say("finished_in", time=in_words(self.say, self.clock[-1] - self.clock[0]))

    def _status(self) -> str:
        if not self.stopped:
            return self._left()
        return self.say("stopped_after", time=in_words(self.say, self.clock[-1] - self.clock[0]))

    def _left(self) -> str:
        """Told from the pace since the first step that was seen: a resumed run begins in the middle."""
        assert self.now is not None
        done = self.steps[-1] - self.steps[0]
        if not done:
            return self.say("just_begun")
        pace = (self.clock[-1] - self.clock[0]) / done
        return self.say("time_left", time=in_words(self.say, pace * (self.now.steps - self.now.step)))


def in_notebook() -> bool:
    """Whether there is a notebook's kernel to draw for; IPython in a terminal shows no pictures."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")


def _tokens(now: training.Progress) -> int:
    """Tokens read so far: tuning tells them, training reads as many in every step."""
    return getattr(now, "tokens", None) or now.step * training.TOKENS_A_STEP
