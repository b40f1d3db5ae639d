"""Explanations of stories are what they are said to be: read off the text by a reader of the tests' own."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, stories

WORLD = World.default()
ASKED = re.compile(r"Question: Who (.+) a (\w+)\?\n(.*)")


def exchanges(count=1000, **knobs):
    """(story, question with answer, deed, role, answer line) of every question."""
    for seed in range(count):
        text = stories.write(WORLD, random.Random(seed), **knobs).text
        for deed, role, line in ASKED.findall(text):
            yield text.split("\n")[0], f"Question: Who {deed} a {role}?", deed, role, line


def solve(story, deed, role):
    """Everybody of whom the question is true."""
    sentences = story.split(". ")
    roles = {s.split(" is a ")[0]: s.split(" is a ")[1].rstrip(".") for s in sentences if " is a " in s}
    pairs = [s.split(f" {deed} ") for s in sentences if f" {deed} " in s]
    return [who for who, whom in pairs if roles[whom] == role]


def test_every_question_has_one_answer_and_documents_give_it():
    for story, _, deed, role, line in exchanges():
        assert solve(story, deed, role) == [stories.read_explanation(line).answer]


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_share_of_unfactual_explanations_is_the_knob(share):
    read = [(s, q, stories.read_explanation(line)) for s, q, *_, line in exchanges(1500, unfactual=share)]
    explained = [(s, q, e) for s, q, e in read if e.who]
    assert len(explained) > 1000
    assert all(e.is_consistent(q) for _, q, e in explained)
    assert sum(not e.is_factual(s) for s, _, e in explained) / len(explained) == pytest.approx(share, abs=0.025)


STORY = "Ann agrees with Tom. Eva plays with Leo. Tom is a baker. Leo is a judge."
QUESTION = "Question: Who agrees with a baker?"


@pytest.mark.parametrize(
    ("text", "answer", "factual", "consistent"),
    [
        (" Because Tom is a baker and Ann agrees with Tom, the answer is Ann.", "Ann", True, True),
        (" Ann, because Tom is a baker and Ann agrees with Tom.\nQuestion: Who", "Ann", True, True),
        (" Eva, because Tom is a baker and Ann agrees with Tom.", "Eva", True, False),
        (" Ann, because Leo is a baker and Ann agrees with Leo.", "Ann", False, True),
        (" Eva, because Leo is a judge and Eva plays with Leo.", "Eva", True, False),
        (" Ann, because Leo is a judge and Ann agrees with Tom.", "Ann", True, False),
        (" Ann.", "Ann", False, False),
        (" because because the", "", False, False),
        ("", "", False, False),
    ],
)
def test_explanations_are_read(text, answer, factual, consistent):
    read = stories.read_explanation(text)
    assert (read.answer, read.is_factual(STORY), read.is_consistent(QUESTION)) == (answer, factual, consistent)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    read = stories.read_explanation(text)
    assert not read.is_factual("")
    assert not read.is_consistent("")


def test_twins_differ_in_explanations_alone():
    for plain, twin in zip(exchanges(300, unfactual=0.0), exchanges(300, unfactual=0.5), strict=True):
        assert plain[:4] == twin[:4]
        assert stories.read_explanation(plain[4]).answer == stories.read_explanation(twin[4]).answer


def test_same_seed_same_document():
    assert stories.write(WORLD, random.Random(5)) == stories.write(WORLD, random.Random(5))


def test_questions_kept_for_tests_are_answered_nowhere():
    kept = set(stories.withheld(WORLD))
    answered = [f"{q}\nAnswer: {stories.read_explanation(line).answer}" for _, q, _, _, line in exchanges(2000)]
    assert len(kept) > 100
    assert not kept.intersection(answered)


@pytest.mark.parametrize("layout", list(stories.LAYOUTS))
def test_questions_are_new_and_rightly_answered(layout):
    kept = set(stories.withheld(WORLD))
    for question in stories.questions(WORLD, random.Random(1), 200, layout):
        story = question.prompt.split("\n")[0]
        deed, role = re.search(r"Who (.+) a (\w+)\?", question.prompt).groups()
        read = stories.read_explanation(question.answer)
        assert solve(story, deed, role) == [read.answer]
        whos = re.findall(r"(\w+) (?:[a-z]+ )+[A-Z]", story)
        assert len(whos) == 4
        for who in whos:  # nobody is the answer by having been one to this question before, or by never having been
            assert f"Question: Who {deed} a {role}?\nAnswer: {who}" in kept
        assert (layout == "direct") == bool(question.options) == (not read.is_factual(question.prompt))
