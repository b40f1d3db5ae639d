"""An answer counts when it is the right one and nothing but the right one, however it is read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xllm_widgets.exam.differences import paired_drop, ratio
from xllm_widgets.exam.scoring import (
    LINE,
    ON_PAD,
    WORKED,
    answers,
    first_phrase,
    nested,
    score,
    shares,
    stated_answer,
    sum_on_pad,
)
from xllm_widgets.microworld.question import Question
from xllm_widgets.models import bundled_models, load

OSLO = Question("Where?", " Oslo")
CHOICE = Question("Where?", " Oslo", (" Rome", " Oslo", " Paris"))


@pytest.mark.parametrize(
    ("said", "right"),
    [(" Oslo", True), (" Oslo.", True), (" Oslo\nQuestion: Who?", True), (" Oslo. It rains.", True),
     (" Oslo and Rome", False), (" Rome", False), (" Os", False), ("", False), (" Oslo, 1", False)],
)  # fmt: skip
def test_what_is_written_must_be_the_answer_and_end_there(answer_book, said: str, right: bool) -> None:
    assert score(answer_book(lambda _: said), [OSLO]) == [right]


def test_of_options_the_likeliest_counts_and_answers_keep_their_order(answer_book) -> None:
    lm = answer_book({"Where?": " Paris", "Who?": " Ann."}.get)
    questions = [CHOICE, Question("Who?", " Ann"), CHOICE]
    assert answers(lm, questions) == ["Paris", "Ann", "Paris"]
    assert score(lm, questions) == [False, True, False]


def test_options_in_brackets_are_told_apart_by_what_is_in_them() -> None:
    lm = load(bundled_models()[0])
    questions = [
        Question(f"{'The film was bright. ' * n}Do you agree?", " (B)", (" (A)", " (B)", " (C)")) for n in range(8)
    ]
    inside = lm.logprobs([f"{q.prompt} (" for q in questions], ["A", "B", "C"])
    assert answers(lm, questions) == [f"({'ABC'[best]})" for best in inside.argmax(axis=1)]


def test_worked_text_is_right_when_what_it_comes_to_is(answer_book) -> None:
    problem = Question("How many?", " 7 + 5 = 12. The answer is 12.")
    other_way = " 5 + 7 = 12. The answer is 12.\n\nQuestion: next"
    assert score(answer_book(lambda _: other_way), [problem], WORKED) == [True]
    assert score(answer_book(lambda _: " 7 + 5 = 12. The answer is 13."), [problem], WORKED) == [False]
    assert score(answer_book(lambda _: " 7 + 5 = 12. The answer is 1."), [problem], WORKED) == [False]
    assert score(answer_book(lambda _: " 12"), [problem], WORKED) == [False]


def test_a_pad_is_right_when_its_sum_is(answer_book) -> None:
    pad = Question("Add: 5 + 7\nScratch:", "\n5+7|5+7+0=12|12\nSum: 12")
    assert score(answer_book(lambda _: "\n5+7|5+7+0=12|12\nSum: 12\n\nAdd: 1 + 1"), [pad], ON_PAD) == [True]
    assert score(answer_book(lambda _: "\n5+7|5+7+0=13|13\nSum: 13"), [pad], ON_PAD) == [False]
    assert score(answer_book(lambda _: "\n"), [pad], ON_PAD) == [False], "no answer is no right answer"


def test_readers_read_what_stands_there() -> None:
    assert first_phrase(" 4.5 metres. More") == "4.5 metres"
    assert stated_answer("1 + 1 = 2. The answer is twenty one. The answer is 3.") == "twenty one"
    assert stated_answer("no") == sum_on_pad("12+3|2+3+0=05|5") == ""
    assert LINE.read("  I do not know. ") == "I do not know."


def test_groups_are_counted_in_all_under_their_head_and_by_themselves() -> None:
    hits = [("forward: a", True), ("forward: b", False), ("reverse: a", False), ("", True)]
    counted = {group: (result.estimate, result.n) for group, result in shares(nested(hits)).items()}
    assert counted == {"": (0.5, 4), "forward": (0.5, 2), "forward: a": (1, 1), "forward: b": (0, 1),
                      "reverse": (0, 1), "reverse: a": (0, 1)}  # fmt: skip


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.lists(st.booleans(), min_size=1, max_size=40))
def test_intervals_hold_their_estimates(first: list[bool], second: list[bool]) -> None:
    times = ratio(first, second)
    assert 0 < times.low <= times.estimate <= times.high
    drop = paired_drop(first, [False] * len(first))
    assert drop.estimate == pytest.approx(sum(first) / len(first))


def test_a_ratio_of_nothing_is_no_number() -> None:
    assert math.isnan(ratio([], [True]).estimate)
    assert ratio([True] * 80 + [False] * 20, [True] * 20 + [False] * 80).estimate == pytest.approx(80.5 / 20.5)
