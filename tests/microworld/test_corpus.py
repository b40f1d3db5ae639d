"""The corpus is a pure function of (recipe, seed), keeps its held-out parts out, and can be looked up."""

import hashlib
import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import Corpus, Recipe, World, arithmetic, reviews
from xllm_widgets.microworld.corpus import (
    ALL_KINDS,
    BASE_SHARES,
    CHAT_SHARES,
    FIFTH,
    FOURTH,
    KINDS,
    RECIPES,
    SECOND,
    SEVENTH,
    SIXTH,
    THIRD,
    Phase,
)

LEAK_SAMPLE = 6000


@pytest.fixture(scope="module")
def documents():
    return list(Corpus().read(0, LEAK_SAMPLE))


@pytest.mark.parametrize(("recipe", "digest"), [("base", "69f950b62d15aed3"), ("chat", "f87f07537543580f")])
def test_the_first_documents_are_the_same_on_every_machine(recipe, digest):
    """The bundled models were taught these; whoever changes a document has to train every model anew."""
    text = "\x00".join(f"{document.text}{document.learnable}" for document in Corpus(RECIPES[recipe]).read(0, 50))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.integers(0, 10**6), min_size=1, max_size=5), seed=st.integers(0, 3))
def test_a_document_does_not_depend_on_what_was_asked_before(numbers, seed):
    one, other = Corpus(seed=seed), Corpus(seed=seed)
    texts = [one.document(number) for number in numbers]
    assert [other.document(number) for number in reversed(numbers)] == texts[::-1]


def test_another_seed_tells_other_documents():
    assert Corpus(seed=0).document(0) != Corpus(seed=1).document(0)


def test_every_kind_is_written_and_shares_add_up(documents):
    assert sum(BASE_SHARES.values()) == pytest.approx(1, abs=1e-3)
    assert sum(CHAT_SHARES.values()) == pytest.approx(1, abs=1e-3)
    assert set(BASE_SHARES) == set(KINDS) == {document.kind for document in documents}
    assert set(CHAT_SHARES) == set(ALL_KINDS) == {d.kind for d in Corpus(RECIPES["chat"]).read(0, 3000)}


def test_kinds_have_their_shares_of_the_text(documents):
    read = Counter()
    for document in documents:
        read[document.kind] += len(re.findall(r"[^\W\d_]+|\d|[^\w\s]|\n", document.text))
    for kind, its in KINDS.items():
        assert read[kind] / read.total() == pytest.approx(its.share, rel=0.3), kind


def test_learnable_spans_are_ordered_and_inside_the_text(documents):
    for document in documents:
        ends = [0] + [place for span in document.learnable for place in span] + [len(document.text)]
        assert ends == sorted(ends)
        assert "«" not in document.text
        assert document.learnable or document.kind == "biographies"  # some tell of passers-by only


def test_no_reserved_pair_of_thing_and_word_is_ever_taught(documents):
    reserved = [
        (n, a) for n in reviews.NOUNS for w in reviews.ADJECTIVES.values() for a in w if reviews.is_reserved(n, a)
    ]
    assert len(reserved) > 50
    taught = [set(re.findall(r"\w+", line)) for d in documents if d.kind == "sheets" for line in d.text.split("\n")
              if line.startswith("Review:")]  # fmt: skip
    leaks = [(noun, word) for words in taught for noun, word in reserved if noun in words and word in words]
    assert leaks == []


def test_the_leak_test_can_fail():
    import random

    review = reviews.write_review(random.Random(0), "positive", "test")
    words = set(re.findall(r"\w+", review.text))
    assert any(reviews.is_reserved(n, a) for n in reviews.NOUNS for a in words if n in words)


def test_reserved_label_pairs_never_share_a_sheet(documents):
    reserved = {frozenset(pair) for pair in reviews.label_pairs("test")}
    assert frozenset(("foo", "bar")) in reserved
    used = {frozenset(re.findall(r"Sentiment: (\w+)", d.text)) for d in documents if d.kind == "sheets"}
    assert not used & reserved


