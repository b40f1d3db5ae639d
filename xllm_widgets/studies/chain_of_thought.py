"""Chapter 02, chain of thought: do written steps help, what in them helps, and does the answer rest on them?

Survey section 4.1.2: Wu et al. (2023a, arXiv 2307.13339), Madaan & Yazdanbakhsh (2022, arXiv 2209.07686) and Wang et
al. (2022a, arXiv 2212.10001), beside the plain comparison of Wei et al. (2022, arXiv 2201.11903). Models of 10^6
parameters show the mechanism under a known education, not the size at which it emerges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import chain_of_thought_claims as claims_of
from xllm_widgets.studies import counterfactual_demonstrations as changes
from xllm_widgets.studies.answers import extract_answer
from xllm_widgets.studies.chain_of_thought_asking import ask, dummy, faults, grid, ways, without_demonstrations
from xllm_widgets.studies.chain_of_thought_saliency import saliency_table
from xllm_widgets.studies.controls import randomised
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.studies.problems import load_by_steps, load_problems
from xllm_widgets.studies.registry import Between, find, study
from xllm_widgets.studies.solutions import Solution
from xllm_widgets.studies.step_curves import step_curve

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Solution", "cot_saliency", "counterfactual_prompts", "extract_answer", "faulty_reasoning", "step_curve",
    "worked_answers",
]  # fmt: skip

SECTION = claims_of.SECTION
Method = Literal["gradient_x_input", "gradient_norm", "integrated_gradients", "occlusion", "resampling_ablation"]


@study(
    section=SECTION,
    paper=claims_of.WEI,
    question="Do steps written before the answer help, and how does that depend on how many are needed?",
    needs={"text"},
)
def worked_answers(
    lm,
    *,
    steps: Sequence[int] = (1, 2, 3, 4),
    shots: Annotated[int, Between(0, 8)] = 1,
    trials: Annotated[int, Between(10, 500, 10)] = 100,
    draws: Annotated[int, Between(1, 5)] = 1,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy of direct and of worked answers by the number of steps a problem takes (Wei et al., 2022).

    `trials` problems for each number in `steps` are asked twice, with the same `shots` demonstrations told directly and
    worked. `table`: item, draw, steps, way, gold, said, correct, f1 (of the equations' results). `control`: answered
    behind steps of the same length with every digit 0, so that only the length is left.
    `data`: see `problems.load_problems`.

    Raises XllmError where there are no such problems, PromptError where demonstrations exceed the context.
    """
    problems, notes = load_by_steps(lm, data, _counts(steps), trials=trials, seed=seed)
    knobs: dict[str, Any] = {"shots": shots, "draws": draws, "seed": seed}
    table = ask(lm, problems, ways, each=2, **knobs)
    control = ask(lm, problems, dummy, each=1, asked=_asked(table), **knobs)
    return _evidence("worked_answers", table, control, claims_of.worked_claims(lm.name, table, control), notes)


