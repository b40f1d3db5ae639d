"""Which step mattered? The working is cut off behind each step and written anew from there, many times.

The share of new endings that come to the same answer, step by step, is the curve; the step at which it rises (or falls)
most is the one that decided. What a step's words say about their own importance plays no part. Resampling from each
step: Lanham et al. (2023, arXiv 2307.13702, early answering) and Bogdan et al. (2025, arXiv 2506.19143).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import statistics
from xllm_widgets.studies.answers import Number, extract_answer
from xllm_widgets.studies.paired import difference
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.replies import DIRECT, WORKED, distribution, sample, shown
from xllm_widgets.studies.solutions import Solution, render_steps, truncate

if TYPE_CHECKING:
    import pandas as pd


UNKNOWN = statistics.Interval(float("nan"), float("nan"), float("nan"), 0)


@dataclass(frozen=True)
class StepCurve:
    """How the chance of an answer moves from step to step.

    table: one row for 0, 1, … all steps kept: kept, step (the text of the last one kept), share of n endings that give
    `answer`, low, high (Wilson, 95 %), and change from the row above with change_low, change_high, whose confidence is
    raised for looking at all steps at once.
    decisive: number of the step (from 0) with the largest change whose interval excludes 0; None where there is none.
    """

    table: pd.DataFrame
    answer: Number
    decisive: int | None

    def describe(self) -> str:
        """The curve in words."""
        n = int(self.table["n"].iloc[0])
        points = ", ".join(f"{share:.0%}" for share in self.table["share"])
        curve = f"Share of {n} new endings that give {shown(self.answer)}, from no step kept to all: {points}."
        if self.decisive is None:
            return f"{curve} No step moves it beyond doubt."
        row = self.table.set_index("kept").loc[self.decisive + 1]
        return f"{curve} Step {self.decisive + 1}, {row['step']!r}, moves it most ({row['change']:+.0%})."


def step_curve(
    lm: Any,
    question: str,
    steps: Sequence[str],
    *,
    answer: Number | None = None,
    demonstrations: Sequence[Solution] = (),
    n: int = 20,
    seed: int = 0,
    temperature: float = 1.0,
) -> StepCurve:
    """The chance of the answer after 0, 1, … all steps, each from `n` endings sampled behind them.

    answer: the number whose chance is followed; left out, what all the steps together most often lead to. The model
    needs to write text only. Watched through `progress.watch`; a stop keeps the points that are finished.

    Raises XllmError without steps, with n below 2, or where the steps lead to no number; PromptError for a text beyond
    the context.
    """
    solution = Solution(question, tuple(steps), "")
    if not steps or n < 2:
        raise XllmError("A curve needs at least one step and two endings behind each; add a step or raise n.")

    def endings(kept: int) -> list[str]:
        prompt = render_steps(demonstrations, truncate(solution, kept))
        return sample(lm, prompt, n, temperature=temperature, seed=seed)

    order = [len(steps), *range(len(steps))]  # the last first: it says which answer is followed
    found = dict(zip(order, work_through(order, endings), strict=False))
    wanted = commonest(found[len(steps)]) if answer is None else answer
    if wanted is None:
        raise XllmError("The steps lead this model to no number; name the answer to follow.")
    hits = {kept: [extract_answer(reply) == wanted for reply in replies] for kept, replies in found.items()}
    table = _curve({kept: hits[kept] for kept in sorted(hits)}, steps)
    return StepCurve(table, wanted, _decisive(table))


def answers_after(
    lm: Any,
    solution: Solution,
    *,
    demonstrations: Sequence[Solution] = (),
    concluding: bool = False,
    n: int = 20,
    seed: int = 0,
    temperature: float = 1.0,
) -> pd.DataFrame:
    """The answers the model comes to behind these very steps: answer, count, share, low, high (Wilson, 95 %).

    Its endings are free: it may add steps of its own. With `concluding` it must answer at once, behind "The answer is".
    This is what an editor of steps repaints after each edit.
    """
    prompt = render_steps(demonstrations, solution, concluding=concluding)
    tokens = DIRECT if concluding else WORKED
    return distribution(
        sample(lm, prompt, n, temperature=temperature, seed=seed, max_new_tokens=tokens), concluding=concluding
    )


def answer_logprobs(
    lm: Any, solution: Solution, answers: Sequence[Number | str], *, demonstrations: Sequence[Solution] = ()
) -> np.ndarray:
    """log p of each of `answers` right behind these steps and "The answer is", nats: exact, and fast enough for a
    picture that follows the typing. The full stop counts, so that 1 does not win as the beginning of 12."""
    prompt = render_steps(demonstrations, solution, concluding=True)
    return np.asarray(lm.logprobs([prompt], [f" {answer}." for answer in answers]))[0]


def commonest(replies: Sequence[str]) -> Number | None:
    """The answer that most replies give, the first seen of equals; None where none gives a number."""
    numbers = [number for number in map(extract_answer, replies) if number is not None]
    return max(dict.fromkeys(numbers), key=numbers.count) if numbers else None


def _curve(hits: dict[int, list[bool]], steps: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    rows, confidence = [], 1 - 0.05 / len(steps)
    for kept, here in hits.items():
        share = statistics.wilson(sum(here), len(here))
        change = difference(hits[kept - 1], here, confidence) if kept - 1 in hits else UNKNOWN
        rows.append(
            {"kept": kept, "step": steps[kept - 1] if kept else "", "n": len(here), "share": share.estimate,
             "low": share.low, "high": share.high, "change": change.estimate,
             "change_low": change.low, "change_high": change.high}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _decisive(table: pd.DataFrame) -> int | None:
    """Number of the step whose change is largest among those that are beyond doubt."""
    sure = table[(table["change_low"] > 0) | (table["change_high"] < 0)]
    return int(sure.loc[sure["change"].abs().idxmax(), "kept"]) - 1 if len(sure) else None
