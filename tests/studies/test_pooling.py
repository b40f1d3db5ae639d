"""Claims pooled over seeds are as sure as the seeds agree, and no surer; tables keep every row and say whose it is."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim, Evidence, judge
from xllm_widgets.studies.pooling import Run, merge, pooled


def claim(estimate, half=0.05, *, null=0.5, threshold=0.8, control=0.5, statement="It follows", **changes):
    low, high = estimate - half, min(1.0, estimate + half)
    verdict = "shown" if estimate >= threshold and low > max(null or 0, control or 0) else "not shown"
    fields = {
        "study": "s", "section": "4", "paper": "P", "model": "m", "statement": statement, "estimate": estimate,
        "low": low, "high": high, "n": 100, "seeds": 3, "threshold": threshold, "control": control,
        "verdict": verdict, "null": null,
    }  # fmt: skip
    return Claim(**{**fields, **changes})


def run(model="m", seed=0, claims=(), settings=None, columns=None):
    table = pd.DataFrame({"item": [0, 1], "correct": [True, False], **(columns or {})})
    evidence = Evidence("s", "4", "P", "Q?", table, list(claims), table, provenance={"model": model, "parameters": 7})
    return Run(model, seed, settings or {}, evidence)


def test_the_estimate_is_the_mean_and_the_seeds_are_what_was_sampled():
    together = pooled([claim(0.9), claim(0.95), claim(0.85)])
    assert together.estimate == pytest.approx(0.9)
    half = 4.302652729911275 * 0.05 / math.sqrt(3)  # Student's t, two degrees of freedom
    assert together.low == pytest.approx(0.9 - half)
    assert together.high == 1.0
    assert (together.n, together.seeds, together.verdict) == (300, 3, "shown")


def test_seeds_that_disagree_show_nothing():
    together = pooled([claim(1.0, 0.01), claim(0.95, 0.01), claim(0.5, 0.01)])
    assert together.estimate > 0.8
    assert together.verdict == "not shown"


def test_seeds_that_happen_to_agree_are_no_point():
    together = pooled([claim(1.0, 0.1)] * 4)
    assert together.low == pytest.approx(1 - 0.1 / 2)


def test_the_interval_covers_as_often_as_it_says():
    """Four seeds, each with a level of its own and 50 items: the true mean lies inside in about 95 of 100 sweeps."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        shares = rng.binomial(50, np.clip(rng.normal(0.7, 0.1, 4), 0, 1)) / 50
        intervals = [statistics.wilson(round(50 * share), 50) for share in shares]
        _, low, high, _ = statistics.over_seeds(intervals)
        inside += low <= 0.7 <= high
    assert 0.92 <= inside / 400 <= 0.99


@pytest.mark.parametrize("kind", ["at least", "at most", "different"])
def test_the_verdict_is_the_one_rules(kind):
    together = pooled([claim(0.2, kind=kind, threshold=0.3), claim(0.22, kind=kind, threshold=0.3)])
    low, high = together.low, together.high
    assert together.verdict == judge(0.21, low, high, threshold=0.3, null=0.5, control=0.5, claim=kind)


def test_without_a_null_only_agreement_counts():
    agreed = [claim(0.9, null=None), claim(0.92, null=None)]
    assert pooled(agreed).verdict == "shown"
    assert pooled([*agreed, replace(agreed[0], verdict="not shown")]).verdict == "not shown"


def test_an_estimate_that_does_not_exist_shows_nothing():
    assert pooled([claim(0.9), claim(math.nan, verdict="not shown")]).verdict == "not shown"


def test_one_seed_is_left_as_it_was():
    assert pooled([claim(0.9)]) == claim(0.9)


def test_differences_may_pass_zero_but_shares_end_at_one():
    assert pooled([claim(0.98), claim(0.9)]).high == 1.0
    assert pooled([claim(0.3, null=0.0), claim(0.0, null=0.0)]).low < 0


def test_a_seeds_own_numbers_leave_the_sentence_but_its_threshold_stays():
    together = pooled(
        [claim(0.9, statement=f"It rises (accuracy ≥ 80 %) in most (p = {p})") for p in (0.01, 0.2)],
    )
    assert together.statement == "It rises (accuracy ≥ 80 %) in most"


def test_tables_say_whose_rows_they_hold():
    runs = [run("a", seed, settings={"shots": shots}) for seed in (0, 1) for shots in (4, 8)] + [run("b", 0)]
    merged = merge(runs)
    assert len(merged.table) == len(merged.control) == 10
    assert merged.table.groupby(["model", "seed"]).size().to_dict() == {("a", 0): 4, ("a", 1): 4, ("b", 0): 2}
    assert set(merged.table["parameters"]) == {7}


def test_a_column_of_the_studys_own_is_kept_beside():
    merged = merge([run("a", 0, columns={"seed": [5, 6]})])
    assert merged.table["its_seed"].tolist() == [5, 6]
    assert set(merged.table["seed"]) == {0}


def test_numbers_that_no_cell_has_stay_numbers():
    merged = merge([run("a", seed, columns={"error": [error, None]}) for seed, error in enumerate((None, 0.5))])
    assert merged.table["error"].dtype == float


def test_claims_are_pooled_within_a_model_and_a_setting():
    runs = [
        run(model, seed, [claim(0.9), claim(0.8, statement="It learns")], {"shots": shots})
        for model in "ab" for shots in (4, 8) for seed in (0, 1)
    ]  # fmt: skip
    claims = merge(runs).claims
    assert len(claims) == 8
    assert [(c.model, c.statement) for c in claims[:2]] == [
        ("a", "It follows [shots = 4]"), ("a", "It learns [shots = 4]"),
    ]  # fmt: skip
    assert {c.seeds for c in claims} == {2}


def test_two_claims_that_differ_in_their_brackets_are_not_mixed():
    two = [claim(0.9, statement="It follows (all)"), claim(0.1, statement="It follows (half)")]
    assert [c.estimate for c in merge([run("a", 0, two), run("a", 1, two)]).claims] == pytest.approx([0.9, 0.1])
