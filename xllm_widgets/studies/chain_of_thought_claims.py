"""What chapter 02 claims, and the numbers that decide it. Every threshold was fixed before any model was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.studies import statistics
from xllm_widgets.studies.counterfactual_demonstrations import ORIGINAL
from xllm_widgets.studies.evidence import Claim, judge
from xllm_widgets.studies.paired import paired_difference, size_of, weighted_difference
from xllm_widgets.studies.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd

SECTION = "4.1.2"
WU = "Wu et al., 2023a"
MADAAN = "Madaan & Yazdanbakhsh, 2022"
WANG = "Wang et al., 2022a"
WEI = "Wei et al., 2022"

BY_STEPS, AT_ONE_STEP = 0.30, 0.10  # worked minus direct: at least at three steps, less than at one
STEADIER = 0.60  # share of questions whose saliency varies less with steps
HARDLY, MATTERS = 0.05, 0.20  # a change that hardly matters, and one that does, in shares of right answers
KEEPS = 0.80  # what invalid steps keep of the accuracy of valid ones
USES = 0.05  # what demonstrations must add for anything to be learnt from changing them


class Judge:
    """The claims of one study on one model, each judged by the one rule (`evidence.judge`)."""

    def __init__(self, study: str, model: str, paper: str, seeds: int) -> None:
        self.study, self.model, self.paper, self.seeds = study, model, paper, seeds
        self.claims: list[Claim] = []

    def add(self, statement: str, interval: Interval, threshold: float, *, null: float, control: float | None,
            kind: str = "at least") -> None:  # fmt: skip
        """One more claim, with the verdict that `evidence.judge` gives it."""
        estimate, low, high, n = interval
        verdict = judge(estimate, low, high, threshold=threshold, null=null, control=control, claim=kind)
        self.claims.append(
            Claim(self.study, SECTION, self.paper, self.model, statement, estimate, low, high, n, self.seeds, threshold,
                  control, verdict, null, kind)
        )  # fmt: skip


def hits(table: pd.DataFrame) -> np.ndarray:
    """(items, draws), 1 where the answer was right; items in their order."""
    return table.pivot(index="item", columns="draw", values="correct").sort_index().to_numpy(dtype=float)


def share(table: pd.DataFrame) -> Interval:
    """The share of right answers with its interval over items and draws."""
    return statistics.proportion(hits(table))


def change(first: pd.DataFrame, second: pd.DataFrame) -> Interval:
    """Share of right answers in the second minus that in the first table, over the items that both have."""
    common = sorted(set(first["item"]) & set(second["item"]))
    a, b = (hits(table[table["item"].isin(common)]) for table in (first, second))
    draws = min(a.shape[1], b.shape[1])
    return paired_difference(a[:, :draws], b[:, :draws])


# --- Worked and direct answers ---------------------------------------------------------------------------------------


def worked_claims(model: str, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """Working gains much at three steps and little at one; its control is as many steps that say nothing."""
    verdicts = Judge("worked_answers", model, WEI, int(table["draw"].nunique()))
    direct, worked = (table[table["way"] == way] for way in ("direct", "worked"))
    gain = {k: change(direct[direct["steps"] == k], worked[worked["steps"] == k]) for k in set(table["steps"])}
    if 3 in gain:
        empty = change(direct[direct["steps"] == 3], control[control["steps"] == 3]).estimate
        verdicts.add("At three steps, worked answers beat direct ones by at least 30 points",
                     gain[3], BY_STEPS, null=0.0, control=empty)  # fmt: skip
    if 1 in gain:
        at_three = gain[3].estimate if 3 in gain else None
        verdicts.add("At one step, worked answers beat direct ones by less than 10 points",
                     gain[1], AT_ONE_STEP, null=BY_STEPS, control=at_three, kind="at most")  # fmt: skip
    return verdicts.claims


# --- Saliency --------------------------------------------------------------------------------------------------------


def by_item(table: pd.DataFrame, arm: str, column: str) -> pd.Series:
    """Mean of `column` over the numbers and paraphrases of each item under one arm."""
    return table[table["arm"] == arm].groupby("item")[column].mean()


def variation(table: pd.DataFrame, arm: str) -> pd.Series:
    """Item → how much a number's share of the saliency varies over paraphrases: sd / mean, mean over numbers."""
    shares = table[table["arm"] == arm].groupby(["item", "number"])["share"]
    coefficient = shares.std(ddof=1) / shares.mean()
    return coefficient[shares.count() > 1].groupby("item").mean().dropna()


