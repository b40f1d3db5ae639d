"""Checkers accept the solution, reject every usual mistake, name its misconception and show where it goes wrong."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.classroom import check, exercise, exercises, hint, solution, withhold_solutions
from xllm_widgets.classroom.chapters import EXERCISES
from xllm_widgets.classroom.exercises import Raised, agree
from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.language import language

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


@pytest.mark.parametrize("answer", ["", "z", 7, None, "bee", "because it is so", "ab", "b a", "e", "?"])
def test_what_is_no_letter_is_no_answer(answer):
    feedback = check("01-control", answer)
    assert not feedback.right
    assert not feedback.attempted
    assert feedback.text == "Answer with one letter, a, b, c, d."


@pytest.mark.parametrize("answer", ["b", " B ", "b)", "(B)", "b.", EXERCISES["01-control"].options[1].upper()])
def test_a_letter_may_be_written_as_people_do(answer):
    assert check("01-control", answer).right


def test_an_answer_that_spoils_its_input_is_not_thereby_right():
    def clears(logprobs, labels, gold):
        gold.clear()
        raise ZeroDivisionError

    feedback = check("01-accuracy", clears)
    assert not feedback.right
    assert "gold = []" not in feedback.text


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("00-verdict", lambda low, high, threshold: EXERCISES["00-verdict"].answer(low, high, 0.5)),
        ("01-accuracy", lambda rows, _, gold: EXERCISES["01-accuracy"].answer(rows, ["positive", "negative"], gold)),
        ("01-saliency", lambda scores, kinds, kind: EXERCISES["01-saliency"].answer(scores, kinds, "label")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(5))
def test_what_fits_only_the_first_example_is_rejected(name, guess, seed):
    assert not check(name, guess, seed=seed).right


SAME = [
    (0.1 + 0.2, 0.3), (np.float64(0.5), 0.5), (np.array(0.5), 0.5), (np.str_("a"), "a"), ([1, 2], np.array([1, 2])),
    ((1, "a"), [1, "a"]), ({"a": 0.1 + 0.2}, {"a": 0.3}), ({1, 2}, {2, 1}), (None, None),
    (Raised("E", "x"), Raised("E", "y")),
]  # fmt: skip
OTHER = [
    (0.3, 0.30001), ("1", 1), (None, 0), ([1, 2], [1, 2, 3]), ({"a": 1}, {"a": 2}), ({"a": 1}, {"b": 1}),
    ({"a"}, ["a"]), ({"a": 1}, ["a"]), ("a", ["a"]), (Raised("E", "x"), None), (object(), 1), ([[1], [2]], [[1], [3]]),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "same"), [(*p, True) for p in SAME] + [(*p, False) for p in OTHER])
def test_values_agree_by_what_they_say(a, b, same):
    assert agree(a, b) == agree(b, a) == same


def test_frames_are_in_the_language_that_is_on_and_the_exercises_in_their_own(monkeypatch):
    monkeypatch.setattr(exercises, "_withheld", [])
    monkeypatch.setattr(exercises, "_taken", {})
    found, other = EXERCISES["00-verdict"], EXERCISES["01-control"]
    language("zh")
    try:
        said = {
            "asked": exercise("00-verdict").text,
            "right": check("00-verdict", found.answer).text,
            "named": check("00-verdict", found.mistakes[0].answer).text,
            "own": check("00-verdict", lambda low, high, threshold: [][0]).text,
            "nothing": check("00-verdict", lambda low, high, threshold: None).text,
            "called": check("00-verdict", 3).text,
            "choice": check("01-control", "b").text,
            "other": check("01-control", other.mistakes[0].answer).text,
            "letter": check("01-control", "?").text,
            "hint": hint("01-control").text,
        }
        withhold_solutions()
        said["withheld"] = solution("01-control").text
    finally:
        language("en")
    assert said["asked"].startswith(f"**练习 00-verdict。** {found.prompt}")
    assert said["right"] == f"正确，60 个随机输入全部通过。{found.explanation}"
    assert re.fullmatch(r"还不对（the estimate alone .*）：当 low = .* 时，它给出 '.*'，而应给出 '.*'。", said["named"])
    assert "它给出 错误 IndexError：list index out of range，而应给出" in said["own"]
    assert said["choice"] == f"正确。{other.explanation}"
    assert said["other"].startswith(f"不是这一个（{other.mistakes[0].misconception}）：")
    assert said["letter"] == "请用一个字母回答：a、b、c、d。"
    assert said["hint"] == f"提示 1／{len(other.hints)}：{other.hints[0]}"
    for words in ("nothing", "called", "withheld"):
        assert re.search("[\u4e00-\u9fff]", said[words])


def test_an_edition_may_withhold_solutions(monkeypatch):
    monkeypatch.setattr(exercises, "_withheld", [])
    assert "def verdict" in solution("00-verdict").text
    withhold_solutions()
    assert solution("00-verdict").text.startswith("This edition comes without solutions")
    with pytest.raises(XllmError, match="did you mean"):
        solution("00-verdicts")


def test_hints_come_one_after_another_and_the_last_stays():
    texts = [hint("01-control").text for _ in range(4)]
    assert texts[0] != texts[1] == texts[2] == texts[3]


def test_an_unknown_exercise_is_answered_with_the_nearest():
    with pytest.raises(XllmError, match="did you mean '01-prompt'"):
        check("01-prompts", None)
