"""The reasoning-step editor with a model behind it: answers after every edit, then the chance of the right one step by
step (Lanham et al., 2023; Bogdan et al., 2025)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.code import Timed, Write, with_code
from xllm_widgets.studies import statistics
from xllm_widgets.studies.problems import load_problems
from xllm_widgets.studies.replies import NONE, WORKED, said, sample, shown, write
from xllm_widgets.studies.solutions import Solution, falsify, read_reply, render, render_steps, truncate
from xllm_widgets.studies.step_curves import answer_logprobs, answers_after, step_curve
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    import pandas as pd

    from xllm_widgets.widgets.reasoning_editor import ReasoningEditor

MOST_REMEMBERED = 512  # prompts whose endings are kept


def _edited(view: ReasoningEditor) -> Callable[[Write], str]:
    return lambda write: write("".join(f"view.{line}\n" for line in _edits(view.given, view.steps)))


def _edits(before: Sequence[str], steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """The shortest way there, whatever the way was: other words, steps deleted, steps added, then their order."""
    now, given = {step["id"]: step["text"] for step in steps}, range(len(before))
    lines = [f"edit({i}, {now[i]!r})" for i in given if i in now and now[i] != before[i]]
    lines += [f"delete({i})" for i in reversed(given) if i not in now]
    lines += [f"add({now[i]!r})" for i in sorted(now) if i not in given]
    order = sorted(now)
    for place, step in enumerate(steps):
        at = order.index(step["id"])
        order.insert(place, order.pop(at))
        lines += [f"move({at}, {place})"] if at != place else []
    return lines


@with_code(_edited)
def reasoning_lab(
    lm: Any,
    problem: Solution | Mapping[str, Any] | None = None,
    *,
    demonstrations: Sequence[Solution | Mapping[str, Any]] | None = None,
    shots: int = 4,
    steps: int = 3,
    own: bool = False,
    data: Any = None,
    n: int = 20,
    temperature: float = 1.0,
    seed: int = 0,
    **editor: Any,
) -> ReasoningEditor:
    """Edit the steps of a worked problem and watch the answers follow; which step decides is settled by resampling.

    `problem`: a Solution or a dictionary with question, steps and answer; left out, one with `steps` steps from
    `load_problems(lm, data)`. `demonstrations` stand before it, left out `shots` problems of the same source. With
    `own` the steps are those that the model itself writes. Every distribution and every point of the curve comes from
    `n` endings sampled behind the steps. Other keywords go to the `ReasoningEditor`. What is wrong with an edit is said
    in the editor.

    Raises MissingSight for a model that writes no text, XllmError for an answer that is no number, for n below 2, and
    where the model writes no steps of its own.
    """
    from xllm_widgets.widgets.reasoning_editor import ReasoningEditor

    if "text" not in lm.sights:
        raise MissingSight(f"{lm.name} writes no text; use a bundled model.")
    if n < 2:
        raise XllmError("A distribution needs at least two endings; raise n.")
    asked, before = _chosen(lm, problem, demonstrations, data=data, steps=steps, shots=shots, seed=seed)
    if asked.number is None:
        raise XllmError(f"The answer {asked.answer!r} is no number, so replies cannot be compared with it.")
    if own:
        asked = with_own_steps(lm, asked, before)
    view = ReasoningEditor(asked.question, asked.steps, shown(asked.number), **editor)
    view.falsifier = _falsified
    view.on_ask(Timed(StepAnswers(lm, before, n=n, temperature=temperature, seed=seed)))
    return view


def with_own_steps(lm: Any, problem: Solution, demonstrations: Sequence[Solution] = ()) -> Solution:
    """The problem with the steps of the model's likeliest reply; its right answer stays.

    Raises XllmError where the reply has no steps.
    """
    (reply,) = write(lm, [render(demonstrations, problem.question)])
    steps = read_reply(problem.question, reply).steps
    if not steps:
        raise XllmError(f"{lm.name} answers this question without any step; leave `own` out to see given ones.")
    return replace(problem, steps=steps)


class StepAnswers:
    """Answers what the editor asks: `answers(editor, request, stage, part)`; a superseded request is not computed."""

    def __init__(
        self, lm: Any, demonstrations: Sequence[Solution] = (), *, n: int = 20, temperature: float = 1.0, seed: int = 0
    ) -> None:
        self.lm, self.demonstrations = Remembering(lm), tuple(demonstrations)
        self.how: dict[str, Any] = {"n": n, "temperature": temperature, "seed": seed}
        self.no_number = speech("lab")("no_number")  # how the view writes that an ending gives none

    def __call__(self, editor: ReasoningEditor, request: int, stage: str, part: int = 0) -> None:
        """One stage of one request; raises XllmError, in one sentence, for steps that cannot be continued."""
        with getattr(self.lm, "lock", None) or nullcontext():
            if request != editor.request:
                return
            solution = Solution(editor.question, editor.texts, editor.answer)
            if stage == "answers":
                self._distribution(editor, request, solution)
            else:
                self._curve(editor, request, solution, part)

    def _distribution(self, editor: ReasoningEditor, request: int, solution: Solution) -> None:
        now, before = (
            answers_after(self.lm, one, demonstrations=self.demonstrations, **self.how)
            for one in (solution, replace(solution, steps=editor.given))
        )
        now, before = (table.replace({"answer": {NONE: self.no_number}}) for table in (now, before))
        answers = list(dict.fromkeys([editor.answer, *now["answer"], *before["answer"]]))
        at_once = self.at_once(solution, answers)
        editor.answer_distribution(request, _rows(now, answers), _rows(before), n=self.how["n"], at_once=at_once)

    def at_once(self, solution: Solution, answers: Sequence[str]) -> dict[str, float]:
        """p(answer) of each right behind these steps and "The answer is"; empty for a model that shows no log p."""
        asked = [answer for answer in answers if answer != self.no_number]
        if "logprobs" not in self.lm.sights:
            return {}
        values = answer_logprobs(self.lm, solution, asked, demonstrations=self.demonstrations)
        return dict(zip(asked, np.exp(values).tolist(), strict=True))

    def _curve(self, editor: ReasoningEditor, request: int, solution: Solution, part: int) -> None:
        """One more point: first the one behind all steps, whose endings the distribution has sampled already."""
        order = [len(solution.steps), *range(len(solution.steps))][: part + 1]
        points = [self._point(solution, kept) for kept in order]
        done = part >= len(solution.steps)
        which = self._decisive(solution) if done and solution.steps else None
        editor.answer_curve(request, points, n=self.how["n"], done=done, decisive=which)

    def _point(self, solution: Solution, kept: int) -> dict[str, float]:
        prompt = render_steps(self.demonstrations, truncate(solution, kept))
        replies = sample(self.lm, prompt, max_new_tokens=WORKED, **self.how)
        hits = sum(said(reply) == solution.number for reply in replies)
        share = statistics.wilson(hits, len(replies))
        return {"kept": kept, "share": share.estimate, "low": share.low, "high": share.high}

    def _decisive(self, solution: Solution) -> int | None:
        """Nothing is sampled here: every ending of the curve is remembered."""
        told: dict[str, Any] = {"answer": solution.number, "demonstrations": self.demonstrations, **self.how}
        return step_curve(self.lm, solution.question, solution.steps, **told).decisive


class Remembering:
    """A model that does not write the same endings twice: steps before an edit keep theirs, and undoing is free."""

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._endings: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lm, name)

    def generate(self, prompts: Sequence[str], **how: Any) -> list[Any]:
        """As the model's own; the oldest prompts are forgotten first."""
        keys = [(prompt, *sorted(how.items())) for prompt in prompts]
        for key, prompt in zip(keys, prompts, strict=True):
            if key not in self._endings:
                (self._endings[key],) = self._lm.generate([prompt], **how)
        found = [self._endings[key] for key in keys]
        for key in list(self._endings)[: max(0, len(self._endings) - MOST_REMEMBERED)]:
            del self._endings[key]
        return found