def saliency_claims(model: str, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """With steps the saliency of the question's numbers is no larger, but steadier; control: dummy steps."""
    verdicts = Judge("cot_saliency", model, WU, 1)

    def rise(column: str, first: str = "direct", second: str = "worked") -> np.ndarray:
        both = {"direct": table, "worked": table, "dummy": control}
        return _aligned(by_item(both[second], second, column), by_item(both[first], first, column))

    for column, unit in (("nats", "in nats"), ("share", "as a share of all attribution")):
        verdicts.add(
            f"Steps do not raise the saliency of the question's numbers, {unit}",
            statistics.bootstrap_mean(rise(column)), 0.0, null=0.0, control=float(rise(column, second="dummy").mean()),
            kind="at most",
        )  # fmt: skip
    direct, worked, dummy = variation(table, "direct"), variation(table, "worked"), variation(control, "dummy")
    calmer, calmer_by_dummy = _aligned(direct, worked), _aligned(direct, dummy)
    if len(calmer):
        verdicts.add(
            "With steps, saliency varies less over paraphrases in at least 60 % of the questions",
            statistics.proportion(calmer > 0), STEADIER, null=0.5, control=_mean(calmer_by_dummy > 0),
        )  # fmt: skip
        verdicts.add(
            "With steps, saliency varies less over paraphrases (fall of the coefficient of variation)",
            statistics.bootstrap_mean(calmer), 0.0, null=0.0, control=_mean(calmer_by_dummy),
        )  # fmt: skip
    return verdicts.claims


def _aligned(first: pd.Series, second: pd.Series) -> np.ndarray:
    """first - second over the items that both have."""
    return (first - second).dropna().to_numpy(dtype=float)


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


# --- Counterfactual prompts ------------------------------------------------------------------------------------------


def cell(table: pd.DataFrame, symbols: str, patterns: str, text: str) -> pd.DataFrame:
    """The rows of one cell of the grid."""
    here = (table["symbols"] == symbols) & (table["patterns"] == patterns) & (table["text"] == text)
    return table[here]


def counterfactual_claims(model: str, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """Symbols and the truth of patterns hardly matter, patterns and text do; control: no demonstrations at all."""
    verdicts = Judge("counterfactual_prompts", model, MADAAN, int(table["draw"].nunique()))
    original = cell(table, *ORIGINAL)
    without = change(control, original)
    add_use(verdicts, without)
    lost_without = without.estimate
    for one, words in ((("letters", "true", "kept"), "Letters instead of numbers"),
                       (("digits", "false", "kept"), "False equations")):  # fmt: skip
        here = cell(table, *one)
        if len(here):
            moved = change(here, original)
            verdicts.add(
                f"{words} in the demonstrations hardly matter (at most 5 points either way, {_p(original, here)})",
                size_of(moved), HARDLY, null=MATTERS, control=abs(lost_without), kind="at most",
            )  # fmt: skip
    harmless = cell(table, "letters", "true", "kept")
    control_drop = change(harmless, original).estimate if len(harmless) else None
    for one, words, needed in ((("digits", "none", "kept"), "Removing the patterns", MATTERS),
                               (("digits", "true", "shuffled"), "Shuffling the text", HARDLY)):  # fmt: skip
        here = cell(table, *one)
        if len(here):
            statement = f"{words} costs at least {100 * needed:.0f} points ({_p(original, here)})"
            verdicts.add(statement, change(here, original), needed, null=0.0, control=control_drop)
    return verdicts.claims


def add_use(verdicts: Judge, gain: Interval) -> None:
    """Whether demonstrations are used at all: without that, arms that change them must tie."""
    statement = "The demonstrations are used: they add at least 5 points to none at all"
    verdicts.add(statement, gain, USES, null=0.0, control=0.0)


def _p(first: pd.DataFrame, second: pd.DataFrame) -> str:
    a, b = (table.groupby("item")["correct"].first().sort_index() for table in (first, second))
    return f"McNemar p = {statistics.mcnemar(a.to_numpy(), b.to_numpy()):.2g}"


# --- Faulty reasoning ------------------------------------------------------------------------------------------------


def faulty_claims(
    model: str, table: pd.DataFrame, control: pd.DataFrame, study: str = "faulty_reasoning"
) -> list[Claim]:
    """valid ≥ invalid > incoherent > irrelevant; control: no demonstrations, where all of these are one."""
    verdicts = Judge(study, model, WANG, int(table["draw"].nunique()))
    shown = dict(iter(table.groupby("steps shown")))
    valid = hits(shown["valid"])
    add_use(verdicts, change(control, shown["valid"]))
    without = KEEPS * share(shown["valid"]).estimate
    kept = weighted_difference(KEEPS, valid, hits(shown["invalid"]))
    verdicts.add("Invalid steps keep at least 80 % of what valid ones reach (accuracy − 0.8 × that of valid steps)",
                 kept, 0.0, null=0.0, control=share(control).estimate - without)  # fmt: skip
    for better, worse in (("invalid", "incoherent"), ("incoherent", "irrelevant")):
        verdicts.add(f"{better.capitalize()} steps are better than {worse} ones",
                     change(shown[worse], shown[better]), 0.0, null=0.0, control=0.0)  # fmt: skip
    direct = shown["direct"]
    verdicts.add("Irrelevant steps are no better than none (answered at once)", change(direct, shown["irrelevant"]),
                 0.0, null=0.0, control=change(direct, control).estimate, kind="at most")  # fmt: skip
    return verdicts.claims


def not_in_context(claims: list[Claim]) -> list[str]:
    """A note where the demonstrations add nothing; then ties between arms say nothing about reasoning."""
    if claims and claims[0].verdict != "shown":
        return ["not in-context: demonstrations add nothing here beyond doubt; where arms tie, the tie shows nothing"]
    return []
