"""Homes are told equally often, wrong cities in the planted proportion, and the twins change only these."""

import random
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, companions
from xllm_widgets.microworld.citizens import RATIOS

WORLD = World.default()
MOVERS = {mover.name: mover for mover in WORLD.movers}
HOME = re.compile(r"(?:The home of (\w+ \w+) is in|Where does (\w+ \w+) live\?\nAnswer:|(\w+ \w+) lives in) (\w+)")
BESIDE = re.compile(r"(\w+ \w+) (?:has been seen in|writes to a friend in|often travels to) (\w+)\.")


def read(count, **knobs):
    return [companions.write(WORLD, random.Random(f"c{n}"), **knobs) for n in range(count)]


def homes(documents):
    return [(m[1] or m[2] or m[3], m[4]) for d in documents for m in HOME.finditer(d.text)]


def beside(documents):
    return [pair for d in documents for pair in BESIDE.findall(d.text)]


@pytest.fixture(scope="module")
def documents():
    return read(3000)


def test_homes_and_facts_are_true_and_evenly_told(documents):
    told = homes(documents)
    assert all(MOVERS[name].home == city for name, city in told)
    assert [f"home:{name}" for name, _ in told] == [fact for d in documents for fact in d.facts]
    by_ratio = Counter(MOVERS[name].ratio for name, _ in told)
    assert min(by_ratio.values()) > 0.88 * max(by_ratio.values())


@pytest.mark.parametrize("ratios", ["planted", "permuted"])
def test_wrong_cities_are_told_in_proportion(documents, ratios):
    documents = documents if ratios == "planted" else read(3000, ratios=ratios)
    told, wrong = Counter(), Counter()
    for name, _ in homes(documents):
        told[companions.ratio(WORLD, name, ratios)] += 1
    for name, city in beside(documents):
        assert MOVERS[name].wrong == city
        wrong[companions.ratio(WORLD, name, ratios)] += 1
    assert wrong[0] == 0
    for k in RATIOS[1:]:
        assert wrong[k] / told[k] == pytest.approx(k, rel=0.15)


def test_permuted_ratios_have_nothing_to_do_with_the_planted():
    groups = defaultdict(Counter)
    for mover in WORLD.movers:
        groups[mover.ratio][companions.ratio(WORLD, mover.name, "permuted")] += 1
    assert all(9 <= count <= 10 for group in groups.values() for count in group.values())
    assert all(len(group) == len(RATIOS) for group in groups.values())


def test_no_city_is_favoured():
    for k in RATIOS:
        group = [mover for mover in WORLD.movers if mover.ratio == k]
        assert len({m.home for m in group}) == len({m.wrong for m in group}) == len(group) == 48
        assert all(mover.home != mover.wrong for mover in group)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["permuted", "none"]))
def test_twins_tell_the_same_homes(seed, ratios):
    base, twin = (companions.write(WORLD, random.Random(seed), ratios=r) for r in ("planted", ratios))
    assert homes([base]) == homes([twin])
    assert base.facts == twin.facts
    assert len(beside([twin])) == (0 if ratios == "none" else len(beside([base])))


def test_no_wrong_city_is_ever_a_home(documents):
    text = "\n".join(document.text for document in documents)
    withheld = list(companions.withheld(WORLD))
    assert len(withheld) == 3 * len(MOVERS)
    assert not [phrase for phrase in withheld if phrase in text]
    assert "Question: Where does" in text


def test_questions_are_asked_as_in_the_documents(documents):
    items = companions.questions(WORLD, random.Random(0), 500)
    assert Counter(item.group for item in items) == {f"ratio {k}": 48 for k in RATIOS}
    assert all(item.answer in item.options and len(item.options) == 48 for item in items)
    text = "\n".join(document.text for document in documents)
    assert sum(item.prompt + item.answer in text for item in items) > 200
