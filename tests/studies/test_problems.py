"""Problems come from the world, from our own collection (whose truth is checked here), or from any table."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.equations import EQUATION, NUMBER, equations
from xllm_widgets.studies.problems import load_problems, plain_problems, read_problems

BUNDLED, OTHER = SimpleNamespace(recipe={"recipe": "base"}), SimpleNamespace(recipe=None)


def numbers(text):
    return sorted(re.findall(NUMBER, text))


def test_the_collection_holds_enough_of_each_length_and_nothing_twice():
    found = plain_problems()
    lengths = pd.Series([len(one.steps) for one in found]).value_counts()
    assert len(found) >= 60
    assert set(lengths.index) == {1, 2, 3, 4}
    assert lengths.min() >= 10
    assert len({one.question for one in found}) == len(found)


@pytest.mark.parametrize("one", plain_problems(), ids=lambda one: one.question[:30])
def test_each_plain_problem_is_true_and_its_paraphrases_ask_the_same(one):
    known = set(numbers(one.question))
    for step in one.steps:
        (equation,) = equations(step)
        assert equation.is_true
        assert {equation.a, equation.b} <= known
        assert not numbers(EQUATION.sub("", step))
        known.add(equation.c)
    assert one.answer == equation.c
    assert one.number == int(one.answer)
    assert len(set(one.paraphrases)) == len(one.paraphrases) >= 3
    assert all(numbers(other) == numbers(one.question) for other in one.paraphrases)
    assert one.question not in one.paraphrases


def test_bundled_models_meet_the_world_and_others_plain_english():
    world, plain = load_problems(BUNDLED, steps=3, trials=5), load_problems(OTHER, steps=3, trials=5)
    assert all(len(one.steps) == 3 for one in (*world.test, *plain.test))
    assert {one.question for one in plain.test} <= {one.question for one in plain_problems()}
    assert not {one.question for one in world.test} & {one.question for one in world.pool}
    assert all(numbers(other) == numbers(one.question) for one in world.test for other in one.paraphrases)
    assert load_problems(OTHER, "world", steps=3, trials=5).test == world.test
    assert load_problems(BUNDLED, "plain", steps=3, trials=5).test == plain.test


def test_a_question_is_never_its_own_demonstration():
    rows = [{"question": f"What is {i} and 1?", "steps": [f"{i} + 1 = {i + 1}"], "answer": i + 1} for i in range(4)]
    found = load_problems(OTHER, rows, trials=4)
    for one in found.test:
        drawn = found.draw(3, one, np.random.default_rng(0))
        assert one not in drawn
        assert len({d.question for d in drawn}) == 3
    with pytest.raises(XllmError, match="only 3 problems for 4 demonstrations"):
        found.draw(4, found.test[0], np.random.default_rng(0))


def test_gsm8k_and_tables_are_read_as_they_are(tmp_path):
    gsm = {"question": "Natalia sold 48 clips, and half of it in May.", "answer": "In May 48/2 = <<48/2=24>>24.\nAll: "
           "48+24 = <<48+24=72>>72.\n#### 72"}  # fmt: skip
    (one,) = read_problems([gsm])
    assert one.steps == ("In May 48/2 = 24", "All: 48+24 = 72")
    assert one.number == 72
    table = pd.DataFrame([{"question": "2 and 3?", "steps": "2 + 3 = 5", "answer": 5}])
    assert read_problems(table)[0].steps == ("2 + 3 = 5",)
    table.to_json(tmp_path / "own.jsonl", orient="records", lines=True)
    assert read_problems(tmp_path / "own.jsonl") == read_problems(table)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "empty"),
        (["2 + 3"], "dicts"),
        ([{"question": "?"}], "a question and an answer"),
        ("nowhere.jsonl", "nowhere"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(data, match):
    with pytest.raises(XllmError, match=match):
        load_problems(OTHER, data)


def test_broken_lines_and_missing_lengths(tmp_path):
    (tmp_path / "broken.jsonl").write_text('{"question": \n')
    with pytest.raises(XllmError, match="one JSON object a line"):
        load_problems(OTHER, tmp_path / "broken.jsonl")
    with pytest.raises(XllmError, match="no problem with 9 steps"):
        load_problems(OTHER, steps=9)
    with pytest.raises(XllmError, match="at least one trial"):
        load_problems(OTHER, trials=0)
    with pytest.raises(XllmError, match="1 or more"):
        load_problems(OTHER, steps=0)