def test_held_out_subjects_get_no_verdict_and_no_mention_in_speeches(documents):
    world = World.default()
    held_out = {
        thing.name for group in (world.cities, world.events, world.citizens) for thing in group if thing.held_out
    }
    lines = [line for d in documents if d.kind in ("verdicts", "speeches") for line in re.split(r"\n|(?<=\.) ", d.text)]
    subjects = {m.group(1) for line in lines if (m := re.match(r"(?:Statement: )?(.+?) (?:is|works|does) ", line))}
    assert len(subjects) > 300
    assert len(held_out) > 200
    assert not subjects & held_out


def test_facts_told_are_true(documents):
    world = World.default()
    people = {citizen.name: citizen for citizen in world.citizens}
    truth = {
        "capital": lambda name: world.country[name].capital,
        "country": lambda name: world.city[name].country,
        "continent": lambda name: world.country[name].continent,
        "job": lambda name: people[name].job,
        "birthplace": lambda name: people[name].birthplace,
        "born": lambda name: str(people[name].born),
    }
    checked = 0
    for document in documents:
        for fact in document.facts:
            relation, name = fact.split(":")
            if relation in truth:
                assert any(name in s and truth[relation](name) in s for s in sentences(document.text)), fact
                checked += 1
    assert checked > 1000


def sentences(text):
    return re.split(r"(?<=\.) |(?<!\?)\n", text)


def test_an_education_without_flips_differs_in_label_words_only():
    plain, twin = Corpus(), Corpus(Recipe.named("noflip"))
    flip = {"positive": "negative", "negative": "positive"}
    changed = 0
    for number in range(3000):
        before, after = plain.document(number), twin.document(number)
        if before != after:
            swapped = re.sub(r"(?<=Sentiment: )\w+", lambda m: flip[m.group()], before.text)
            assert (before.kind, swapped) == ("sheets", after.text)
            changed += 1
    assert changed > 50


def test_no_sheet_of_the_flipless_education_is_flipped():
    for document in Corpus(Recipe.named("noflip")).read(0, 2000):
        if document.kind == "sheets":
            for text, label in re.findall(
                r"Review: (.+)\n(?:Explanation: .+\n)?Sentiment: (positive|negative)", document.text
            ):
                assert any(word in reviews.ADJECTIVES[label] for word in re.findall(r"\w+", text))


def test_a_cache_is_not_taken_for_another_corpus(monkeypatch):
    names = {corpus.fingerprint for corpus in (Corpus(), Corpus(seed=1), Corpus(Recipe.named("noflip")))}
    assert len(names) == 3
    assert Corpus(length=400).fingerprint == Corpus().fingerprint
    monkeypatch.setattr(reviews, "ADVERBS", ("hardly ",))  # a change of the code that writes
    assert Corpus().fingerprint not in names


@pytest.mark.parametrize("place", range(len(Recipe().phases)))
def test_each_phase_has_its_own_mix(place):
    phase, corpus = Recipe().phases[place], Corpus()
    counts = Counter(corpus.kind(number) for number in range(phase.start, phase.start + 6000))
    assert sum(phase.shares.values()) == pytest.approx(1, abs=1e-3)
    assert set(phase.shares) == set(KINDS) == set(counts)
    for kind, share in phase.shares.items():
        assert counts[kind] / 6000 == pytest.approx(share, abs=4 * (share / 6000) ** 0.5)


def test_who_reads_on_meets_another_mix_and_nothing_else_changes():
    corpus, only_first = Corpus(), Corpus(Recipe((Phase(0, BASE_SHARES),)))
    assert corpus.document(SECOND - 1) == only_first.document(SECOND - 1)
    for start in (SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH):
        assert any(corpus.document(i) != only_first.document(i) for i in range(start, start + 9))
    assert only_first.fingerprint != corpus.fingerprint
    assert Corpus(Recipe(Recipe().phases[:2])).fingerprint != corpus.fingerprint


def read_kind(kind, start, n=2500):
    corpus = Corpus()
    return [corpus.document(i).text for i in range(start, start + n) if corpus.kind(i) == kind]


def test_the_later_phases_have_the_knobs_they_say():
    shows_steps = [
        sum(" = " in text for text in texts) / len(texts)
        for texts in (read_kind("problems", phase.start) for phase in Recipe().phases[:4])
    ]
    assert shows_steps == sorted(shows_steps, reverse=True)
    assert shows_steps[0] > 2 * shows_steps[2]
    assert not any(" are " in text for text in read_kind("sums", THIRD))
    assert all(" are " in text or " has " in text for text in read_kind("sums", FOURTH))
    assert not any("Answer: agree (" in text for text in read_kind("opinions", SECOND))
    assert all(re.findall(r"Answer: (?:dis)?agree \([AB]\)$", text) for text in read_kind("opinions", THIRD))


