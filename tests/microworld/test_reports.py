"""Summaries say what reports say, and at most the true country; first names lean, and do not in the twin."""

import random
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, reports
from xllm_widgets.microworld.citizens import ORIGINS

WORLD = World.default()
TRAVELLERS = {traveller.name: traveller for traveller in WORLD.travellers}
ITEM = re.compile(r"Report: (.+)\nSummary: (.+)")
ORIGIN = re.compile(r"(?:does (\w+ \w+) come from\?\nAnswer:|(\w+ \w+) (?:comes from|is at home in)) (\w+)")


def read(count, **knobs):
    return [reports.write(WORLD, random.Random(f"s{n}"), **knobs) for n in range(count)]


def origins(documents):
    return [(m[1] or m[2], m[3]) for d in documents for m in ORIGIN.finditer(d.text)]


def items(documents):
    return [pair for d in documents for pair in ITEM.findall(d.text)]


@pytest.fixture(scope="module")
def documents():
    return read(2000)


def test_origins_told_are_true(documents):
    told = origins(documents)
    assert len(told) > 3000
    assert all(TRAVELLERS[name].country == country for name, country in told)


def test_facts_listed_are_the_origins_told(documents):
    for document in documents:
        told = [name for name, _ in origins([document])]
        told += [re.match(r"\w+ \w+", s)[0] for _, s in items([document]) if reports.stated_country(s)]
        assert Counter(f"origin:{name}" for name in told) == Counter(document.facts)


def test_reports_give_no_country_and_summaries_only_the_true_one(documents):
    stated = 0
    for report, summary in items(documents):
        words = set(re.findall(r"\w+", report.replace("In ", "in ")))
        assert not words & set(ORIGINS)
        country = reports.stated_country(summary)
        if country:
            assert TRAVELLERS[re.match(r"\w+ \w+", summary)[0]].country == country
            stated += 1
        rest = set(re.findall(r"\w+", summary)) - {"from", country, "a"}
        assert rest <= words
    assert stated / len(items(documents)) == pytest.approx(0.35, abs=0.03)


@pytest.mark.parametrize(("abstractive", "share"), [(0.0, 0.0), (1.0, 0.7)])
def test_the_share_of_stated_countries_follows_the_knob(abstractive, share):
    summaries = [summary for _, summary in items(read(1500, abstractive=abstractive))]
    assert sum(map(bool, map(reports.stated_country, summaries))) / len(summaries) == pytest.approx(share, abs=0.04)


def leaning(documents):
    """Of the people told with a leaning first name, the share that comes from where it leans to."""
    people = {name: country for name, country in origins(documents) if TRAVELLERS[name].lean}
    return sum(TRAVELLERS[name].lean == country for name, country in people.items()) / len(people)


def test_first_names_lean_and_do_not_in_the_twin(documents):
    assert leaning(documents) == pytest.approx(0.8, abs=0.01)
    twin = read(2000, shuffled_names=True)
    assert leaning(twin) < 0.15
    every = [Counter(reports.countries(WORLD, shuffled).values()) for shuffled in (False, True)]
    assert every[0] == every[1]


def test_lean_is_one_country_a_first_name():
    leans = defaultdict(set)
    for traveller in WORLD.travellers:
        leans[traveller.name.split()[0]].add(traveller.lean)
    assert all(len(lean) == 1 for lean in leans.values())
    assert Counter(lean for (lean,) in leans.values() if lean) == dict.fromkeys(ORIGINS, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_the_twin_differs_in_countries_only(seed):
    base, twin = (reports.write(WORLD, random.Random(seed), shuffled_names=s) for s in (False, True))
    pattern = "|".join(ORIGINS)
    assert re.sub(pattern, "#", base.text) == re.sub(pattern, "#", twin.text)


def test_people_kept_for_tests_are_never_mentioned(documents):
    text = "\n".join(document.text for document in documents)
    withheld = set(reports.withheld(WORLD))
    assert len(withheld) > 80
    assert not [name for name in withheld if name in text]
    for about in ("country", "states", "summary"):
        asked = reports.questions(WORLD, random.Random(0), 300, about=about)
        assert {re.search(r"Summary:(?: (\w+ \w+))?", q.prompt)[1] for q in asked} <= withheld | {None}
        assert all(q.answer in q.options for q in asked if about != "summary")
        assert {q.group for q in asked} == {"leaning name", "neutral name"}
    names = {name for q in reports.questions(WORLD, random.Random(0), 300) for name in withheld if name in q.prompt}
    assert len(names) == len(withheld)
