"""Write down what you expect and how sure you are, lock it, look: both are scored, and you say why it came out so."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PROMISES = ("prediction", "confidence")
_FIXED = ("question", "options", "low", "high", "unit", "step", "within", "guess")


class PredictionError(ViewError, traitlets.TraitError):
    """A prediction was refused: it is locked already, or it is not one that the card offers."""


class PredictionCard(BaseView):
    """What do you expect, and how sure are you? Asked before the run, scored after it.

    Either `options` (two or more strings) or a number from `low` to `high`, which counts as right if it comes within
    `within` of the outcome (default: a tenth of the range). `confidence` is the probability, as a share, that you are
    right; it cannot be less than a blind `guess` gives. `score(outcome)` gives `correct` and `brier`, the Brier score
    (confidence − correct)², which only honest confidence keeps low (Brier, 1950); then the card asks why, and
    `explanation` is the answer. Raises PredictionError for a change after the lock, or an explanation before the score,
    and ViewError for a card that offers no choice.
    """

    _catalogue = "prediction_card"
    _esm = module("prediction_card")
    _css = styles("prediction_card")

    question = traitlets.Unicode("").tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)
    step = traitlets.Float(None, allow_none=True).tag(sync=True)
    within = traitlets.Float(None, allow_none=True).tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)
    guess = traitlets.Float(0.5).tag(sync=True)
    prediction = traitlets.Any(None).tag(sync=True)
    confidence = traitlets.Float(0.5).tag(sync=True)
    locked = traitlets.Bool(False).tag(sync=True)
    outcome = traitlets.Any(None).tag(sync=True)
    correct = traitlets.Bool(None, allow_none=True).tag(sync=True)
    brier = traitlets.Float(None, allow_none=True).tag(sync=True)
    explanation = traitlets.Unicode("").tag(sync=True)
    kept = traitlets.Unicode("").tag(sync=True)  # the explanation that has arrived here: a view must not say so before

    def __init__(self, question: str = "", options: Sequence[str] = (), **kwargs: Any) -> None:
        self._sealed: dict[str, Any] | None = None
        given = {"question": question, "options": list(options), **kwargs}
        self._refuse_unknown(given)
        super().__init__(**_completed(given))

    def predict(self, value: str | float, confidence: float | None = None) -> None:
        """Writes a prediction down from Python; `confidence` is a share (0.8 for 80 %)."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.prediction = value
            if confidence is not None:
                self.confidence = confidence

    def lock(self) -> None:
        """From here on the prediction cannot be changed, neither by hand nor from Python."""
        self.locked = True

    def on_lock(self, callback: Callable[[PredictionCard], None]) -> None:
        """Calls back once the card is locked; errors show in the view."""

        def locked(change: dict[str, Any]) -> None:
            with self.errors_shown():
                callback(self)

        self.observe(locked, names="locked")

    def score(self, outcome: str | float) -> PredictionCard:
        """Shows what came out beside what was predicted; a prediction still open is locked as it stands.

        Without a prediction there is nothing to score, and none can be added: `brier` stays None. Returns the card.
        """
        came = self._offered(outcome) if self.options else _number(outcome, "The outcome")
        correct = None if self.prediction is None else self._agrees(came)
        with self.hold_sync():
            self.outcome = came
            self.locked = True
            self.correct = correct
            self.brier = None if correct is None else (self.confidence - correct) ** 2
        return self

    def explain(self, text: str) -> None:
        """Says from Python why it came out so; a later one takes its place, an empty one takes it away.

        Raises PredictionError while there is no scored prediction to explain.
        """
        self.explanation = text

    def describe(self) -> str:
        """Question, prediction, outcome, score and explanation in words."""
        lines = [self.say("described", question=self.question), *self._lines()]
        return self.say("between_sentences").join(filter(None, lines))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the browser sends; a refusal is said in the view, which gets back what stands."""
        try:
            super().set_state(sync_data)
        except PredictionError as refused:
            self.error = str(refused)
            self.send_state([*_PROMISES, "locked", "explanation"])

    def _lines(self) -> list[str]:
        said = ""
        if self.prediction is not None:
            percent = f"{self.confidence * 100:.0f} %"
            said = self.say("said_line", value=self._said(self.prediction), percent=percent)
        if self.outcome is None:
            state = self.say("locked_line" if self.locked else "open_line")
            return [said or self.say("no_prediction_line"), state]
        came = self.say("came_line", value=self._said(self.outcome))
        if self.brier is None:
            return [self.say("none_made_line"), came]
        scored = {"brier": f"{self.brier:.2f}", "meaning": self.say("brier_meaning")}
        why = self.say("why_line", text=self.explanation) if self.explanation else ""
        return [said, came, self.say("right_line" if self.correct else "wrong_line", **scored), why]

    def _said(self, value: str | float) -> str:
        if isinstance(value, str):
            return value
        near = f" ± {self.within:.3g}" if value == self.prediction else ""
        return f"{value:.3g}{near} {self.unit}".strip()

    def _agrees(self, came: str | float) -> bool:
        if isinstance(came, str) or self.within is None:
            return came == self.prediction
        return abs(came - self.prediction) <= self.within * (1 + 1e-9)

    def _offered(self, value: Any) -> str:
        if value in self.options:
            return value
        close = difflib.get_close_matches(str(value), self.options, n=1)
        advice = f"did you mean {close[0]!r}" if close else "choose one of " + ", ".join(map(repr, self.options))
        raise PredictionError(f"{value!r} is not on the card: {advice}{'?' if close else '.'}")

    @traitlets.validate("prediction")
    def _prediction_is_offered(self, proposal: dict[str, Any]) -> str | float | None:
        value = proposal["value"]
        if value is not None:
            value = self._offered(value) if self.options else self._in_range(value)
        return self._as_locked("prediction", value)

    @traitlets.validate("confidence")
    def _confidence_is_a_share(self, proposal: dict[str, Any]) -> float:
        value = proposal["value"]
        if not self.guess - 0.005 <= value <= 1:
            raise PredictionError(
                f"A confidence of {value:g} is outside {self.guess:.2g} (a blind guess) to 1: 80 % sure is 0.8."
            )
        return self._as_locked("confidence", value)

    @traitlets.validate("locked")
    def _lock_is_for_good(self, proposal: dict[str, Any]) -> bool:
        if proposal["value"] and self.prediction is None and self.outcome is None:
            raise PredictionError("There is nothing to lock yet: choose first, or call predict(value, confidence).")
        return self._as_locked("locked", proposal["value"])

    @traitlets.validate(*_FIXED)
    def _question_stands(self, proposal: dict[str, Any]) -> Any:
        return self._as_locked(proposal["trait"].name, proposal["value"])

    @traitlets.validate("explanation")
    def _explains_what_came_out(self, proposal: dict[str, Any]) -> str:
        text = proposal["value"].strip()
        if text and self.brier is None:
            raise PredictionError("There is nothing to explain yet: predict, lock and run, then say why it came out.")
        return text

    @traitlets.observe("explanation")
    def _keep(self, change: dict[str, Any]) -> None:
        self.kept = change["new"]

    @traitlets.observe("locked")
    def _seal(self, change: dict[str, Any]) -> None:
        """What is locked is kept here, since one message may both predict and lock."""
        if change["new"]:
            self._sealed = {name: getattr(self, name) for name in (*_PROMISES, *_FIXED, "locked")}

    def _as_locked(self, name: str, value: Any) -> Any:
        if self._sealed is not None and value != self._sealed[name]:
            raise PredictionError("The prediction is locked and stays as it is: make a new card for a new prediction.")
        return value

    def _in_range(self, value: Any) -> float:
        number = _number(value, "A prediction")
        if self.low is None or self.high is None or not self.low <= number <= self.high:
            raise PredictionError(f"{number:g} is not on the card: choose a number from {self.low:g} to {self.high:g}.")
        return number

    def draw(self, figure: Figure) -> None:
        """Question, what was offered, what was said, what came out."""
        from xllm_widgets.widgets._draw import Page

        page = Page(figure)
        y = page.paragraph(self.question, 0, 0.32, page.width, 11, fontweight="bold") + 0.34
        y = self._draw_options(page, y) if self.options else self._draw_scale(page, y + 0.22)
        for line in filter(None, self._lines()):
            y = page.paragraph(line, 0, y, page.width, 9.5, ink=palette.LIGHT["muted"]) + 0.22
        page.finish(y - 0.02)

    def _draw_options(self, page: Any, y: float) -> float:
        from xllm_widgets.widgets.style import fonts

        for option in self.options:
            mark = "◉" if option == self.prediction else "○"
            came = f"   {self.say('came_mark')}" if option == self.outcome else ""
            weight = "bold" if option in (self.prediction, self.outcome) else "normal"
            page.text(0.04, y, mark, 10, palette.LIGHT["muted"], family="DejaVu Sans")
            page.text(0.28, y, option, 10, fontweight=weight)
            beside = 0.28 + page.measure(option, 10.8)
            page.text(beside, y, came, 9, palette.LIGHT["muted"], family=["DejaVu Sans", *fonts()])
            y += 0.25
        return y + 0.05

    def _draw_scale(self, page: Any, y: float) -> float:
        """The range as a line, the prediction with its band below it, the outcome above."""
        assert self.low is not None
        assert self.high is not None
        assert self.within is not None
        left, wide, span = 0.1, min(5.0, page.width - 0.2), self.high - self.low

        def place(value: float) -> float:
            return left + wide * min(1.0, max(0.0, (value - self.low) / span))

        if self.prediction is not None:
            start, end = place(self.prediction - self.within), place(self.prediction + self.within)
            page.box(start, y - 0.09, end - start, 0.18, ACCENT, alpha=0.22)
        page.line((left, left + wide), (y, y), color=palette.LIGHT["muted"], linewidth=1)
        for end in (self.low, self.high):
            page.text(place(end), y + 0.26, f"{end:.3g}", 8.5, palette.LIGHT["muted"], ha="center")
        if self.prediction is not None:
            page.line((place(self.prediction),), (y,), color=ACCENT, marker="o", markersize=7)
        if self.outcome is not None:
            page.line((place(self.outcome),), (y - 0.1,), color=palette.LIGHT["ink"], marker="v", markersize=7)
            page.text(
                place(self.outcome), y - 0.2, self.say("outcome_at", value=f"{self.outcome:.3g}"), 8.5, ha="center"
            )
        return y + 0.52


ACCENT = "#1d5a9c"


def _completed(given: dict[str, Any]) -> dict[str, Any]:
    """The card's arguments checked against each other, and what follows from them filled in."""
    options, low, high = given["options"], given.get("low"), given.get("high")
    if options:
        if low is not None or high is not None:
            raise ViewError("A prediction card asks for one of the options or for a number from low to high, not both.")
        if len(set(options)) < max(2, len(options)):
            raise ViewError(f"A prediction needs two different options or more, not {list(options)}.")
        guess = 1 / len(options)
    else:
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ViewError("A prediction card needs options=[…], or two numbers low < high to choose from.")
        given = {"step": (high - low) / 100, "within": (high - low) / 10, **given}
        guess = min(0.95, 2 * given["within"] / (high - low))
    guess = math.ceil(guess * 100 - 1e-9) / 100
    return {"guess": guess, "confidence": guess, **given}


def _number(value: Any, what: str) -> float:
    if isinstance(value, str | bool) or not hasattr(value, "__float__") or not math.isfinite(float(value)):
        raise PredictionError(f"{what} on this card is a number, not {value!r}.")
    return float(value)
