"""How the studies of chapter 02 put their questions: every arm meets the same questions and the same demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.studies import counterfactual_demonstrations as changes
from xllm_widgets.studies.equations import equations
from xllm_widgets.studies.problems import Problems
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.replies import DIRECT, WORKED, said, shown, write
from xllm_widgets.studies.solutions import Solution, render, render_steps

if TYPE_CHECKING:
    import pandas as pd

PROMPTS_A_PART = 64  # a stop is heeded between parts

Arm = tuple[dict[str, Any], str, bool]
"""What a row of the table says of the arm, its prompt, and whether that prompt goes on to "The answer is"."""
Arms = Callable[[Solution, Sequence[Solution], np.random.Generator], Iterable[Arm]]


def ask(
    lm: Any, problems: Sequence[Problems], arms: Arms, *, shots: int, draws: int, seed: int, each: int,
    fewest_steps: int = 1, asked: Sequence[int] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Every question under every arm: item, draw, steps, the arm's own columns, gold, said, correct, f1.

    `arms(question, demonstrations, rng)` gives the arms' prompts, `each` of them; f1 compares the results of the
    equations written with those of the true steps. With `asked` only these items are asked, even after a stop.
    """
    import pandas as pd

    items = [(p, s) for p in problems for s in p.test]
    wanted = [i for i in range(len(items)) if asked is None or i in set(asked)]

    def work(part: Sequence[int]) -> pd.DataFrame:
        rows, prompts, concluding = [], [], []
        for i in part:
            source, solution = items[i]
            for draw in range(draws):
                shown_ones = source.draw(
                    shots, solution, np.random.default_rng((seed, draw, i)), fewest_steps=fewest_steps
                )
                for about, prompt, concludes in arms(solution, shown_ones, np.random.default_rng((seed, draw, i, 1))):
                    rows.append({"item": i, "draw": draw, "steps": len(solution.steps), **about})
                    prompts.append(prompt)
                    concluding.append(concludes)
        return pd.DataFrame(_answered(lm, rows, prompts, concluding, [s for _, s in items]))

    size = max(1, PROMPTS_A_PART // (each * draws))
    parts = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    return pd.concat(work_through(parts, work, completes=asked is not None), ignore_index=True)


def _answered(
    lm: Any, rows: list[dict], prompts: list[str], concluding: list[bool], items: Sequence[Solution]
) -> list[dict]:
    """The rows with what the model said; answers alone and worked ones are written in two batches."""
    replies = [""] * len(rows)
    for kind, tokens in ((True, DIRECT), (False, WORKED)):
        places = [i for i, concludes in enumerate(concluding) if concludes == kind]
        for i, reply in zip(places, write(lm, [prompts[i] for i in places], tokens) if places else [], strict=True):
            replies[i] = reply
    for row, reply, concludes in zip(rows, replies, concluding, strict=True):
        solution = items[row["item"]]
        answer = said(reply, concluding=concludes)
        row |= {"gold": shown(solution.number), "said": shown(answer),
                "correct": answer is not None and answer == solution.number,
                "f1": float("nan") if concludes else results_f1(reply, solution)}  # fmt: skip
    return rows


def results_f1(reply: str, solution: Solution) -> float:
    """F1 of the numbers that the reply's equations come to, against those of the true steps (Wang et al.'s Inter-F1).

    Not a number where the true steps have no equation.
    """
    gold = {e.c for step in solution.steps for e in equations(step)}
    found = {e.c for e in equations(reply)}
    if not gold:
        return float("nan")
    common = len(gold & found)
    return 2 * common / (len(gold) + len(found))


# --- The arms of each study ------------------------------------------------------------------------------------------


def ways(solution: Solution, shown_ones: Sequence[Solution], rng: np.random.Generator) -> Iterator[Arm]:
    """Answered at once, and worked, with the same demonstrations told in that way."""
    yield {"way": "direct"}, render(shown_ones, solution.question, "direct"), True
    yield {"way": "worked"}, render(shown_ones, solution.question, "worked"), False


def dummy(solution: Solution, shown_ones: Sequence[Solution], rng: np.random.Generator) -> Iterator[Arm]:
    """Answered behind steps of the same length that say nothing."""
    yield {"way": "dummy"}, render_steps(shown_ones, changes.dummy_steps(solution), concluding=True), True


def grid(symbols: Sequence[str], patterns: Sequence[str], texts: Sequence[str]) -> Arms:
    """The demonstrations under every combination of changed symbols, patterns and text; the question stays."""

    def arms(solution: Solution, shown_ones: Sequence[Solution], rng: np.random.Generator) -> Iterator[Arm]:
        seed = int(rng.integers(2**31))
        for cell in ((s, p, t) for s in symbols for p in patterns for t in texts):
            here = np.random.default_rng(seed)  # the same shuffle in every cell: cells differ in one thing at a time
            changed = [changes.counterfactual(d, *cell, here) for d in shown_ones]
            yield (
                dict(zip(("symbols", "patterns", "text"), cell, strict=True)),
                render(changed, solution.question),
                False,
            )

    return arms


def without_demonstrations(column: str) -> Arms:
    """The null of every arm that changes demonstrations: the question alone, so named in `column`."""

    def arms(solution: Solution, shown_ones: Sequence[Solution], rng: np.random.Generator) -> Iterator[Arm]:
        yield {column: "no demonstrations"}, render([], solution.question), False

    return arms


def faults(pool: Sequence[Solution]) -> Arms:
    """Demonstrations whose steps are valid, invalid, incoherent, irrelevant, or not shown at all ("direct")."""

    def arms(solution: Solution, shown_ones: Sequence[Solution], rng: np.random.Generator) -> Iterator[Arm]:
        for fault in changes.FAULTS:
            faulty = [changes.with_fault(d, fault, pool, rng) for d in shown_ones]
            yield {"steps shown": fault}, render(faulty, solution.question), False
        yield {"steps shown": "direct"}, render(shown_ones, solution.question, "direct"), True

    return arms
