"""Exercises: a question, a checker with fresh variants, a ladder of hints, a solution, and the usual mistakes.

An answer in code is compared with the reference on many random inputs. When it differs, the checker looks for the usual
mistake that gives the same outputs, names the misconception behind it and shows an input on which it goes wrong.

The frames of what is said are in the language that is on; an exercise's own texts stay in that of its notebook.
"""

import copy
import inspect
import math
import random
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from xllm_widgets.classroom import journal
from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.language import speech

VARIANTS = 60  # random inputs an answer in code must get right


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer and the misconception behind it; `because` says why, for a choice, with an example."""

    misconception: str
    answer: Any
    because: str = ""


@dataclass(frozen=True)
class Feedback:
    """What the checker says: whether the answer is right, and if not, the misconception and a counterexample.

    attempted: False for what is no answer yet, such as the starter code as it was.
    """

    right: bool
    text: str
    misconception: str = ""
    attempted: bool = True

    def __repr__(self) -> str:
        return f"{'✓' if self.right else '✗'} {self.text}"


@dataclass(frozen=True)
class Text:
    """Words for a notebook: markdown where it is drawn, plain text elsewhere."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    answer: the letter of the right option of a choice, or the reference function of an exercise in code.
    also_right: for code, the same function written in other ways; a test holds that each is accepted.
    mistakes: three or more wrong answers that a person might give; a test holds that each is rejected by its name.
    variant: for code, makes the arguments of one random input; None for a choice among `options`. It must never draw
    an input on which two right answers may differ (a tie, a bound met exactly).
    """

    name: str
    prompt: str
    answer: Any
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    options: tuple[str, ...] = ()
    starter: str = ""
    explanation: str = ""
    variant: Callable[[random.Random], tuple] | None = None
    also_right: tuple[Callable, ...] = ()

    def check(self, given: Any, seed: int) -> Feedback:
        """Is this right? Code is tried on inputs that `seed` decides, and what it raises is told, not raised.

        A choice has no variants: a saved notebook shows its options by letter, and the letters must still hold in the
        session that opens it again.
        """
        return self._check_choice(given) if self.variant is None else self._check_code(given, seed)

    def _check_choice(self, given: Any) -> Feedback:
        say, letter = speech("classroom"), self._letter(str(given).strip().casefold())
        if not letter:
            return Feedback(False, say("one_letter", letters=say("and").join(self.letters)), attempted=False)
        if letter == self.answer:
            return Feedback(True, say("right", explanation=self.explanation))
        found = next(m for m in self.mistakes if m.answer == letter)
        said = say("not_this_one", misconception=found.misconception, because=found.because)
        return Feedback(False, said, found.misconception)

    def _letter(self, given: str) -> str:
        """Which option is meant by its letter, as in b, B) or (b), or by its own words; empty if none is."""
        for letter, option in zip(self.letters, self.options, strict=True):
            if re.fullmatch(rf"\(?{letter}[).:]?", given) or given == option.casefold():
                return letter
        return ""

    @property
    def letters(self) -> str:
        return "abcdefgh"[: len(self.options)]

    @property
    def right_answers(self) -> tuple[Any, ...]:
        """The right answer written in three ways or more: for a choice its letter, with a bracket, and its words."""
        if self.variant is not None:
            return (self.answer, *self.also_right)
        return (self.answer, f"{self.answer.upper()})", self.options[self.letters.index(self.answer)])

    def _check_code(self, given: Any, seed: int) -> Feedback:
        assert self.variant is not None
        say = speech("classroom")
        if not callable(given):
            return Feedback(False, say("the_function"), attempted=False)
        rng = random.Random(f"{self.name}:{seed}")
        cases = [self.variant(rng) for _ in range(VARIANTS)]
        if all(outcome(given, case) is None for case in cases):
            return Feedback(False, say("gives_nothing"), attempted=False)
        for case in cases:
            got, expected = outcome(given, case), outcome(self.answer, case)
            if not agree(got, expected):
                return self._explain(given, cases, case, got, expected)
        return Feedback(True, say("right_on_all", n=VARIANTS, explanation=self.explanation).rstrip())

    def _explain(self, given: Callable, cases: list[tuple], case: tuple, got: Any, expected: Any) -> Feedback:
        say = speech("classroom")
        example = say("example", call=show_call(self.answer, case), got=short(got), expected=short(expected))
        for mistake in self.mistakes:
            if all(agree(outcome(given, c), outcome(mistake.answer, c)) for c in cases):
                said = say("not_yet_because", misconception=mistake.misconception, example=example)
                return Feedback(False, said, mistake.misconception)
        return Feedback(False, say("not_yet", example=example))

    def solution(self) -> str:
        if self.variant is None:
            return f"{self.answer}. {self.explanation}"
        return f"```python\n{textwrap.dedent(inspect.getsource(self.answer)).strip()}\n```\n{self.explanation}".rstrip()


def outcome(function: Callable, case: tuple) -> Any:
    """What the function gives, or the error it raises as a value of its own; it may spoil its input, a copy."""
    try:
        return function(*copy.deepcopy(case))
    except Exception as error:  # a student's function may raise anything; the feedback shows it
        return Raised(type(error).__name__, str(error))


@dataclass(frozen=True)
class Raised:
    kind: str
    words: str

    def __repr__(self) -> str:
        return speech("classroom")("raised", kind=self.kind, words=self.words)


def agree(a: Any, b: Any) -> bool:
    """Equal, numbers to nine digits; lists, tuples and arrays element by element, dictionaries by key."""
    if isinstance(a, Raised) or isinstance(b, Raised):
        return isinstance(a, Raised) and isinstance(b, Raised) and a.kind == b.kind
    a, b = unboxed(a), unboxed(b)
    for kind in (str, type(None), set, dict):
        if isinstance(a, kind) != isinstance(b, kind):
            return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, str | set | None):
        return a == b
    try:
        if hasattr(a, "__len__") or hasattr(b, "__len__"):
            return len(a) == len(b) and all(agree(x, y) for x, y in zip(a, b, strict=True))
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    except TypeError:
        return False


def unboxed(value: Any) -> Any:
    """The number in an array or a tensor without axes; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def show_call(function: Callable, case: tuple) -> str:
    names = list(inspect.signature(function).parameters)
    return ", ".join(f"{name} = {short(value)}" for name, value in zip(names, case, strict=True))


