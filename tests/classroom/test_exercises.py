"""Checkers accept the solution, reject every usual mistake, name its misconception and show where it goes wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.classroom import check, exercise, hint, solution
from xllm_widgets.classroom.chapters import EXERCISES
from xllm_widgets.errors import XllmError

MISTAKES = [(name, m) for name, e in EXERCISES.items() for m in e.mistakes]


@pytest.mark.parametrize("name", EXERCISES)
def test_each_exercise_has_what_a_student_needs(name):
    found = EXERCISES[name]
    assert len(found.mistakes) >= 3
    assert len(found.hints) >= 2
    assert found.explanation
    assert len({m.misconception for m in found.mistakes}) == len(found.mistakes)
    assert found.prompt in repr(exercise(name))
    assert solution(name).text
    if found.variant is None:
        assert {found.answer, *(m.answer for m in found.mistakes)} == set(found.letters)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(EXERCISES)))
def test_the_solution_is_right_whatever_the_variant(seed, name):
    assert check(name, EXERCISES[name].answer, seed=seed).right


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n}: {m.misconception[:40]}" for n, m in MISTAKES])
@pytest.mark.parametrize("seed", range(5))
def test_every_usual_mistake_is_rejected_by_name(name, mistake, seed):
    feedback = check(name, mistake.answer, seed=seed)
    assert not feedback.right
    assert feedback.misconception == mistake.misconception
    assert mistake.misconception in repr(feedback)
    if EXERCISES[name].variant:
        assert "and should give" in feedback.text


def test_a_wrong_answer_of_ones_own_gets_a_counterexample():
    feedback = check("00-verdict", lambda low, high, threshold: "shown")
    assert not feedback.right
    assert not feedback.misconception
    assert "low = " in feedback.text
    assert "it gives 'shown', and should give" in feedback.text


@pytest.mark.parametrize("answer", [lambda: 1, lambda *a: 1 / 0, lambda *a: None, lambda *a: [1, 2], 3, None])
def test_broken_answers_are_answered_in_words(answer):
    for name, found in EXERCISES.items():
        if found.variant:
            feedback = check(name, answer)
            assert not feedback.right
            assert feedback.text


@pytest.mark.parametrize("answer", ["", "z", 7, None, "bee"])
def test_choices_take_a_letter(answer):
    feedback = check("01-control", answer)
    assert feedback.right == (answer == "bee")


def test_hints_come_one_after_another_and_the_last_stays():
    texts = [hint("01-control").text for _ in range(4)]
    assert texts[0] != texts[1] == texts[2] == texts[3]


def test_an_unknown_exercise_is_answered_with_the_nearest():
    with pytest.raises(XllmError, match="did you mean '01-prompt'"):
        check("01-prompts", None)
