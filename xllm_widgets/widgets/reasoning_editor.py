"""A worked solution as lines to be edited: the answers follow every edit, and a curve shows which step they rest on."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Step = dict[str, Any]
Row = dict[str, Any]
Ask = Callable[["ReasoningEditor", int, str, int], None]

MOST_STEPS = 40
MOST_ANSWERS = 8  # the others are summed into one row
OTHERS = "others"  # the row that sums them up, whatever it is called in the view's language
PICTURE_SECONDS = 1.5  # of computing that the static picture may cost
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_NO_ANSWERS = {"request": -1, "n": 0, "rows": []}
_NO_CURVE: dict[str, Any] = {"request": -1, "n": 0, "done": False, "decisive": None, "points": []}
_COMMANDS = (
    "edit", "falsify", "falsify_decisive", "delete", "delete_all", "truncate", "move", "shuffle", "add", "reset",
    "undo",
)  # fmt: skip


class ReasoningEditor(BaseView):
    """What would the model answer if it had reasoned otherwise, and which step decided?

    `question`, `steps` (a sentence each) and `answer` (the right one, as answers are written) are plain strings.
    Whoever knows a model answers through `on_ask`. What is shown, all plain data, belongs to one `request`, the number
    of the edit that it answers:

    - `steps`: `{"id", "text", "given"}`; the id stays with a step wherever it moves, `given` is the text it came with.
    - `answers`: `{"request", "n", "rows"}`, a row is `{"answer", "share", "low", "high", "original", "at_once"}`: the
      share of n sampled endings that give this answer with its 95 % interval, the share behind the steps as given, and
      p(answer) where the model must answer at once (null where it is not known).
    - `curve`: `{"request", "n", "done", "decisive", "points"}`, a point is `{"kept", "share", "low", "high"}`: how many
      of n endings sampled behind the first `kept` steps give the right answer; `decisive` is a step's number or null.

    Raises ViewError for a question or an answer that is empty.
    """

    _catalogue = "reasoning_editor"
    _esm = module("reasoning_editor")
    _css = styles("reasoning_editor")

    question = traitlets.Unicode("").tag(sync=True)
    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    answer = traitlets.Unicode("").tag(sync=True)
    answers = traitlets.Dict(default_value=_NO_ANSWERS).tag(sync=True)
    curve = traitlets.Dict(default_value=_NO_CURVE).tag(sync=True)
    request = traitlets.Int(0).tag(sync=True)  # one more with every change of the steps
    # what the browser says need not be said back to it: `echo_update` would cost every edit one more message
    command = traitlets.Dict(default_value={}).tag(sync=True, echo_update=False)  # an edit, as the browser asks for it
    obeyed = traitlets.Int(0).tag(sync=True)  # the last command carried out
    ask = traitlets.Dict(default_value={}).tag(sync=True, echo_update=False)  # the next stage, once the last is painted
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(self, question: str = "", steps: Sequence[str] = (), answer: str = "", **kwargs: Any) -> None:
        self._refuse_unknown(kwargs)
        if not question.strip() or not answer.strip():
            raise ViewError("The editor needs a question and its right answer; one of them is empty.")
        self._callback: Ask | None = None
        self.falsifier: Callable[[str], str] = wrong_number
        self._past: list[list[Step]] = []
        self._decided: int | None = None  # id of the step that decided when a curve was last finished
        self._start: list[Step] = [{"id": i, "text": text, "given": text} for i, text in enumerate(map(_line, steps))]
        self._next_id = len(self._start)
        super().__init__(question=_line(question), steps=self._start, answer=answer.strip(), **kwargs)
        self.observe(self._obey, names="command")
        self.observe(self._asked, names="ask")

    # --- the steps -------------------------------------------------------------------------------------------------

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps as they stand."""
        return tuple(step["text"] for step in self.steps)

    @property
    def given(self) -> tuple[str, ...]:
        """The steps as they came, before any edit."""
        return tuple(step["text"] for step in self._start)

    def edit(self, i: int, text: str) -> None:
        """Other words for step `i` (numbered from 0)."""
        if not _line(text).strip(" ."):
            raise ViewError("An empty step is no step; delete it instead.")
        place = self._index(i)
        self._set([{**step, "text": _line(text)} if k == place else step for k, step in enumerate(self.steps)])

    def falsify(self, i: int) -> None:
        """A wrong result in step `i`, as `falsifier` writes it; the steps behind it stay as they are."""
        self.edit(i, self.falsifier(self.steps[self._index(i)]["text"]))

    def falsify_decisive(self) -> None:
        """A wrong result in the step that the curve found decisive."""
        place = self.decisive
        if place is None:
            done = self.curve["done"] and self.curve["request"] == self.request
            why = "No step moves the answer beyond doubt" if done else "The decisive step is not known yet"
            raise ViewError(f"{why}; falsify one of your choice.")
        self.falsify(place)

    def delete(self, i: int) -> None:
        """One step fewer."""
        gone = self._index(i)
        self._set([step for k, step in enumerate(self.steps) if k != gone])

    def delete_all(self) -> None:
        """No step left: the answer straight from the question."""
        self._set([])

    def truncate(self, keep: int) -> None:
        """The first `keep` steps alone."""
        if not 0 <= keep <= len(self.steps):
            raise ViewError(f"There are {len(self.steps)} steps; keep between 0 and {len(self.steps)} of them.")
        self._set(self.steps[:keep])

    def move(self, i: int, to: int) -> None:
        """Step `i` to place `to`."""
        steps = list(self.steps)
        step = steps.pop(self._index(i))
        steps.insert(max(0, min(to, len(steps))), step)
        self._set(steps)

    def shuffle(self, seed: int | None = None) -> None:
        """The steps in another order; the same one for the same `seed`."""
        rng, steps = random.Random(self.request if seed is None else seed), list(self.steps)
        for _ in range(9):  # few steps may fall as they lay
            rng.shuffle(steps)
            if steps != self.steps:
                break
        self._set(steps)

    def add(self, text: str) -> None:
        """One more step, at the end."""
        if len(self.steps) >= MOST_STEPS:
            raise ViewError(f"{MOST_STEPS} steps are as many as the editor shows; delete one first.")
        if not _line(text).strip(" ."):
            raise ViewError("An empty step is no step; write at least one word.")
        self._next_id += 1
        self._set([*self.steps, {"id": self._next_id - 1, "text": _line(text), "given": ""}])

    def reset(self) -> None:
        """Every step as it was at the start."""
        self._set(list(self._start))

    def undo(self) -> None:
        """The last edit taken back; nothing happens when there is none."""
        if self._past:
            self._put(self._past.pop())

    @property
    def decisive(self) -> int | None:
        """Number of the step that decided when a curve was last finished; None where none did or it is gone."""
        places = [k for k, step in enumerate(self.steps) if step["id"] == self._decided]
        return places[0] if places else None

    def _index(self, i: int) -> int:
        if not -len(self.steps) <= i < len(self.steps):
            raise ViewError(f"There is no step {i}: there are {len(self.steps)}, numbered from 0.")
        return i % len(self.steps)

    def _set(self, steps: list[Step]) -> None:
        if steps != self.steps:
            self._past = [*self._past[-99:], list(self.steps)]
            self._put(steps)

    def _put(self, steps: list[Step]) -> None:
        with self.hold_sync():
            self.steps = steps
            self.request += 1

    # --- answers ---------------------------------------------------------------------------------------------------

    def on_ask(self, callback: Ask) -> None:
        """Who answers: `callback(editor, request, stage, part)`; stages are "answers" and, point by point, "curve".

        It calls `answer_distribution` or `answer_curve` and returns soon, since newer edits are heard in between. What
        it raises is said in the view.
        """
        self._callback = callback

    def answer_distribution(
        self,
        request: int,
        now: Iterable[Mapping[str, Any]],
        original: Iterable[Mapping[str, Any]] = (),
        *,
        n: int,
        at_once: Mapping[str, float] | None = None,
    ) -> None:
        """Rows `{"answer", "share", "low", "high"}` behind the steps as they are and as given; dropped if outdated."""
        if request != self.request:
            return
        before = {row["answer"]: float(row["share"]) for row in original}
        self.error = ""
        self.answers = {
            "request": request, "n": int(n), "rows": _merged(self.answer, list(now), before, at_once or {})
        }  # fmt: skip

    def answer_curve(
        self, request: int, points: Iterable[Mapping[str, float]], *, n: int, done: bool, decisive: int | None = None
    ) -> None:
        """The points found so far, `{"kept", "share", "low", "high"}`; `decisive` counts when it is `done`."""
        if request != self.request:
            return
        found = sorted(({**point, "kept": int(point["kept"])} for point in points), key=lambda point: point["kept"])
        if done:
            self._decided = None if decisive is None else self.steps[decisive]["id"]
        self.curve = {
            "request": request, "n": int(n), "done": bool(done), "decisive": decisive if done else None, "points": found
        }  # fmt: skip

    def refresh(self, seconds: float = math.inf) -> ReasoningEditor:
        """Every stage answered now, without a browser that asks; the curve stops after `seconds`. Returns itself."""
        until = time.perf_counter() + seconds
        self.error = ""
        self._answer("answers")
        part = 0
        while not self.error and self._callback and not self._finished() and time.perf_counter() < until:
            self._answer("curve", part)
            part += 1
        return self

    def _finished(self) -> bool:
        return bool(self.curve["done"]) and self.curve["request"] == self.request

    def _answer(self, stage: str, part: int = 0) -> None:
        if self._callback is not None:
            with self.errors_shown():
                self._callback(self, self.request, stage, part)

    def _asked(self, change: dict[str, Any]) -> None:
        ask = change["new"]
        if ask.get("request") == self.request and ask.get("stage") in ("answers", "curve"):
            self._answer(ask["stage"], int(ask.get("part", 0)))

    def _obey(self, change: dict[str, Any]) -> None:
        """An edit from the browser, shown at once; then the browser asks for the answers, which take longer."""
        name, arguments = change["new"].get("name"), change["new"].get("arguments", [])
        if name not in _COMMANDS:
            return
        with self.hold_sync():  # one message, so that the browser paints once
            with self.errors_shown():
                self.error = ""
                getattr(self, name)(*arguments)
            self.obeyed = int(change["new"].get("n", 0))

    # --- twins -----------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """The question, what was done to its steps, which answers follow and which step decides."""
        from xllm_widgets.widgets import reasoning_twin

        return reasoning_twin.describe(self)

    def draw(self, figure: Figure) -> None:
        """The question, its steps, the answers as bars, and the curve beneath."""
        from xllm_widgets.widgets import reasoning_twin

        reasoning_twin.draw(self, figure)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.answers["request"] != self.request:
            self.refresh(PICTURE_SECONDS)
        return super()._repr_mimebundle_(**kwargs)


