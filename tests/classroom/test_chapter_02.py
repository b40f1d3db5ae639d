"""The exercises of chapter 02 ask for what its studies really do: reference and package agree."""

import random

import pytest

from xllm_widgets.classroom import chapter_02
from xllm_widgets.studies.answers import extract_answer
from xllm_widgets.studies.solutions import Solution, falsify
from xllm_widgets.studies.step_curves import _decisive

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_is_the_one_that_the_studies_read(seed):
    (reply,) = chapter_02.a_reply(random.Random(seed))
    assert chapter_02.answer_of(reply) == extract_answer(reply)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slip_leads_where_a_falsified_step_leads(seed):
    first, changes, slip_at = chapter_02.some_changes(random.Random(seed))
    results = [first + sum(changes[: k + 1]) for k in range(len(changes))]
    signs = ["+" if change > 0 else "-" for change in changes]
    steps = tuple(f"{a} {sign} {abs(change)} = {result}" for a, sign, change, result
                  in zip([first, *results], signs, changes, results, strict=False))  # fmt: skip
    question = f"Tom has {first} cups. " + " ".join(f"Tom moves {abs(change)}." for change in changes)
    slipped = falsify(Solution(question, steps, str(results[-1])), slip_at, carry=True)
    assert chapter_02.carried(first, changes, slip_at) == [int(step.split("= ")[1]) for step in slipped.steps]
    assert slipped.number == chapter_02.carried(first, changes, slip_at)[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_decisive_step_is_the_one_of_a_curve_without_doubt(seed):
    import pandas as pd

    (shares,) = chapter_02.some_shares(random.Random(seed))
    change = pd.Series(shares).diff()
    curve = pd.DataFrame({"kept": range(len(shares)), "change": change, "change_low": change, "change_high": change})
    assert chapter_02.decisive(shares) == (_decisive(curve) or 0) + 1
