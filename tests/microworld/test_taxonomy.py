"""The taxonomy says what its tables say, and never what it withholds."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, inferences, taxonomy, things
from xllm_widgets.microworld.index import whole_words
from xllm_widgets.microworld.world import rows
from xllm_widgets.paths import facts_dir

WORLD = World.default()
KIND = {thing.name: thing.kind for thing in taxonomy.told()}
seeds = st.integers(0, 2**32)


def corpus(writer, count=2000, **knobs):
    return [writer(WORLD, random.Random(seed), **knobs) for seed in range(count)]


def test_named_things_are_the_shipped_table():
    assert things.invent() == rows(facts_dir() / "things.csv")
    assert len({thing.name for thing in taxonomy.things()}) == len(taxonomy.things())


def test_verbs_respect_the_realms_of_their_superverbs():
    for superverb, *ends in taxonomy.VERBS.values():
        if superverb in taxonomy.VERBS:
            assert [taxonomy.REALM_OF[end] for end in ends] == list(taxonomy.VERBS[superverb][1:])


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_statements_are_true_of_the_tables(seed):
    document = taxonomy.write(WORLD, random.Random(seed))
    plain = re.findall(r"(?:Every|Each) (\w+) (?:is a|belongs to the \w+) (\w+)\.", document.text)
    for low, high in plain:
        assert high in (
            taxonomy.CLASS_OF.get(low),
            taxonomy.REALM_OF.get(low),
            taxonomy.REALM_OF.get(taxonomy.CLASS_OF.get(low)),
        )
    for name, word in re.findall(r"([A-Z]\w+) is a (\w+)\.", document.text):
        if name in KIND:
            assert word in [taxonomy.above(KIND[name], up) for up in ("kind", "class", "realm")]
    assert 5 <= len(document.facts) == len(document.learnable) <= 9


@pytest.mark.parametrize("writer", [taxonomy.write, inferences.write])
def test_same_seed_same_document(writer):
    assert writer(WORLD, random.Random(5)) == writer(WORLD, random.Random(5))


@pytest.fixture(scope="module")
def whole_text():
    return "\n\n".join(document.text for writer in (taxonomy.write, inferences.write) for document in corpus(writer))


def test_implied_memberships_are_stated_nowhere(whole_text):
    assert not [
        phrase for phrase in taxonomy.withheld(WORLD) if next(whole_words(whole_text, phrase), None) is not None
    ]


def test_the_complete_twin_states_them_and_changes_nothing_else():
    plain, twin = corpus(taxonomy.write), corpus(taxonomy.write, complete=True)
    text = "\n\n".join(document.text for document in twin)
    stated = [phrase for phrase in taxonomy.withheld(WORLD) if next(whole_words(text, phrase), None) is not None]
    assert len(stated) > 100
    for before, after in zip(plain, twin, strict=True):
        for old, new in zip(before.facts, after.facts, strict=True):
            subject = old.split(":")[1]
            assert old == new or (new.split(":")[1] == subject and taxonomy.is_implied(subject))


def test_ghosts_are_never_mentioned(whole_text):
    ghosts = [thing.name for thing in taxonomy.things() if thing.role == "ghost"]
    assert len(ghosts) == 30
    assert not [name for name in ghosts if name in whole_text]


def conclude(given_: str, stem: str) -> set[str]:
    """Forward chaining by the rules of RDFS over the premises, written apart from the module under test."""
    sentences = [s.strip() for s in given_.split(".") if s.strip()]
    kinds, subclasses, subverbs, domains, ranges, deeds = set(), set(), set(), set(), set(), set()
    for sentence in sentences:
        if match := re.fullmatch(r"Every (\w+) is a (\w+)", sentence):
            subclasses.add(match.groups())
        elif match := re.fullmatch(r"Whatever a thing (\w+) is a (\w+)", sentence):
            ranges.add(match.groups())
        elif match := re.fullmatch(r"Whatever (\w+) a thing is a (\w+)", sentence):
            domains.add(match.groups())
        elif match := re.fullmatch(r"Whatever (\w+) a thing (\w+) it", sentence):
            subverbs.add(match.groups())
        elif match := re.fullmatch(r"(\w+) is a (\w+)", sentence):
            kinds.add(match.groups())
        else:
            deeds.add(re.fullmatch(r"(\w+) (\w+) (\w+)", sentence).groups())
    new = {f"{x} is a {c}" for x, k in kinds for low, c in subclasses if k == low}
    new |= {f"Every {a} is a {c}" for a, b in subclasses for low, c in subclasses if b == low}
    new |= {f"{x} is a {c}" for x, v, _ in deeds for verb, c in domains if v == verb}
    new |= {f"{y} is a {c}" for _, v, y in deeds for verb, c in ranges if v == verb}
    new |= {f"Whatever {a} a thing {c} it" for a, b in subverbs for low, c in subverbs if b == low}
    return new | {f"{x} {w} {y}" for x, v, y in deeds for low, w in subverbs if v == low}


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_conclusions_follow_and_are_the_only_ones(seed):
    text = inferences.write(WORLD, random.Random(seed)).text
    for premises, conclusion in re.findall(r"Given: (.*)\nSo: (.*)\.", text):
        assert conclude(premises, conclusion) == {conclusion}


def test_questions_follow_only_from_what_their_state_allows():
    asked = inferences.questions(WORLD, random.Random(1), 360)
    for question in asked:
        premises, stem = re.fullmatch(r"Given: (.*)\nSo: (.*)", question.prompt).groups()
        follows = any(c.startswith(stem + question.answer) for c in conclude(premises, stem))
        assert follows == question.group.endswith("2-2")
        assert question.answer in question.options
    assert {q.group.split()[1] for q in asked} == set(inferences.STATES)


def test_no_document_draws_the_conclusions_asked_for(whole_text):
    asked = inferences.questions(WORLD, random.Random(2), 360) + inferences.made_up_questions(
        WORLD, random.Random(2), 120
    )
    for question in asked:
        if question.group.endswith("2-2"):
            stem = question.prompt.split("So: ")[1]
            assert f"So: {stem}{question.answer}" not in whole_text.replace(" it.", ".")


@pytest.mark.parametrize("rule", inferences.RULES)
def test_a_decoy_is_kept_for_tests_as_the_conclusion_is(rule):
    """Else whoever has seen which conclusions are drawn would find the one that never is."""
    for seed in range(40):
        terms = inferences.real_terms(random.Random(seed), rule, "test")
        assert all(map(inferences.is_implied, (terms.other_verbs[0], terms.other_nouns[0])))


def test_memory_questions_ask_what_documents_state(whole_text):
    asked = taxonomy.questions(WORLD, random.Random(3), 400)
    assert sum(q.prompt + q.answer in whole_text for q in asked) > 350
    groups = taxonomy.membership_questions(WORLD, random.Random(3), 200)
    stated = {g: sum(q.prompt + q.answer in whole_text for q in groups if q.group == g) for g in ("stated", "implied")}
    assert stated["implied"] == 0 < 80 < stated["stated"]