@study(
    section=SECTION,
    paper=claims_of.WU,
    question="Do written steps change how much the answer rests on the question's numbers, and how steadily?",
    needs={"logprobs", "activations", "gradients"},
)
def cot_saliency(
    lm,
    *,
    method: Method = "gradient_x_input",
    steps: Sequence[int] = (2, 3),
    paraphrases: Annotated[int, Between(2, 8)] = 5,
    shots: Annotated[int, Between(0, 8)] = 1,
    trials: Annotated[int, Between(10, 200, 10)] = 40,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Saliency of the question's numbers with and without steps, over paraphrases of the question (Wu et al., 2023a).

    Explained is log p(right answer) behind "The answer is", by `method`; the steps are the true ones, written into the
    prompt, so that arms differ in them alone. `table`: item, paraphrase, arm (direct, worked), number, nats (mean
    |score| of its tokens), share (of all attribution in the prompt), logp. `control`: arm "dummy" (steps of the same
    length with every digit 0), and "direct" and "worked" on random weights as "untaught direct", "untaught worked".

    Raises PromptError where demonstrations exceed the context.
    """
    problems = load_problems(lm, data, steps=_counts(steps), trials=trials, seed=seed)
    knobs: dict[str, Any] = {"method": method, "paraphrases": paraphrases, "shots": shots, "seed": seed}
    table = saliency_table(lm, problems, ("direct", "worked"), **knobs)
    asked = _asked(table)
    control = saliency_table(lm, problems, ("dummy",), asked=asked, **knobs)
    few = asked[: max(5, len(asked) // 5)]
    untaught = saliency_table(randomised(lm, seed), problems, ("direct", "worked"), asked=few, **knobs)
    untaught["arm"] = "untaught " + untaught["arm"]
    evidence = _evidence("cot_saliency", table, _below(control, untaught),
                         claims_of.saliency_claims(lm.name, table, control))  # fmt: skip
    if not len(claims_of.variation(table, "worked")):
        evidence.notes.append("no paraphrases: give the table a column `paraphrases` to see how steady saliency is")
    return evidence


@study(
    section=SECTION,
    paper=claims_of.MADAAN,
    question="What in worked demonstrations guides the answer: their symbols, their patterns or their text?",
    needs={"text"},
)
def counterfactual_prompts(
    lm,
    *,
    symbols: Sequence[str] = changes.SYMBOLS,
    patterns: Sequence[str] = changes.PATTERNS,
    text: Sequence[str] = changes.TEXTS,
    steps: Sequence[int] = (2, 3),
    shots: Annotated[int, Between(1, 8)] = 2,
    trials: Annotated[int, Between(10, 200, 10)] = 50,
    draws: Annotated[int, Between(1, 5)] = 1,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy under every combination of changed symbols, patterns and text (Madaan & Yazdanbakhsh, 2022).

    The demonstrations change, the question does not. symbols: "digits" or "letters"; patterns: "true", "false" or
    "none" (no equations); text: "kept" or "shuffled" words. `table`: item, draw, steps, symbols, patterns, text, gold,
    said, correct, f1. `control`: no demonstrations at all.

    The bundled models have read about 6 % of their problems in letters: symbols are rare to them, not unheard of.
    """
    chosen = [
        _known(name, given, all_)
        for name, given, all_ in (("symbols", symbols, changes.SYMBOLS), ("patterns", patterns, changes.PATTERNS),
                                  ("text", text, changes.TEXTS))
    ]  # fmt: skip
    problems = [load_problems(lm, data, steps=_counts(steps), trials=trials, seed=seed)]
    knobs: dict[str, Any] = {"shots": shots, "draws": draws, "seed": seed}
    cells = len(chosen[0]) * len(chosen[1]) * len(chosen[2])
    table = ask(lm, problems, grid(*chosen), each=cells, **knobs)
    control = ask(lm, problems, without_demonstrations("symbols"), each=1, asked=_asked(table), **knobs)
    found = claims_of.counterfactual_claims(lm.name, table, control)
    return _evidence("counterfactual_prompts", table, control, found, claims_of.not_in_context(found))


@study(
    section=SECTION,
    paper=claims_of.WANG,
    question="Must the steps in the demonstrations be right, or is it enough that they look like steps?",
    needs={"text"},
)
def faulty_reasoning(
    lm,
    *,
    steps: Sequence[int] = (2, 3),
    shots: Annotated[int, Between(1, 8)] = 2,
    trials: Annotated[int, Between(10, 500, 10)] = 60,
    draws: Annotated[int, Between(1, 5)] = 1,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy with valid, invalid, incoherent and irrelevant steps in the demonstrations (Wang et al., 2022a).

    Only the steps of the demonstrations change; their questions and answers, and the question asked, stay. `table`:
    item, draw, steps, steps shown (valid, invalid, incoherent, irrelevant, direct), gold, said, correct, f1 (of the
    results written, against the true steps'). `control`: no demonstrations at all.
    """
    problems = [load_problems(lm, data, steps=_counts(steps), trials=trials, seed=seed)]
    knobs: dict[str, Any] = {"shots": shots, "draws": draws, "seed": seed}
    table = ask(lm, problems, faults(problems[0].pool), each=5, fewest_steps=2, **knobs)
    control = ask(lm, problems, without_demonstrations("steps shown"), each=1, asked=_asked(table), **knobs)
    found = claims_of.faulty_claims(lm.name, table, control)
    return _evidence("faulty_reasoning", table, control, found, claims_of.not_in_context(found))


def _counts(steps: Sequence[int]) -> tuple[int, ...]:
    """Numbers of steps, each once, rising. Raises XllmError for none, or for anything but whole numbers from 1."""
    counts = sorted({int(k) for k in steps})
    if not counts or counts[0] < 1 or any(k != int(k) for k in steps):
        raise XllmError("The numbers of steps must be whole and 1 or more, such as (1, 2, 3).")
    return tuple(counts)


def _known(name: str, given: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    if not chosen or not set(chosen) <= set(allowed) or allowed[0] not in chosen:
        raise XllmError(f"{name} must be some of {', '.join(allowed)}, {allowed[0]!r} among them.")
    return chosen


def _asked(table: pd.DataFrame) -> list[int]:
    return sorted(int(i) for i in table["item"].unique())


def _below(*tables: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _evidence(
    name: str, table: pd.DataFrame, control: pd.DataFrame, claims: list[Claim], notes: Sequence[str] = ()
) -> Evidence:
    info = find(name)
    return Evidence(name, info.section, info.paper, info.question, table, claims, control, notes=list(notes))