def _chosen(
    lm: Any, problem: Any, demonstrations: Any, *, data: Any, steps: int, shots: int, seed: int
) -> tuple[Solution, list[Solution]]:
    """The problem asked and the demonstrations before it."""
    if problem is not None and demonstrations is not None:
        return _solution(problem), [_solution(one) for one in demonstrations]
    source = load_problems(lm, data, steps=None if problem is not None else steps, trials=1, seed=seed)
    asked = source.test[0] if problem is None else _solution(problem)
    if demonstrations is not None:
        return asked, [_solution(one) for one in demonstrations]
    return asked, source.draw(shots, asked, np.random.default_rng(seed))


def _solution(problem: Solution | Mapping[str, Any]) -> Solution:
    return problem if isinstance(problem, Solution) else Solution.from_dict(dict(problem))


def _falsified(text: str) -> str:
    return falsify(Solution("?", (text,), "0"), 0).steps[0]


def _rows(table: pd.DataFrame, answers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The table as plain rows, and one with its interval for each of `answers` that no ending gave."""
    found = [dict(row) for row in table[["answer", "share", "low", "high"]].to_dict("records")]
    none = statistics.wilson(0, int(table["count"].sum()))
    missing = [answer for answer in answers if answer not in set(table["answer"])]
    return found + [{"answer": answer, "share": 0.0, "low": none.low, "high": none.high} for answer in missing]
