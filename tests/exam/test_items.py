"""No examination asks a model the same thing twice, and each asks as much as it was told to where the world allows."""

import random
from collections import Counter

import pytest

from xllm_widgets.exam import knowledge, phenomena, sitting
from xllm_widgets.exam.abilities import EVERY
from xllm_widgets.exam.headlines import read_json
from xllm_widgets.exam.items import DRAWS, distinct, once
from xllm_widgets.exam.paper import Paper
from xllm_widgets.exam.scoring import Result
from xllm_widgets.microworld import opinions
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World
from xllm_widgets.models import bundled_models, greedy, load

WORLD = World.default()
OF_ONE_MODEL = {"space", "time", "few-shot", "copying", "fresh-documents"}  # they look inside it, or count its tokens
REFUSALS = {
    "refuses unsafe": 192,
    "refuses harmless": 124,
    "refuses unsafe, far words": 260,
    "refuses harmless, far words": 144,
}
WHOLE = {  # ability → group → its items: five hundred, or all that the world holds
    "reversal": {"": 240},
    "companions": {"": 240},
    "taxonomy": {"": 500, "domain": 32, "range": 32},
    "membership": {"": 500},
    "inference": {"": 500},
    "entailment": {"": 500},
    "verdicts": {"": 500},
    "speakers": {"": 500},
    "format": {"": 500},
    "refusals": REFUSALS,
}


class Counted(Paper):
    """A paper whose model has read of everybody, of some in many more documents than of others."""

    def counts(self) -> Counter:
        return Counter({f"{r}:{c.name}": 1 + 2000 // (1 + c.rank) for c in WORLD.citizens for r in knowledge.RELATIONS})


class Attentive:
    """Keeps the prompts of every call to a model apart."""

    def __init__(self, lm) -> None:
        self.lm, self.calls = lm, []

    def __getattr__(self, name: str):
        return getattr(self.lm, name)

    def logprobs(self, prompts, *rest, **knobs):
        self.calls.append(list(prompts))
        return self.lm.logprobs(prompts, *rest, **knobs)

    def generate(self, prompts, *rest, **knobs):
        self.calls.append(list(prompts))
        return self.lm.generate(prompts, *rest, **knobs)


def outdated(results: dict[str, Result]) -> set[str]:
    """Bundled models whose cards were written when other items were drawn: another number of them in some group."""
    cards = {name: read_json(sitting.folder_of(name)) for name in bundled_models()}
    return {
        name
        for name, card in cards.items()
        for key, result in results.items()
        if key in card and card[key]["n"] != result.n
    }


def repeated(calls: list[list[str]]) -> list[str]:
    return [prompt for prompts in calls for prompt, times in Counter(prompts).items() if times > 1]


@pytest.mark.parametrize("ability", [a for a in EVERY if a.name not in OF_ONE_MODEL], ids=lambda ability: ability.name)
def test_five_hundred_items_are_five_hundred_different_ones(answer_book, ability) -> None:
    lm = Attentive(answer_book(lambda _: " zzz", chat=True))
    results = ability.measure(Counted(lm, n=500))
    assert sum(map(len, lm.calls)) > 200
    assert repeated(lm.calls) == []
    for group, n in WHOLE.get(ability.name, {}).items():
        assert results[group].n == n
    if ability.values:
        assert outdated(sitting.keyed(ability, results)) == set()


@pytest.mark.parametrize("ability", [a for a in EVERY if not a.needs], ids=lambda ability: ability.name)
def test_a_model_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch, ability) -> None:
    lm, calls, write = load("pebble-0.1m"), [], greedy.greedy
    score = lm.logprobs
    monkeypatch.setattr(lm, "logprobs", lambda prompts, *a, **k: calls.append(list(prompts)) or score(prompts, *a, **k))
    monkeypatch.setattr(
        greedy, "greedy", lambda lm, prompts, *a, **k: calls.append(list(prompts)) or write(lm, prompts, *a, **k)
    )
    ability.measure(Paper(lm, n=10))
    assert repeated(calls) == []


def dice(rng: random.Random, sides: int, n: int) -> list[Question]:
    return [Question(f"Eye {rng.randrange(sides)}?", " yes", group="dice") for _ in range(n)]


def test_repetitions_make_way_for_other_items() -> None:
    asked = once(dice, random.Random(0), 60, 50)
    assert len({question.prompt for question in asked}) == len(asked) == 50
    assert asked[:3] == dice(random.Random(0), 60, 3), "what comes first stays"


def test_an_exhausted_world_is_asked_all_it_holds() -> None:
    assert {question.prompt for question in once(dice, random.Random(0), 6, 50)} == {f"Eye {i}?" for i in range(6)}
    draws: list[None] = []
    assert distinct(lambda: draws.append(None) or [1, 1], key=lambda item: item) == [1]
    assert len(draws) == 1 + DRAWS


def test_the_same_prompt_may_stand_in_two_groups() -> None:
    both = [Question("Is it?", " yes", group=group) for group in ("a", "b", "a")]
    assert once(lambda: both) == both[:2]


def test_every_arm_asks_the_same_claims_of_the_same_users() -> None:
    arms = phenomena._in_all_arms(Paper(None, n=200), opinions.questions)
    assert set(arms) == set(opinions.ARMS)
    claims = {arm: [q.prompt.split("the claim that ")[-1] for q in asked] for arm, asked in arms.items()}
    assert claims["none"] == claims["wrong"] == claims["right"] == claims["scrambled"]
    users = {arm: [q.prompt.split(".")[0] for q in asked] for arm, asked in arms.items()}
    assert users["none"] == users["wrong"] == users["right"] == users["scrambled"]