def wrong_number(text: str) -> str:
    """The result of a step, one too large: the number behind its last equals sign, else its last number.

    Raises ViewError for a step without a number.
    """
    found = list(_NUMBER.finditer(text))
    results = [match for match in found if text[: match.start()].rstrip().endswith("=")]
    if not found:
        raise ViewError(f"The step {text!r} has no number to falsify; edit its words instead.")
    match = (results or found)[-1]
    value = float(match.group()) + 1
    return f"{text[: match.start()]}{value:g}{text[match.end() :]}"


def _merged(
    right: str, now: list[Mapping[str, Any]], before: dict[str, float], at_once: Mapping[str, float]
) -> list[Row]:
    """The right answer first, then the others by their larger share; what is too many is summed up."""
    shares = {row["answer"]: row for row in now}
    size = {name: max(float(shares[name]["share"]) if name in shares else 0.0, before.get(name, 0.0))
            for name in {*shares, *before}}  # fmt: skip
    order = [right, *sorted((name for name in size if name != right), key=lambda name: (-size[name], name))]
    rows = [_row(name, shares.get(name), before, at_once) for name in order]
    if len(rows) <= MOST_ANSWERS:
        return rows
    kept, rest = rows[: MOST_ANSWERS - 1], rows[MOST_ANSWERS - 1 :]
    share, original = (math.fsum(row[name] or 0 for row in rest) for name in ("share", "original"))
    others = {"share": share, "low": None, "high": None, "original": original if before else None, "at_once": None}
    return [*kept, {"answer": OTHERS, **others}]


def _row(name: str, now: Mapping[str, Any] | None, before: dict[str, float], at_once: Mapping[str, float]) -> Row:
    share, low, high = (float(now[key]) for key in ("share", "low", "high")) if now else (0.0, None, None)
    original = before.get(name, 0.0) if before else None
    return {"answer": name, "share": share, "low": low, "high": high, "original": original,
            "at_once": float(at_once[name]) if name in at_once else None}  # fmt: skip


def _line(text: str) -> str:
    return " ".join(str(text).split())
