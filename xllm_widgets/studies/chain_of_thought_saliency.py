"""How salient the numbers of a question are for its answer: with steps in between, without, and with dummy steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.studies.counterfactual_demonstrations import dummy_steps
from xllm_widgets.studies.equations import NUMBER, equations
from xllm_widgets.studies.problems import Problems
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.solutions import Solution, render, render_steps

if TYPE_CHECKING:
    import pandas as pd

ARMS = ("direct", "worked", "dummy")


def saliency_table(
    lm: Any, problems: Problems, arms: Sequence[str], *, method: str, paraphrases: int, shots: int, seed: int,
    asked: Sequence[int] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Saliency of each number that the working uses: item, paraphrase, arm, number, nats, share, logp.

    nats: mean |score| of the number's tokens; share: their sum as a share of all attribution in the prompt; logp: log
    p(answer), nats. The answer is explained at the same place in every arm, behind "The answer is".
    """
    import pandas as pd

    def work(i: int) -> pd.DataFrame:
        solution = problems.test[i]
        demonstrations = problems.draw(shots, solution, np.random.default_rng((seed, 0, i)))
        rows = []
        for number, question in enumerate([solution.question, *solution.paraphrases[: paraphrases - 1]]):
            for arm in arms:
                told = number_saliency(lm, arm, replace(solution, question=question), demonstrations, method)
                rows += [{"item": i, "paraphrase": number, "arm": arm, **row} for row in told]
        return pd.DataFrame(rows)

    wanted = range(len(problems.test)) if asked is None else asked
    return pd.concat(work_through(list(wanted), work, completes=asked is not None), ignore_index=True)


def number_saliency(
    lm: Any, arm: str, solution: Solution, demonstrations: Sequence[Solution], method: str
) -> list[dict[str, Any]]:
    """One prompt's rows: number, nats, share, logp. A number that stands twice in the question counts once."""
    prompt = prompt_of(arm, solution, demonstrations)
    attribution = lm.attribute(prompt, f" {solution.answer}", method=method)
    scores = np.abs(np.asarray(attribution.scores)[0])
    total = float(scores[~np.asarray(attribution.tokens.special, dtype=bool)].sum()) or 1.0
    places: dict[str, list[int]] = {}
    for number, start, end in number_spans(prompt, solution):
        places.setdefault(number, []).extend(range(*attribution.tokens.covering(start, end)))
    return [
        {"number": number, "nats": float(scores[tokens].mean()), "share": float(scores[tokens].sum() / total),
         "logp": float(attribution.values[0])}
        for number, tokens in places.items()
    ]  # fmt: skip


def prompt_of(arm: str, solution: Solution, demonstrations: Sequence[Solution]) -> str:
    """The prompt up to "The answer is": "direct", behind the true steps ("worked"), or behind dummies as long."""
    if arm == "direct":
        return render(demonstrations, solution.question, "direct")
    steps = solution if arm == "worked" else dummy_steps(solution)
    return render_steps(demonstrations, steps, concluding=True)


def number_spans(prompt: str, solution: Solution) -> list[tuple[str, int, int]]:
    """(number, start, end) of the question's numbers that the working needs; all of them where no step has any."""
    used = {n for step in solution.steps for e in equations(step) for n in (e.a, e.b)}
    start = prompt.rindex(solution.question)
    found = [(m.group(), start + m.start(), start + m.end()) for m in re.finditer(NUMBER, solution.question)]
    return [one for one in found if one[0] in used] or found
