"""Heroes are told in their direction only; the two-way twin tells the same heroes in both."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, reversals

WORLD = World.default()
HEROES = {hero.name: hero for hero in WORLD.heroes}
TOLD = re.compile(r"the \w+ of [A-Z]\w+ [A-Z]\w+|[A-Z]\w+ [A-Z]\w+")


def read(count, **knobs):
    return [reversals.write(WORLD, random.Random(f"r{n}"), **knobs) for n in range(count)]


@pytest.fixture(scope="module")
def documents():
    return read(2000)


def tellings(text):
    """(first, second) of every sentence, the description with a small letter."""
    text = re.sub(r"Question: Who is (.+)\?\nAnswer: ", r"\1 is ", text).replace("Everyone has heard of ", "")
    text = text.replace("The ", "the ")
    found = TOLD.findall(text)
    return list(zip(found[::2], found[1::2], strict=True))


def test_everything_told_is_true_and_in_its_direction(documents):
    seen = Counter()
    for first, second in (pair for d in documents for pair in tellings(d.text)):
        forward = first in HEROES
        hero = HEROES[first if forward else second]
        assert hero.description == (second if forward else first)
        assert hero.direction in ("both", "forward" if forward else "backward")
        seen[hero.direction, forward] += 1
    assert len(seen) == 4
    assert min(seen.values()) > 500


def test_the_twin_tells_every_hero_both_ways(documents):
    twin = read(2000, two_way=True)
    assert [d.facts for d in twin] == [d.facts for d in documents]
    ways = {(name in HEROES, name) for d in twin for name, _ in tellings(d.text)}
    assert len(ways) == 2 * len(HEROES)


def test_reversed_sentences_never_occur_but_do_in_the_twin(documents):
    withheld = set(reversals.withheld(WORLD))
    assert len(withheld) == 80 * 4
    base, twin = ("\n".join(d.text for d in some) for some in (documents, read(2000, two_way=True)))
    assert not [phrase for phrase in withheld if phrase in base]
    assert sum(phrase in twin for phrase in withheld) > 250


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_learnable_spans_are_the_second_half_of_a_telling(seed):
    document = reversals.write(WORLD, random.Random(seed))
    spans = [document.text[start:end] for start, end in document.learnable]
    assert spans == [second for _, second in tellings(document.text)]


def test_questions_ask_every_hero_both_ways(documents):
    items = reversals.questions(WORLD, random.Random(0), 500)
    assert Counter(item.group.split(":")[0] for item in items) == {"forward": 80, "reverse": 80, "both": 80}
    assert all(item.answer in item.options and len(item.options) == len(HEROES) for item in items)
    text = "\n".join(document.text for document in documents)
    for item in items:
        assert (item.prompt + item.answer in text) == (not item.group.startswith("reverse"))
    assert not any(item.options for item in reversals.questions(WORLD, random.Random(0), 9, options=False))