def short(value: Any, limit: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


_withheld: list[bool] = []  # empty where solutions may be seen
_taken: dict[str, int] = {}  # how far down each ladder of hints this session has gone
_asked: dict[str, int] = {}  # how often each exercise was checked: every check draws fresh inputs


def find(name: str) -> Exercise:
    from xllm_widgets.classroom.chapters import EXERCISES

    if name not in EXERCISES:
        near = get_close_matches(name, EXERCISES, n=1, cutoff=0) or list(EXERCISES)
        raise XllmError(f"There is no exercise {name!r}; did you mean {near[0]!r}? All: {', '.join(EXERCISES)}.")
    return EXERCISES[name]


def exercise(name: str) -> Text:
    """The question, with its options or the code to start from."""
    found = find(name)
    options = "".join(f"\n- **{letter}** {option}" for letter, option in zip(found.letters, found.options, strict=True))
    starter = f"\n```python\n{found.starter.strip()}\n```" if found.starter else ""
    asked = speech("classroom")("exercise", name=name, prompt=found.prompt)
    return Text(f"{asked}\n{options}{starter}".rstrip())


def check(name: str, answer: Any, *, seed: int | None = None) -> Feedback:
    """Is this answer right? A letter for a choice, your function for code; new random inputs at every call.

    An attempt is written into the lab journal (`classroom.stop_journal()` opts out); an answer not yet begun is none.
    Raises XllmError, with the nearest name, for an exercise that does not exist.
    """
    found = find(name)
    _asked[name] = _asked.get(name, -1) + 1
    feedback = found.check(answer, _asked[name] if seed is None else seed)
    if not feedback.attempted:
        return feedback
    said = journal.record(
        "exercise", exercise=name, right=feedback.right, misconception=feedback.misconception,
        hints=_taken.get(name, 0),
    )  # fmt: skip
    return replace(feedback, text=f"{feedback.text} {said}".rstrip())


def hint(name: str) -> Text:
    """The next hint down the ladder; the last one stays."""
    hints: Sequence[str] = find(name).hints
    step = min(_taken.get(name, 0), len(hints) - 1)
    _taken[name] = step + 1
    return Text(speech("classroom")("hint", step=step + 1, steps=len(hints), text=hints[step]))


def solution(name: str) -> Text:
    """The answer and why; in an edition without solutions, whom to ask."""
    found = find(name)
    return Text(speech("classroom")("withheld") if _withheld else found.solution())


def withhold_solutions() -> None:
    """From here on this session shows no solution: the first cell of the edition that an instructor hands out."""
    _withheld.append(True)
