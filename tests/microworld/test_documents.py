"""What the documents say is true of the world, checked from the text alone."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, arithmetic, citizens, geography, reviews, statements
from xllm_widgets.microworld.world import rows
from xllm_widgets.paths import facts_dir

WORLD = World.default()
POOLS = (WORLD.citizens, WORLD.ghosts, WORLD.heroes, WORLD.movers, WORLD.travellers)
seeds = st.integers(0, 2**32)


def test_invented_people_are_the_shipped_table():
    for pool, people in citizens.invent().items():
        assert people == rows(facts_dir() / f"{pool}.csv")


def test_names_are_unique_and_join():
    names = [thing.name for group in (WORLD.cities, WORLD.events, *POOLS) for thing in group]
    assert len(names) == len(set(names))
    assert all(city.country in WORLD.country for city in WORLD.cities)
    assert all(WORLD.city[country.capital].country == country.name for country in WORLD.countries)
    assert all(citizen.birthplace in WORLD.city for citizen in WORLD.citizens)


@pytest.mark.parametrize(
    ("here", "there", "hours"), [("Paris", "London", 4), ("Paris", "Rome", 12), ("Sydney", "London", 170)]
)
def test_hours_follow_the_great_circle(here, there, hours):
    assert WORLD.city[here].hours_to(WORLD.city[there]) == pytest.approx(hours, abs=1)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_directions_agree_with_coordinates(seed):
    here, there, where = geography.bearing(WORLD, random.Random(seed))
    expected = {
        "north": there.latitude > here.latitude,
        "south": there.latitude < here.latitude,
        "east": there.longitude > here.longitude,
        "west": there.longitude < here.longitude,
    }
    assert expected[where]


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, arithmetic.MOST_STEPS))
def test_worked_problems_are_worked_rightly(seed, steps):
    problem = arithmetic.write_problem(random.Random(seed), steps)
    gains = sum(int(n) for n in re.findall(r"(?:buys|finds|gets) (\d+) more", problem.question))
    losses = sum(int(n) for n in re.findall(r"(?:loses|sells|eats) (\d+)\.", problem.question))
    start = int(re.search(r"has (\d+)", problem.question).group(1))
    assert problem.answer == start + gains - losses >= 0
    assert len(problem.working) == steps
    for step in problem.working:
        left, right = step.split(" = ")
        assert eval(left) == int(right)
    assert problem.worked.endswith(problem.direct)


@settings(max_examples=80, deadline=None)
@given(seeds, st.booleans(), st.sampled_from(sorted(statements.KINDS)), st.sampled_from(["train", "test"]))
def test_statements_have_the_truth_they_claim(seed, true, kind, split):
    statement = statements.make_statement(WORLD, random.Random(seed), true, split, kind)
    assert holds(statement) == true
    assert statements.World.default() is WORLD
    held_out = {t.name for g in (WORLD.cities, WORLD.events, WORLD.citizens) for t in g if t.held_out}
    assert (statement.subject in held_out) == (split == "test")
    assert "not" in statement.text(negated=True)
    assert "not" not in statement.text()


def holds(statement):
    """The truth of a statement, from its words and the tables alone."""
    year = {event.phrase.lower(): event.year for event in WORLD.events}
    job = {citizen.name: citizen.job for citizen in WORLD.citizens}
    text = statement.text()[:-1]
    if m := re.fullmatch(r"(.+) is a city in (.+)", text):
        return WORLD.city[m[1]].country == m[2]
    if m := re.fullmatch(r"(.+) is the capital of (.+)", text):
        return WORLD.country[m[2]].capital == m[1]
    if m := re.fullmatch(r"(.+) works as a (.+)", text):
        return job[m[1]] == m[2]
    if m := re.fullmatch(r"(.+) is (older|younger) than (.+)", text):
        return (year[m[1].lower()] < year[m[3].lower()]) == (m[2] == "older")
    m = re.fullmatch(r"(.+) is (\w+) of (.+)", text)
    a, b = WORLD.city[m[1]], WORLD.city[m[3]]
    return {"north": a.latitude > b.latitude, "south": a.latitude < b.latitude,
            "east": a.longitude > b.longitude, "west": a.longitude < b.longitude}[m[2]]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(seeds, st.sampled_from(reviews.SENTIMENTS), st.sampled_from(["train", "test"]))
def test_reviews_carry_their_sentiment_in_the_words_they_name(seed, sentiment, split):
    review = reviews.write_review(random.Random(seed), sentiment, split)
    words = [review.text[start:end] for start, end in review.sentiment_words]
    assert words
    assert all(word in reviews.ADJECTIVES[sentiment] for word in words)
    other = reviews.ADJECTIVES["positive" if sentiment == "negative" else "negative"]
    assert not set(re.findall(r"\w+", review.text)) & set(other)
    assert all(word in review.explanation for word in words)
    assert all(reviews.neutral_word(word) in reviews.NEUTRAL for word in words)


def test_the_prompt_has_the_layout_of_the_sheets():
    prompt = reviews.render_prompt([("It was fun.", "foo"), ("It was sad.", "bar", "sad is a harsh word.")], "Well.")
    assert prompt == (
        "Review: It was fun.\nSentiment: foo\n\n"
        "Review: It was sad.\nExplanation: sad is a harsh word.\nSentiment: bar\n\n"
        "Review: Well.\nSentiment:"
    )
    sheet = next(reviews.write_sheet(WORLD, random.Random(seed)) for seed in range(9))
    texts, labels = re.findall("Review: (.+)\n", sheet.text), re.findall(r"Sentiment: (\w+)", sheet.text)
    explanations = re.findall("Explanation: (.+)\n", sheet.text) or [None] * len(texts)
    assert "".join(map(reviews.render_demonstration, texts, labels, explanations)).startswith(sheet.text)


def test_neutral_words_replace_sentiment_words_only():
    assert reviews.neutral_word("film") is None
