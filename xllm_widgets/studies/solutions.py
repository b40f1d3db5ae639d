"""A worked solution as plain data, what can be done to its steps, and the prompts it is asked in.

    Question: Tom has 7 apples. Tom buys 5 more. How many apples does Tom have now?
    Answer: 7 + 5 = 12. The answer is 12.

This is the layout that the bundled models were taught (`microworld.arithmetic`); a model of the hub reads it as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.answers import Number, extract_answer
from xllm_widgets.studies.equations import NUMBER, Equation, carry_on, equations, written

WAYS = ("worked", "direct", "after")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CONCLUSION = re.compile(r"\bthe answer is\b", re.IGNORECASE)


@dataclass(frozen=True)
class Solution:
    """A question, the steps of its working (one sentence each, without the full stop) and the answer as it is shown.

    paraphrases: the same question in other words.
    """

    question: str
    steps: tuple[str, ...]
    answer: str
    paraphrases: tuple[str, ...] = ()

    @property
    def number(self) -> Number | None:
        """The answer as a number; None where it is shown as something else (a letter)."""
        return extract_answer(self.answer)

    @property
    def working(self) -> str:
        """The steps as sentences, one behind the other."""
        return " ".join(map(_sentence, self.steps))

    @property
    def conclusion(self) -> str:
        """The sentence that states the answer."""
        return f"The answer is {self.answer}."

    def told(self, way: str = "worked") -> str:
        """What stands behind "Answer:": the steps before the answer, the answer alone, or the steps after it."""
        parts = {"worked": (self.working, self.conclusion), "direct": (self.conclusion,),
                 "after": (self.conclusion, self.working)}  # fmt: skip
        return " ".join(part for part in parts[way] if part)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a view or a file; `Solution.from_dict` is the inverse."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Solution:
        """Raises XllmError where question, steps or answer is missing or of another kind."""
        try:
            question, answer = str(fields["question"]).strip(), str(fields["answer"]).strip()
            steps, others = ([str(s) for s in fields.get(name) or ()] for name in ("steps", "paraphrases"))
        except (KeyError, TypeError, AttributeError) as reason:
            raise XllmError("A problem needs a question and an answer; steps and paraphrases are lists.") from reason
        if not question or not answer:
            raise XllmError("A problem's question or answer is empty; write both.")
        return cls(question, tuple(s.strip().rstrip(".") for s in steps if s.strip()), answer, tuple(others))


def read_reply(question: str, reply: str) -> Solution:
    """What a model wrote behind "Answer:" as a solution: its sentences are the steps, what it concludes the answer."""
    line = reply.strip().split("\n\n")[0]
    conclusion = _CONCLUSION.search(line)
    working = line[: conclusion.start()] if conclusion else line
    steps = [s.strip().rstrip(".") for part in working.split("\n") for s in _SENTENCE_END.split(part) if s.strip(" .")]
    answer = extract_answer(line)
    return Solution(question, tuple(steps), "" if answer is None else str(answer))


# --- What can be done to a step --------------------------------------------------------------------------------------


def edit(solution: Solution, step: int, text: str) -> Solution:
    """The solution with other words in one step (numbered from 0). Raises XllmError for an empty text."""
    _check(solution, step)
    if not text.strip(" .\n"):
        raise XllmError("An empty step is no step; delete it instead.")
    return _with(solution, step, [" ".join(text.split()).rstrip(".")])


def falsify(solution: Solution, step: int, by: int = 1, *, carry: bool = False) -> Solution:
    """One step's result made too large by `by`; with `carry` the later steps and the answer follow from the slip.

    The result is what the step's last equation comes to, or its last number. Raises XllmError for a step without one.
    """
    _check(solution, step)
    if by == 0:
        raise XllmError("A slip of 0 falsifies nothing; choose another number.")
    if not carry or not equations(solution.steps[step]):
        return _with(solution, step, [_slipped(solution.steps[step], by)])
    found = [equations(text) for text in solution.steps]

    def change(number: int, old: Equation) -> Equation:
        slips = number == step and old.c == found[step][-1].c
        return replace(old, c=written(Fraction(old.c) + by)) if slips else old

    given = re.findall(NUMBER, solution.question)
    steps = carry_on(solution.steps, change, given)
    was, now = found[-1], equations(steps[-1])
    follows = bool(was) and Fraction(was[-1].c) == (Fraction(solution.answer) if _is_plain(solution.answer) else None)
    return replace(solution, steps=tuple(steps), answer=now[-1].c if follows else solution.answer)


def delete(solution: Solution, step: int) -> Solution:
    """The solution without one step."""
    _check(solution, step)
    return _with(solution, step, [])


def reorder(solution: Solution, order: Sequence[int]) -> Solution:
    """The steps in another order: `order` names each step once, (1, 0) swaps two."""
    if sorted(order) != list(range(len(solution.steps))):
        raise XllmError(f"The order {tuple(order)} does not name each of the {len(solution.steps)} steps once.")
    return replace(solution, steps=tuple(solution.steps[i] for i in order))


def truncate(solution: Solution, keep: int) -> Solution:
    """The first `keep` steps alone (0 … all of them)."""
    if not 0 <= keep <= len(solution.steps):
        raise XllmError(f"There are {len(solution.steps)} steps; keep between 0 and {len(solution.steps)} of them.")
    return replace(solution, steps=solution.steps[:keep])


# --- Prompts ---------------------------------------------------------------------------------------------------------


def render(demonstrations: Sequence[Solution], question: str, way: str = "worked", *, shown: str | None = None) -> str:
    """The few-shot prompt: demonstrations told in the way `shown` (default: `way`), then the question.

    It ends behind "Answer:", or, where the answer comes first, behind "Answer: The answer is".
    """
    if not question.strip():
        raise XllmError("The question is empty; write one.")
    told = "".join(f"Question: {d.question}\nAnswer: {d.told(shown or way)}\n\n" for d in demonstrations)
    return f"{told}Question: {question}\nAnswer:{'' if way == 'worked' else ' The answer is'}"


def render_steps(demonstrations: Sequence[Solution], solution: Solution, *, concluding: bool = False) -> str:
    """The prompt with all steps of the solution already written; `concluding` goes on to "The answer is"."""
    working = f" {solution.working}" if solution.steps else ""
    return f"{render(demonstrations, solution.question)}{working}{' The answer is' if concluding else ''}"


def step_spans(prompt: str, solution: Solution) -> list[tuple[int, int]]:
    """Characters (start, end) of each step in a prompt that `render_steps` made: the last place where they stand."""
    place = prompt.rindex(solution.working) if solution.steps else 0
    spans = []
    for step in map(_sentence, solution.steps):
        start = prompt.index(step, place)
        spans.append((start, start + len(step)))
        place = start + len(step)
    return spans


def _sentence(step: str) -> str:
    return step if step.endswith((".", "!", "?")) else f"{step}."


def _is_plain(text: str) -> bool:
    return re.fullmatch(rf"-?{NUMBER}", text) is not None


def _check(solution: Solution, step: int) -> None:
    if not 0 <= step < len(solution.steps):
        raise XllmError(f"There is no step {step}; the solution has {len(solution.steps)}, numbered from 0.")


def _with(solution: Solution, step: int, replacement: list[str]) -> Solution:
    return replace(solution, steps=(*solution.steps[:step], *replacement, *solution.steps[step + 1 :]))


def _slipped(step: str, by: int) -> str:
    found = list(re.finditer(rf"(?:(?<=\s)|(?<=^)|(?<==))-?{NUMBER}", step)) or list(re.finditer(NUMBER, step))
    where = next((m for m in reversed(found) if step[: m.start()].rstrip().endswith("=")), found[-1] if found else None)
    if where is None:
        raise XllmError(f"The step {step!r} has no number to falsify; edit its words instead.")
    return f"{step[: where.start()]}{written(Fraction(where.group()) + by)}{step[where.end() :]}"
