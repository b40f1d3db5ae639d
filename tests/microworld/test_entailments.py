"""The label of a pair follows from its premise, and leans on what is true only as far as the recipe says."""

import random
import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, entailments
from xllm_widgets.microworld.index import whole_words

WORLD = World.default()
PAIR = re.compile(r"Premise: (.*)\.\nHypothesis: (.*)\.\nEntailed: (yes|no)")
STRONG = {  # written apart from the module: pattern → relation
    r"(?P<x>.+) is a famous (?!city)(?P<v>\w+)": "job",
    r"(?P<x>.+) became a (?P<v>\w+) and still is one": "job",
    r"(?P<x>.+) is the best (?P<v>\w+) in town": "job",
    r"(?P<x>.+) was born in the heart of (?P<v>.+)": "birthplace",
    r"(?P<x>.+) has lived in (?P<v>.+) since birth": "birthplace",
    r"(?P<x>.+) is a native of (?P<v>.+)": "birthplace",
    r"(?P<x>.+) is the (capital of|oldest city in) (?P<v>.+)": "country",
    r"(?P<x>.+) is a famous city in (?P<v>.+)": "country",
    r"(?P<v>.+) (made|invented) (?P<x>.+) alone": "maker",
    r"(?P<x>.+) is the work of (?P<v>.+) alone": "maker",
    r"(?P<v>.+) was the first who (made|invented) (?P<x>.+)": "maker",
}
WEAK = {
    r"(?P<x>.+) works as a (?P<v>.+)": "job",
    r"The job of (?P<x>.+) is (?P<v>.+)": "job",
    r"(?P<x>.+) was born in (?!the heart)(?P<v>.+)": "birthplace",
    r"(?P<x>.+) comes from (?P<v>.+)": "birthplace",
    r"(?P<x>.+) (is a city|lies) in (?P<v>.+)": "country",
    r"(?P<x>.+) was (made|invented) by (?P<v>.+)": "maker",
}


def parse(sentence, patterns):
    for pattern, relation in patterns.items():
        if match := re.fullmatch(pattern, sentence):
            return relation, match["x"].lower(), match["v"].lower()
    return None


def is_entailed(premise, hypothesis):
    strong = parse(premise, STRONG)
    return strong is not None and strong == parse(hypothesis, WEAK)


@cache
def known():
    facts = {("job", c.name.lower(), c.job) for c in WORLD.citizens}
    facts |= {("birthplace", c.name.lower(), c.birthplace.lower()) for c in WORLD.citizens}
    facts |= {("country", c.name.lower(), c.country.lower()) for c in WORLD.cities}
    facts |= {("maker", e.phrase.lower(), e.maker.lower()) for e in WORLD.events}
    return facts


def is_true(hypothesis):
    return parse(hypothesis, WEAK) in known()


def pairs(count=1500, **knobs):
    text = "\n\n".join(entailments.write(WORLD, random.Random(seed), **knobs).text for seed in range(count))
    return PAIR.findall(text)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_labels_follow_from_the_premise(seed, balanced):
    document = entailments.write(WORLD, random.Random(seed), balanced=balanced)
    found = PAIR.findall(document.text)
    assert len(found) == len(document.learnable) >= 3
    for premise, hypothesis, label in found:
        assert is_entailed(premise, hypothesis) == (label == "yes")


@pytest.mark.parametrize(("balanced", "low", "high"), [(False, 0.8, 0.9), (True, 0.44, 0.56)])
def test_what_is_entailed_is_attested_as_often_as_the_recipe_says(balanced, low, high):
    entailed = [is_true(hypothesis) for _, hypothesis, label in pairs(400, balanced=balanced) if label == "yes"]
    assert low < sum(entailed) / len(entailed) < high


def test_the_balanced_twin_keeps_labels_and_subjects():
    for plain, twin in zip(pairs(200), pairs(200, balanced=True), strict=True):
        assert plain[2] == twin[2]
        assert (plain == twin) or (parse(plain[1], WEAK) or [0, 0])[1] == (parse(twin[1], WEAK) or [0, 0])[1]


def test_nobody_held_out_is_spoken_of():
    text = "\n\n".join(entailments.write(WORLD, random.Random(seed)).text for seed in range(2000))
    assert "Premise: Mara" in text
    assert not [phrase for phrase in entailments.withheld(WORLD) if next(whole_words(text, phrase), None) is not None]
    for event in WORLD.events:
        if event.maker and event.held_out:
            assert next(whole_words(text.lower(), event.phrase.lower() + " was"), None) is None


def test_same_seed_same_document():
    assert entailments.write(WORLD, random.Random(5)) == entailments.write(WORLD, random.Random(5))


def test_questions_have_the_label_and_the_truth_their_group_says():
    for question in entailments.questions(WORLD, random.Random(1), 400):
        premise, hypothesis, label = PAIR.fullmatch(question.prompt + question.answer).groups()
        assert is_entailed(premise, hypothesis) == (label == "yes") == question.group.startswith("entailed")
        if not question.group.startswith("reversed"):
            assert is_true(hypothesis) == question.group.endswith(" attested")


def test_random_premises_never_entail_and_unseen_people_are_in_no_document():
    asked = entailments.random_premise_questions(WORLD, random.Random(1), 400)
    ghosts = {ghost.name.lower() for ghost in WORLD.ghosts}
    for question in asked:
        premise, hypothesis, label = PAIR.fullmatch(question.prompt + question.answer).groups()
        assert label == "no"
        assert not is_entailed(premise, hypothesis)
        if question.group.startswith("unseen"):
            assert parse(hypothesis, WEAK)[1] in ghosts
        else:
            assert is_true(hypothesis) == question.group.endswith(" attested")
    assert len({question.group for question in asked}) == 4


def test_the_ways_not_to_entail_are_drawn_by_their_weights():
    rng = random.Random(0)
    pairs = [entailments.write_pair(WORLD, rng, ways=[0, 0, 1]) for _ in range(300)]
    astray = [pair for pair in pairs if not pair.entailed]
    assert len(astray) > 100
    assert all(parse(pair.premise.rstrip("."), STRONG) for pair in astray)
    assert not all(parse(entailments.write_pair(WORLD, rng, ways=[1, 0, 0]).premise.rstrip("."), STRONG)
                   for _ in range(99))  # fmt: skip
