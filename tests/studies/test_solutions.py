"""A worked solution is plain data; each operation does what it says; prompts are those the bundled models know."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import arithmetic
from xllm_widgets.studies import solutions as so
from xllm_widgets.studies.equations import Equation, equations, work_out

TOM = so.Solution("Tom has 7 apples. Tom buys 5 more. Tom loses 3.", ("7 + 5 = 12", "12 - 3 = 9"), "9")


def problems(n, seed=0):
    rng = random.Random(seed)
    return [arithmetic.tell(arithmetic.draw_tale(rng, 1 + i % 4)) for i in range(n)]


def solution(problem):
    return so.Solution(problem.question, problem.working, str(problem.answer))


def test_prompts_are_those_of_the_world():
    *shown, asked = problems(4)
    for way in so.WAYS:
        style = arithmetic.Style(way)
        assert so.render(list(map(solution, shown)), asked.question, way) == arithmetic.render_prompt(
            shown, asked, style
        )
    assert so.render_steps([], solution(asked), concluding=True) + f" {asked.answer}." == (
        f"Question: {asked.question}\nAnswer: {asked.worked}"
    )


def test_plain_values_make_the_round_trip():
    again = so.Solution.from_dict(json.loads(json.dumps(TOM.to_dict())))
    assert again == TOM
    assert so.read_reply(TOM.question, f" {TOM.told()}\n\nQuestion: what?") == TOM
    for fields in ({}, {"question": "?", "answer": " "}, {"question": "", "answer": "3"}, {"question": "?"}, None):
        with pytest.raises(XllmError, match=r"question"):
            so.Solution.from_dict(fields)


def test_each_operation_changes_what_it_says_and_nothing_else():
    assert so.edit(TOM, 1, "12 - 4  = 8.").steps == ("7 + 5 = 12", "12 - 4 = 8")
    assert so.falsify(TOM, 0, 2).steps == ("7 + 5 = 14", "12 - 3 = 9")
    assert so.falsify(TOM, 0, 2).answer == "9"
    carried = so.falsify(TOM, 0, 2, carry=True)
    assert (carried.steps, carried.answer) == (("7 + 5 = 14", "14 - 3 = 11"), "11")
    assert so.delete(TOM, 0).steps == ("12 - 3 = 9",)
    assert so.reorder(TOM, (1, 0)).steps == ("12 - 3 = 9", "7 + 5 = 12")
    assert so.truncate(TOM, 1).steps == ("7 + 5 = 12",)
    assert so.truncate(TOM, 0).told() == "The answer is 9."
    words = so.Solution("?", ("So Tom has 12 apples of 15", "Nothing here"), "12")
    assert so.falsify(words, 0).steps[0] == "So Tom has 12 apples of 16"
    assert TOM.steps == ("7 + 5 = 12", "12 - 3 = 9")


@pytest.mark.parametrize(
    "act",
    [
        lambda: so.edit(TOM, 2, "x"), lambda: so.edit(TOM, 0, " . "), lambda: so.delete(TOM, -1),
        lambda: so.reorder(TOM, (0, 0)), lambda: so.truncate(TOM, 3), lambda: so.falsify(TOM, 0, 0),
        lambda: so.falsify(so.Solution("?", ("no number",), "1"), 0), lambda: so.render([], " "),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(act):
    with pytest.raises(XllmError, match=r"\w+ .*\.$"):
        act()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_a_slip_is_carried_through_to_the_answer(seed, by):
    (problem,) = problems(1, seed)
    one = solution(problem)
    slipped = so.falsify(one, 0, by, carry=True)
    assert int(slipped.answer) == problem.answer + by
    found = [equations(step)[0] for step in slipped.steps]
    assert all(e.is_true for e in found[1:])
    assert not found[0].is_true
    assert [e.a for e in found[1:]] == [e.c for e in found[:-1]]


def test_a_number_of_the_question_is_not_taken_for_an_earlier_result():
    one = so.Solution("Tom has 6. Tom buys 6 more. Tom loses 12.", ("6 + 6 = 12", "12 - 12 = 0"), "0")
    carried = so.falsify(one, 0, 1, carry=True)
    assert carried.steps == ("6 + 6 = 13", "13 - 12 = 1")


def test_steps_are_found_in_the_prompt_even_where_demonstrations_say_the_same():
    prompt = so.render_steps([TOM], TOM, concluding=True)
    spans = so.step_spans(prompt, TOM)
    assert [prompt[a:b] for a, b in spans] == ["7 + 5 = 12.", "12 - 3 = 9."]
    assert spans[0][0] > prompt.rindex("Question:")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Then 3 × 4 = 12 and 12÷5=2.4", [Equation("3", "×", "4", "12"), Equation("12", "÷", "5", "2.4")]),
        ("7 − 9 = -2", [Equation("7", "-", "9", "-2")]),
        ("7 plus 9", []),
    ],
)
def test_equations_are_read_and_checked(text, found):
    assert equations(text) == found
    assert all(e.is_true for e in found)


def test_results_are_written_as_a_person_would():
    assert [work_out(*e) for e in (("1", "÷", "3"), ("5", "-", "7"), ("1.5", "×", "2"), ("1", "÷", "0"))] == [
        "0.3333", "-2", "3", None,
    ]  # fmt: skip
