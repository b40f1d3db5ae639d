"""Faulty steps taught instead of shown: for a model that does not heed its demonstrations, the lesson goes in deeper.

Copies of one model are tuned on the same questions and answers, whose steps are valid, invalid, incoherent, irrelevant,
or missing (Wang et al., 2022a, arXiv 2212.10001, changed the demonstrations of large models only).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.studies import chain_of_thought_claims as claims_of
from xllm_widgets.studies import progress
from xllm_widgets.studies.chain_of_thought_asking import Arms, ask
from xllm_widgets.studies.counterfactual_demonstrations import FAULTS, with_fault
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.studies.problems import Problems, load_problems
from xllm_widgets.studies.registry import provenance
from xllm_widgets.studies.solutions import Solution, render

if TYPE_CHECKING:
    import pandas as pd

    from xllm_widgets.models.language_model import LanguageModel

DIRECT, UNTAUGHT = "direct", "nothing taught"
QUESTION = "Must the steps that a model is taught be right, or is it enough that they look like steps?"


def taught_reasoning(
    lm: LanguageModel,
    *,
    steps: Sequence[int] = (2, 3),
    examples: int = 200,
    epochs: float = 2,
    trials: int = 60,
    seed: int = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy after tuning copies of `lm` on `examples` problems with valid, invalid, incoherent, irrelevant or no
    steps.

    All copies learn from the same questions and answers, in the same order, for `epochs`; then all meet the same
    `trials` questions without demonstrations. `table`: item, draw, steps, steps shown (as taught), gold, said, correct,
    f1. `control`: the model as it was. The model itself is never changed. A stop between copies drops them all: without
    one of them, the others cannot be compared.

    Raises MissingSight for a model without gradients, XllmError for fewer than two examples.
    """
    if "gradients" not in lm.sights:
        raise MissingSight(f"{lm.name} shows no gradients, so it cannot be taught; load a model onto this machine.")
    if examples < 2 or epochs <= 0:
        raise XllmError("Teaching needs at least two examples and more than no epochs; raise them.")
    problems = load_problems(lm, data, steps=steps, trials=trials, seed=seed)
    lessons = _lessons(problems, examples, seed)
    table = _below([_taught(lm, problems, arm, lessons, epochs, seed) for arm in (*FAULTS, DIRECT)])
    control = _examined(lm, problems, UNTAUGHT, "worked", seed)
    knobs = {"steps": list(steps), "examples": examples, "epochs": epochs, "trials": trials, "seed": seed, "shots": 0}
    return Evidence("taught_reasoning", claims_of.SECTION, claims_of.WANG, QUESTION, table,
                    _claims(lm.name, table, control), control, knobs=knobs, provenance=provenance(lm))  # fmt: skip


def _claims(model: str, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """The order of chapter 02; that demonstrations are used is no question here."""
    return claims_of.faulty_claims(model, table, control, "taught_reasoning")[1:]


def lesson(solution: Solution, arm: str, others: Sequence[Solution], rng: np.random.Generator) -> tuple[str, str]:
    """(prompt, reply) from which a copy learns; for "direct" the prompt is the same and the reply has no steps."""
    if arm == DIRECT:
        return render([], solution.question), f" {solution.told('direct')}\n"
    return render([], solution.question), f" {with_fault(solution, arm, others, rng).told()}\n"


def _lessons(problems: Problems, examples: int, seed: int) -> list[Solution]:
    """Problems of at least two steps; those that are asked later are never taught."""
    asked = {solution.question for solution in problems.test}
    fit = [s for s in problems.pool if len(s.steps) > 1 and s.question not in asked]
    if len(fit) < 2:
        raise XllmError(f"{problems.source} leaves no problems to teach; lower trials.")
    order = np.random.default_rng((seed, 3)).permutation(len(fit))[:examples]
    return [fit[i] for i in order]


def _taught(
    lm: LanguageModel, problems: Problems, arm: str, lessons: Sequence[Solution], epochs: float, seed: int
) -> pd.DataFrame:
    from xllm_widgets.methods.tuning import tune

    watcher = progress.current()
    if watcher is not None and (watcher.stopped or watcher.should_stop()):
        raise KeyboardInterrupt
    rng = np.random.default_rng((seed, 4))
    pairs = [lesson(solution, arm, lessons, rng) for solution in lessons]
    copy = tune(lm, pairs, epochs=epochs, seed=seed).model
    return _examined(copy, problems, arm, "worked", seed)


def _examined(lm: Any, problems: Problems, arm: str, way: str, seed: int) -> pd.DataFrame:
    def alone(solution: Solution, shown: Sequence[Solution], rng: np.random.Generator):
        yield {"steps shown": arm}, render([], solution.question, way), False

    asked: Arms = alone
    everything = list(range(len(problems.test)))
    return ask(lm, [problems], asked, shots=0, draws=1, seed=seed, each=1, asked=everything)


def _below(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)
