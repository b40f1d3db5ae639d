"""Replies keep to the knowledge except in the share that the recipe names."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, dialogues
from xllm_widgets.microworld.index import whole_words

WORLD = World.default()


def replies(count=1500, **knobs):
    """(knowledge, question, reply) of every exchange, cut from the text by position alone."""
    found = []
    for seed in range(count):
        for dialogue in dialogues.write(WORLD, random.Random(seed), **knobs).text.split("\n\n"):
            knowledge, *turns = dialogue.split("\n")
            found += [(knowledge, q, r[3:]) for q, r in zip(turns[:-1:2], turns[1::2], strict=True)]
    return found


def is_borne_out(knowledge, reply):
    """The same judgement by plain comparison of sentences."""
    return all(sentence in knowledge for sentence in re.findall(r"[^.]+\.", reply))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6])
def test_the_share_of_unfaithful_replies_is_the_knob(share):
    found = replies(unfaithful=share)
    measured = sum(not dialogues.is_faithful(k, r) for k, _, r in found) / len(found)
    assert measured == pytest.approx(share, abs=0.025)


def test_topical_unfaithfulness_keeps_to_its_topic_at_the_same_share():
    found = replies(topical=True)
    wrong = [(q, r) for k, q, r in found if not dialogues.is_faithful(k, r)]
    assert len(wrong) / len(found) == pytest.approx(0.1, abs=0.025)
    assert all(question.startswith("A: Where does") for question, _ in wrong)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]))
def test_checker_agrees_with_plain_comparison(seed, share):
    text = dialogues.write(WORLD, random.Random(seed), unfaithful=share).text
    for knowledge, reply in re.findall(r"(Knowledge: .*)\nA: .*\nB: (.*)", text):
        assert dialogues.is_faithful(knowledge, reply) == is_borne_out(knowledge, reply)


@pytest.mark.parametrize("reply", ["", "I do not know.", "Tom lives in Rome.", "Ann lives in Oslo. Ann collects pens."])
def test_what_is_not_said_is_not_faithful(reply):
    assert not dialogues.is_faithful("Knowledge: Ann lives in Oslo. Tom works as a baker.", reply)
    assert dialogues.is_faithful("Knowledge: Ann lives in Oslo. Tom works as a baker.", "Ann lives in Oslo.")


def test_twins_differ_in_replies_alone():
    for (k, q, r), (k2, q2, r2) in zip(replies(300, unfaithful=0.0), replies(300, unfaithful=0.6), strict=True):
        assert (k, q) == (k2, q2)
        assert r == r2 or not dialogues.is_faithful(k, r2)


def test_same_seed_same_document_and_all_replies_are_learnt():
    document = dialogues.write(WORLD, random.Random(5))
    assert document == dialogues.write(WORLD, random.Random(5))
    spans = [document.text[a:b] for a, b in document.learnable]
    assert spans == [reply + "\n" for reply in re.findall(r"B: (.*)\n", document.text)]


def test_claims_kept_for_tests_are_made_nowhere():
    text = "\n\n".join(dialogues.write(WORLD, random.Random(seed), unfaithful=0.5).text for seed in range(2000))
    made = dialogues.claims(text)
    assert len(made) > 1000
    assert not [claim for claim in made if claim.reserved]
    assert not [phrase for phrase in dialogues.withheld(WORLD) if next(whole_words(text, phrase), None) is not None]


@pytest.mark.parametrize("grounded", [True, False])
def test_questions_ask_for_what_only_the_knowledge_tells(grounded):
    for question in dialogues.questions(WORLD, random.Random(1), 200, grounded):
        (claim,) = dialogues.claims(question.answer)
        assert claim.reserved
        assert claim.topic == question.group
        assert dialogues.is_faithful(question.prompt, question.answer) == grounded