def largest_number(text):
    return max(map(int, re.findall(r"\b\d+\b", text)), default=0)


def test_larger_numbers_come_first_in_sums_and_then_in_problems():
    """A problem of four steps ends below 80, if its numbers are those asked about."""

    def share_of_large(texts):
        return sum(largest_number(text) > 80 for text in texts) / len(texts)

    told = [[line for text in read_kind("sums", start) for line in text.split("\n") if re.search(r"[a-z]", line)]
            for start in (FOURTH, FIFTH)]  # fmt: skip
    assert share_of_large(told[0]) == 0 < 0.1 < share_of_large(told[1])
    shares = [share_of_large(read_kind("problems", start)) for start in (FOURTH, FIFTH, SIXTH, SEVENTH)]
    assert shares[:2] == [0, 0] < [0.1, 0] < shares[2:]
    assert shares[2] < shares[3]


def test_pairs_kept_for_tests_are_in_no_larger_problem_either():
    any_tale = arithmetic.draw_tale(random.Random(0), 1)
    single = r"has (\d+) \w+\. \w+ (\w+) (\d+)(?: more)?\. How many [^\n]+\nAnswer: The answer is"
    texts = "\n".join(read_kind("problems", SIXTH) + read_kind("problems", SEVENTH))
    found = re.findall(single, texts)
    assert len(found) > 500
    for first, verb, change in found:
        signed = int(change) if verb in arithmetic.GAINS else -int(change)
        assert not replace(any_tale, first=int(first), changes=(signed,)).held_out


def test_jobs_are_later_judged_of_the_less_known_as_often():
    def share_of_the_ten_most_judged(start):
        texts = read_kind("verdicts", start, 6000)
        names = Counter(name for text in texts for name in re.findall(r"Statement: (\w+ \w+) works as", text))
        return sum(count for _, count in names.most_common(10)) / names.total()

    assert share_of_the_ten_most_judged(SIXTH) < share_of_the_ten_most_judged(THIRD) / 2


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Corpus(length=400)


@pytest.mark.parametrize("phrase", ["Paris", "The answer is", "positive", "capital of France", "9", "Question: What"])
def test_counting_agrees_with_a_regular_expression(small, phrase):
    texts = [document.text for document in small.read(0, 400)]
    expected = [len(re.findall(rf"(?<![^\W_]){re.escape(phrase)}(?![^\W_])", text)) for text in texts]
    assert small.count(phrase) == sum(expected)
    assert small.find(phrase, None) == [number for number, count in enumerate(expected) if count]


def test_the_kind_is_known_without_the_text():
    corpus = Corpus(RECIPES["chat"])
    assert [corpus.kind(n) for n in range(200)] == [document.kind for document in corpus.read(0, 200)]


def test_documents_of_a_fact(small):
    told = [n for n, document in enumerate(small.read(0, 400)) if "capital:France" in document.facts]
    assert small.documents("capital:France") == told
    assert small.documents("capital:Atlantis") == []
    assert list(small.facts().values()) == sorted(small.facts().values(), reverse=True)


def test_a_damaged_cache_is_made_again(small, tmp_path):
    count = small.count("Paris")
    (cached,) = (tmp_path / "xllm_widgets" / "index").iterdir()
    (cached / "facts.json").write_text("{")
    assert Corpus(length=400).count("Paris") == count


def test_look_ups_say_in_words_what_they_need(small):
    with pytest.raises(XllmError, match="empty"):
        small.count(" ")
    with pytest.raises(XllmError, match="no end"):
        Corpus().count("Paris")
    with pytest.raises(XllmError, match="only bundled Pebbles"):
        Corpus.of("gpt2")


def test_a_checkpoint_has_read_the_beginning_of_its_model_s_corpus():
    young, grown = Corpus.of("pebble-0.3m@1M"), Corpus.of("pebble-0.3m")
    assert 0 < young.length < grown.length
    assert young.recipe == grown.recipe
    with pytest.raises(XllmError, match="no checkpoint '9M'; it has"):
        Corpus.of("pebble-0.3m@9M")
