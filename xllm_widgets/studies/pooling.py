"""The evidence of many runs of one study made into one: tables one under another, each claim pooled over the seeds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim, Evidence, judge

if TYPE_CHECKING:
    import pandas as pd

_BRACKET = re.compile(r"\s*\([^()]*\)")  # where a claim's sentence tells numbers of its own


@dataclass(frozen=True)
class Run:
    """One run of the study: on which model, with which seed, with which of the settings that vary between runs."""

    model: str
    seed: int | None
    settings: Mapping[str, Any]
    evidence: Evidence

    @property
    def about(self) -> dict[str, Any]:
        """What tells this run's rows from those of the others, column by column."""
        columns = {"model": self.model, "parameters": self.evidence.provenance.get("parameters")}
        seed = {} if self.seed is None else {"seed": self.seed}
        varied = {name: v if isinstance(v, str | int | float) else str(v) for name, v in self.settings.items()}
        return columns | seed | varied


def merge(runs: Sequence[Run]) -> Evidence:
    """All runs as one evidence; `control` like `table`, with columns model, parameters, seed and what else varied.

    A column of the study's own that has one of these names keeps its place as `its_model`, `its_seed` and so on.
    Claims: one for each model and setting, pooled over the seeds (`pooled`); with one seed they are the run's own.
    """
    first = runs[0].evidence
    return replace(
        first,
        table=_tables(runs, "table"),
        control=_tables(runs, "control"),
        claims=_claims(runs),
        notes=list(dict.fromkeys(note for run in runs for note in run.evidence.notes)),
        provenance={
            "models": list({run.model: run.evidence.provenance for run in runs}.values()),
            "cells": len(runs),
        },
    )


def pooled(claims: Sequence[Claim]) -> Claim:
    """One claim from the same claim measured with several seeds: `estimate` is their mean, `seeds` their number.

    The interval takes the seeds as the sampling unit (`statistics.over_seeds`); the verdict is found afresh by `judge`.
    Where a claim's null is not known, the verdict is the one that all seeds share, or else "not shown".
    """
    if len(claims) == 1:
        return claims[0]
    first = claims[0]
    interval = statistics.over_seeds([statistics.Interval(c.estimate, c.low, c.high, c.n) for c in claims])
    if _is_share(claims):
        interval = interval._replace(low=max(0.0, interval.low), high=min(1.0, interval.high))
    threshold, control, null = (_mean([getattr(c, part) for c in claims]) for part in ("threshold", "control", "null"))
    estimate, low, high, n = interval
    if null is None or threshold is None:
        verdict = first.verdict if len({c.verdict for c in claims}) == 1 else "not shown"
    else:
        verdict = judge(estimate, low, high, threshold=threshold, null=null, control=control, claim=first.kind)
    return replace(
        first, statement=_common([c.statement for c in claims]), estimate=estimate, low=low, high=high, n=n,
        seeds=len(claims), threshold=first.threshold if threshold is None else threshold, control=control,
        verdict=verdict, null=null,
    )  # fmt: skip


def _claims(runs: Sequence[Run]) -> list[Claim]:
    """Same model, same settings, same sentence: one claim. What varied beside the seed stands behind the sentence."""
    groups: dict[tuple, list[Claim]] = {}
    for run in runs:
        setting = ", ".join(f"{name} = {value}" for name, value in run.settings.items())
        said: Counter[str] = Counter()
        for claim in run.evidence.claims:
            sentence = _BRACKET.sub("", claim.statement)
            key = (run.model, setting, sentence, said[sentence])
            groups.setdefault(key, []).append(replace(claim, model=run.model))
            said[sentence] += 1
    merged = {key: pooled(claims) for key, claims in groups.items()}
    return [
        replace(claim, statement=f"{claim.statement} [{setting}]") if setting else claim
        for (_, setting, *_), claim in merged.items()
    ]


def _tables(runs: Sequence[Run], part: str) -> pd.DataFrame:
    import pandas as pd

    tables = []
    for run in runs:
        table: pd.DataFrame = getattr(run.evidence, part)
        empty = [name for name in table.columns if table[name].isna().all()]  # numbers, although JSON cannot tell
        table = table.astype(dict.fromkeys(empty, float))
        table = table.rename(columns={name: f"its_{name}" for name in run.about if name in table.columns})
        tables.append(table.assign(**run.about))
    return pd.concat(tables, ignore_index=True)


def _is_share(claims: Sequence[Claim]) -> bool:
    """Whether this is measured on the scale from 0 to 1: chance lies between its ends, no interval passes them."""
    return all(c.null is not None and 0 < c.null < 1 and c.low >= 0 and c.high <= 1 for c in claims)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _common(statements: Sequence[str]) -> str:
    """The sentence that all seeds share: without the brackets that hold one seed's own numbers."""
    sentence = statements[0]
    for bracket in _BRACKET.findall(sentence):
        if not all(bracket in other for other in statements):
            sentence = sentence.replace(bracket, "", 1)
    return sentence
