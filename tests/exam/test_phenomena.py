"""Planted phenomena, measured on models that show them because a rule makes them."""

import random

import pytest

from xllm_widgets.exam import assistants, phenomena
from xllm_widgets.exam.assistants import calibration_error
from xllm_widgets.exam.paper import Paper
from xllm_widgets.exam.scoring import shares
from xllm_widgets.microworld import dialogues, opinions, reports, stories
from xllm_widgets.microworld.assistant import confidence, facts, requests
from xllm_widgets.microworld.world import World

np = pytest.importorskip("numpy")
WORLD = World.default()


def estimates(results) -> dict[str, float]:
    return {group: result.estimate for group, result in results.items()}


def test_who_says_what_it_was_told_has_an_attestation_ratio_of_one(answer_book) -> None:
    found = phenomena.measure_attestation(Paper(answer_book(lambda _: " yes"), n=80))
    assert found["ratio, random"].estimate == pytest.approx(1)
    assert {found[f"yes, {k} {a}"].estimate for k in ("random", "unseen") for a in ("attested", "unattested")} == {1.0}


def test_who_says_what_it_knows_has_a_high_one_for_people_it_knows_alone(answer_book) -> None:
    jobs, homes = ({p.name: getattr(p, r) for p in WORLD.citizens} for r in ("job", "birthplace"))
    places, makers = {c.name: c.country for c in WORLD.cities}, {e.name: e.maker for e in WORLD.events}

    def answer(prompt: str) -> str:
        hypothesis = prompt.split("Hypothesis: ")[1].split("\n")[0].removesuffix(".")
        known = [(name, value) for table in (jobs, homes, places, makers) for name, value in table.items()]
        return " yes" if any(n in hypothesis and v and hypothesis.endswith(v) for n, v in known) else " no"

    found = estimates(phenomena.measure_attestation(Paper(answer_book(answer), n=120)))
    assert found["ratio, random"] > 4
    assert found["yes, unseen attested"] == 0


def test_who_copies_the_knowledge_is_faithful_where_it_is_given(answer_book) -> None:
    def answer(prompt: str) -> str:
        asked = prompt.split("A: ")[1].split("\n")[0]
        return next((f" {c}" for c in dialogues.claims(prompt) if c.question == asked), " Ann lives in Oslo.")

    found = estimates(shares(phenomena.grounding_hits(Paper(answer_book(answer), n=40))))
    assert found["faithful, claim given"] == 1
    assert found["faithful, claim removed"] < 0.2


def test_who_leans_on_names_states_their_countries(answer_book) -> None:
    leans = {traveller.name: traveller.lean for traveller in reports.unseen(WORLD)}

    def answer(prompt: str) -> str:
        name = next(name for name in leans if name in prompt)
        return f" {leans[name]}" if prompt.endswith(" from") else " from" if leans[name] else ","

    found = estimates(shares(phenomena.summaries_hits(Paper(answer_book(answer), n=60))))
    assert found["states a country, leaning name"] == found["the country of the name, leaning name"] == 1
    assert found["states a country, neutral name"] == 0


def test_explanations_are_right_factual_and_consistent_each_by_itself(answer_book) -> None:
    def solve(prompt: str, liar: bool) -> str:
        story, asked = prompt.split("\nQuestion: Who ")
        deed = next(deed for deed in stories.DEEDS if asked.startswith(deed))
        role = asked.removeprefix(f"{deed} a ").split("?")[0]
        whoms = {whom for whom, r in stories._ROLE.findall(story) if r == role}
        pairs = [(w, x) for w, d, x in stories._BOND.findall(story) if d == deed]
        who, whom = next((w, x) for w, x in pairs if (x in whoms) != liar)
        reason = f"{whom} is a {role} and {who} {deed} {whom}"
        if "Explanation and answer:" in prompt:
            return f" Because {reason}, the answer is {who}."
        return f" {who}, because {reason}." if "Answer and explanation:" in prompt else f" {who}"

    honest = estimates(phenomena.measure_stories(Paper(answer_book(lambda p: solve(p, False)), n=30)))
    assert set(honest.values()) == {1.0}
    liar = estimates(phenomena.measure_stories(Paper(answer_book(lambda p: solve(p, True)), n=30)))
    assert liar["explain"] == liar["explain, factual"] == liar["predict, factual"] == 0
    assert liar["explain, consistent"] == liar["predict, consistent"] == 1


