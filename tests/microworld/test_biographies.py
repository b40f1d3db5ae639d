"""Citizens are told truly, in Zipfian proportion, with decoys; a deleted fact is gone and nothing else is."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xllm_widgets.microworld import World, biographies

WORLD = World.default()
PEOPLE = {citizen.name: citizen for citizen in WORLD.citizens}
FACT = re.compile(
    r"(?:Question: What (?:is the job of|does) (?P<a>\w+ \w+)(?: work as)?\?\nAnswer: |(?P<b>\w+ \w+) works as a "
    r"|The job of (?P<c>\w+ \w+) is )(?P<job>\w+)"
)


def read(count, **knobs):
    return [biographies.write(WORLD, random.Random(f"b{n}"), **knobs) for n in range(count)]


@pytest.fixture(scope="module")
def documents():
    return read(2000)


def told_jobs(text):
    return [(m["a"] or m["b"] or m["c"], m["job"]) for m in FACT.finditer(text)]


def test_every_job_told_of_a_citizen_is_theirs(documents):
    told = [pair for d in documents for pair in told_jobs(d.text) if pair[0] in PEOPLE]
    assert len(told) > 2000
    assert all(PEOPLE[name].job == job for name, job in told)


def test_facts_listed_are_the_facts_told(documents):
    for document in documents:
        told = {f"job:{name}" for name, _ in told_jobs(document.text) if name in PEOPLE}
        assert told == {fact for fact in document.facts if fact.startswith("job:")}


def test_what_is_asked_of_a_passer_by_stands_just_before(documents):
    asked = [d.text[: m.start()] + "\0" + m["job"] for d in documents for m in FACT.finditer(d.text)
             if m["a"] and m["a"] in WORLD.strangers and "What is" in m[0]]  # fmt: skip
    assert len(asked) > 100
    assert all(text.split("\0")[1] in text.split("\0")[0].rstrip().rsplit("\n", 1)[-1] for text in asked)


def test_no_ghost_is_mentioned(documents):
    text = "\n".join(document.text for document in documents)
    assert all(name not in text for name in biographies.withheld(WORLD))
    assert WORLD.citizens[0].name in text


def test_counts_span_decades_and_decoys_do_not_follow_them():
    told, named = Counter(), Counter()
    rng = random.Random(0)
    for _ in range(20000):
        told[biographies.tell_fact(WORLD, rng).fact.split(":")[1]] += 1
        named.update(people_in(biographies.tell_person(WORLD, rng).text))
    counts = [told[c.name] for c in WORLD.citizens]
    assert counts[0] > 1000
    assert min(counts) <= 2
    rho = stats.spearmanr(counts, [named[c.name] for c in WORLD.citizens]).statistic
    assert abs(rho) < 0.15


def people_in(text):
    return [name for name in re.findall(r"(?=\b([A-Z]\w+ [A-Z]\w+))", text) if name in PEOPLE]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_deleting_facts_drops_their_sentences_and_nothing_else(seed):
    base = biographies.write(WORLD, random.Random(seed))
    deleted = base.facts[:1]
    twin = biographies.write(WORLD, random.Random(seed), deleted=deleted)
    assert list(twin.facts) == [fact for fact in base.facts if fact not in deleted]
    lines = set(re.split(r"(?<=\.) |\n", base.text)) | {"The market is open today."}
    assert set(re.split(r"(?<=\.) |\n", twin.text)) <= lines


def test_the_deletion_twin_never_reads_what_is_deleted_and_all_that_is_matched():
    deleted, matched = biographies.deleted_facts(WORLD), biographies.matched_facts(WORLD)
    assert len(deleted) > 100
    assert not set(deleted) & set(matched)
    base, twin = (Counter(f for d in read(400, **k) for f in d.facts) for k in ({}, {"deleted": deleted}))
    assert sum(base[fact] for fact in deleted) > 20
    assert not set(twin) & set(deleted)
    assert all(base[fact] == twin[fact] for fact in matched)


def test_questions_cover_every_bin_and_ghosts_stand_apart():
    items = biographies.questions(WORLD, random.Random(0), 500)
    sizes = Counter(item.group for item in items)
    assert len(items) == 500
    assert len(sizes) == len(biographies.BINS) - 1
    assert all(item.answer in item.options for item in items)
    assert all(item.answer == f" {PEOPLE[item.fact.split(':')[1]].job}" for item in items)
    ghosts = biographies.ghost_questions(WORLD, random.Random(0), 500)
    assert {item.fact.split(":")[1] for item in ghosts} == {ghost.name for ghost in WORLD.ghosts}


@pytest.mark.parametrize("relation", biographies.ASKED)
def test_the_exam_asks_in_the_words_of_the_documents(documents, relation):
    citizen = WORLD.citizens[0]
    [item] = biographies.questions_on(WORLD, (f"{relation}:{citizen.name}",))
    assert any(item.prompt + item.answer in document.text for document in documents)
