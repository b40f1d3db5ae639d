"""Who knows all answers gets full marks in every ability, who knows none gets none: the marking is what is tested."""

import random
from collections import Counter

import numpy as np
import pytest

from xllm_widgets.exam import knowledge, probes, truth
from xllm_widgets.exam.abilities import EVERY
from xllm_widgets.exam.items import once
from xllm_widgets.exam.paper import Paper
from xllm_widgets.exam.scoring import shares
from xllm_widgets.microworld.world import World

WORLD = World.default()
ASKED = [ability for ability in EVERY if "sources" in getattr(ability.values, "keywords", {})]


class Counted(Paper):
    """A paper whose model has read of people in 1, 2, 4, … documents."""

    def counts(self) -> Counter:
        told = {person.name: max(1, 2000 >> (person.rank % 11)) for person in WORLD.citizens}
        return Counter({f"{r}:{name}": count for name, count in told.items() for r in knowledge.RELATIONS})


def book_of(ability, n: int) -> dict[str, str]:
    rng = Paper(None, n=n).rng(ability.name)
    return {q.prompt: q.answer for source in ability.values.keywords["sources"] for q in once(source, WORLD, rng, n)}


@pytest.mark.parametrize("ability", ASKED, ids=lambda ability: ability.name)
def test_full_marks_for_all_answers_and_none_for_silence(answer_book, ability) -> None:
    book = book_of(ability, 12)
    full = ability.measure(Paper(answer_book(lambda prompt: book[prompt]), n=12))
    assert {result.estimate for result in full.values()} == {1.0}
    assert all(result.low < 1 == result.high and result.n >= 1 for result in full.values())
    none = ability.measure(Paper(answer_book(lambda prompt: " zzz"), n=12))
    assert not any(result.estimate for result in none.values() if result.n > 30), (
        "options apart, where one must be taken"
    )


def test_names_are_told_apart_and_fit_a_command_line() -> None:
    names = [ability.name for ability in EVERY]
    assert len(set(names)) == len(names)
    assert not any(" " in name or "/" in name for name in names)


def test_what_a_model_lacks_is_not_asked_for(answer_book) -> None:
    base, chat = (Paper(answer_book(lambda _: "", chat=chat)) for chat in (False, True))
    fitting = {True: set(), False: set()}
    for paper, is_chat in ((base, False), (chat, True)):
        fitting[is_chat] = {ability.name for ability in EVERY if ability.fits(paper)}
    assert {"refusals", "confidence"} <= fitting[True] - fitting[False]
    assert "verdicts" in fitting[False]
    assert "facts" not in fitting[True], "nobody knows what this model has read"


def test_verdicts_are_those_of_the_tables() -> None:
    asked = truth.verdict_questions(WORLD, random.Random(0), 200)
    checked = 0
    for question in asked:
        true, negated = question.answer == " true", " not " in question.prompt
        text = question.prompt.removeprefix("Statement: ").removesuffix(".\nVerdict:")
        if question.group in ("country", "job"):
            cut = {"country": " a city in ", "job": " work as a " if negated else " works as a "}[question.group]
            subject, said = text.split(cut)
            assert (" not" in subject) == negated
            name = subject.removesuffix(" does not").removesuffix(" is not").removesuffix(" is")
            person = {c.name: c.job for c in WORLD.citizens} | {c.name: c.country for c in WORLD.cities}
            assert (person[name] == said) == (true != negated), text
            checked += 1
    assert checked >= 60


def test_who_always_tells_the_truth_fails_as_a_liar(answer_book) -> None:
    job, country = {c.name: c.job for c in WORLD.citizens}, {c.name: c.country for c in WORLD.cities}
    truths = {f"{name} works as a": f" {value}" for name, value in job.items()}
    truths |= {f"{name} is a city in": f" {value}" for name, value in country.items()}
    lm = answer_book(lambda prompt: truths.get(prompt.split(" says: ")[1], " nothing"))
    results = shares(truth.speaker_hits(Paper(lm, n=100)))
    for kind in ("job", "country"):
        assert results[f"honest: {kind}"].estimate == 1
        assert results[f"lying: {kind}"].estimate == 0
    assert results["honest"].n + results["lying"].n == 100
    assert abs(results["honest"].n - results["lying"].n) < 5, "others take the place of repetitions"


def test_facts_are_held_against_their_counts(answer_book) -> None:
    told = Counted(None).counts()
    answers = {(p.name, "job"): p.job for p in WORLD.citizens} | {(p.name, ""): p.birthplace for p in WORLD.citizens}

    def answer(prompt: str) -> str:
        relation = "job" if "job" in prompt else ""
        name = next((p.name for p in WORLD.citizens if p.name in prompt), "a ghost")
        return f" {answers[name, relation]}" if told[f"job:{name}"] >= 16 else " nothing"

    results = knowledge.measure_facts(Counted(answer_book(answer), n=110))
    assert results["head"].estimate == 1
    assert results["tail"].estimate == 0
    assert results["told 4 to 7 times"].estimate == 0
    assert results["accuracy by log count"].estimate > 0.8
    assert results["accuracy by log count"].n >= 8
    assert results["never told"].estimate == 0
    assert knowledge.measure_facts(Counted(answer_book(answer), n=11))["accuracy by log count"].n >= 8


def test_a_place_written_into_one_layer_is_found_there_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(160, 2))
    x = rng.normal(size=(160, 4, 12))
    x[:, 2, :2] += 3 * targets
    assert probes.choose_layer(x, targets, 0) == 2
    found = probes.r_squared(targets[:, 0], probes.predict(x, targets)[:, 0])
    assert 0.8 < found.low < found.estimate < found.high < 1
    shuffled = rng.permutation(targets)
    assert probes.r_squared(shuffled[:, 0], probes.predict(x, shuffled)[:, 0]).estimate < 0.1


def test_space_is_read_off_the_model_city_by_city(answer_book) -> None:
    where = {f"Seen from {city.name}": (city.latitude, city.longitude) for city in WORLD.cities}

    def activations(prompts):
        x = np.random.default_rng(1).normal(size=(len(prompts), 2, 1, 8))
        x[:, 1, 0, :2] += np.array([where[prompt] for prompt in prompts]) / 10
        return x

    results = probes.measure_space(Paper(answer_book(None, activations=activations)))
    assert results["latitude"].estimate > 0.7
    assert results["longitude"].n == len(WORLD.cities)
    assert results["longitude, shuffled"].estimate < 0.05


def test_inferences_are_counted_by_how_much_is_given(answer_book) -> None:
    ability = next(ability for ability in EVERY if ability.name == "inference")
    book = book_of(ability, 54)
    given = answer_book(lambda prompt: book[prompt] if prompt.count(".") == 3 else " zzz")
    found = ability.measure(Paper(given, n=54))
    assert found["2-2"].estimate == found["2-2: rdfs9"].estimate == 1
    assert found["2-2"].n == found["0-2"].n == 18
    assert found["0-2"].estimate < 0.7