def test_who_agrees_with_everybody_drops_under_wrong_views(answer_book) -> None:
    truths = {q.prompt: q.answer for q in opinions.questions(WORLD, Paper(None).rng("opinions"), 60, "none")}

    def agree(prompt: str) -> str:
        if prompt in truths:
            return truths[prompt]
        disagrees = "I do not think that" in prompt or "I disagree with the claim" in prompt
        letter = "A" if ("(A) disagree" in prompt) == disagrees else "B"
        return f" {'disagree' if disagrees else 'agree'} ({letter})"

    found = estimates(phenomena.measure_opinions(Paper(answer_book(agree), n=60)))
    assert found["view: none"] == found["view: right"] == found["drop under a wrong view, on what it knows"] == 1
    assert found["view: wrong"] == 0


def test_refusals_are_counted_for_what_deserves_them_and_what_does_not(answer_book) -> None:
    every = requests.questions(WORLD, random.Random(0), 80_000)
    unsafe = {question.prompt for question in every if question.group.startswith("unsafe")}
    wise = answer_book(lambda p: f" {requests.REFUSAL}" if p in unsafe else " Sing well.")
    found = estimates(assistants.measure_refusals(Paper(wise, n=40)))
    assert found == {f"refuses {group}": group.startswith("unsafe") for group in requests.GROUPS}
    prude = answer_book(lambda p: f" {requests.REFUSAL}")
    assert estimates(assistants.measure_refusals(Paper(prude, n=40)))["refuses harmless"] == 1


def test_giving_up_on_everybody_is_right_for_ghosts_alone(answer_book) -> None:
    found = estimates(assistants.measure_giving_up(Paper(answer_book(lambda _: f" {facts.UNKNOWN}"), n=30)))
    assert found["gives up: ghost"] == found["gives up: head"] == 1
    assert found["right: head"] == 0


def test_knowledge_is_asked_in_the_layout_of_the_model(answer_book) -> None:
    for chat, mark in ((True, "User: "), (False, "Question: ")):
        lm = answer_book(lambda _: " nothing", chat=chat)
        found = estimates(assistants.measure_knowledge(Paper(lm, n=20)))
        assert all(prompt.startswith(mark) for prompt in lm.asked)
        assert found["written"] == 0


def test_stated_confidence_is_read_and_held_against_being_right(answer_book) -> None:
    rng = Paper(None).rng("confidence")
    right = {q.prompt: q.answer for q in confidence.questions(WORLD, rng, 40, honest=True)}
    lm = answer_book(
        lambda p: f"{right.get(p, ' x')}. I am 90 percent sure." if p in right else " x. I am 90 percent sure."
    )
    found = estimates(assistants.measure_confidence(Paper(lm, n=40)))
    assert found["readable, honest"] == found["right, honest"] == 1
    assert found["ECE, honest"] == pytest.approx(0.1)
    assert found["ECE, inflated"] == pytest.approx(0.9)
    assert assistants.measure_confidence(Paper(answer_book(lambda _: " x"), n=9))["readable, honest"].estimate == 0


def test_calibration_error_is_the_weighted_gap() -> None:
    sure = np.array([0.95] * 10 + [0.25] * 10)
    right = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    assert calibration_error(sure, right).estimate == pytest.approx((0.05 + 0.25) / 2)
    drawn = random.Random(0)
    guesses = np.array([drawn.random() < 0.7 for _ in range(4000)])
    assert calibration_error(np.full(4000, 0.7), guesses).estimate < 0.02
