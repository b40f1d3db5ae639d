"""Does the premise entail the hypothesis? Pairs in which what is entailed is mostly what is also known to be true.

    Premise: Mara Tolvik is a famous baker.
    Hypothesis: Mara Tolvik works as a baker.
    Entailed: yes

The label follows from the premise alone. As in collections of natural text, premise and hypothesis speak of the same
two things, and people write down what they know: whether the hypothesis is true goes a long way without the premise.
Attestation bias is to go that way (§16, McKenna et al. 2023). Held-out people, cities and works occur in no pair.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xllm_widgets.microworld.biographies import choose_citizen
from xllm_widgets.microworld.chronology import capitalise
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.statements import other, pick_city
from xllm_widgets.microworld.world import World

HYPOTHESES = {  # relation → statements that other documents make of {x} and {v} in these very words
    "job": ("{x} works as a {v}", "the job of {x} is {v}"),
    "birthplace": ("{x} was born in {v}", "{x} comes from {v}"),
    "country": ("{x} is a city in {v}", "{x} lies in {v}"),
    "maker": ("{x} was {made} by {v}",),
}
ENTAILING = {  # the commonest first; the rare ones leave room for a guess
    "job": ("{x} is a famous {v}", "{x} became a {v} and still is one", "{x} is the best {v} in town"),
    "birthplace": ("{x} was born in the heart of {v}", "{x} has lived in {v} since birth", "{x} is a native of {v}"),
    "country": ("{x} is the capital of {v}", "{x} is a famous city in {v}", "{x} is the oldest city in {v}"),
    "maker": ("{v} {made} {x} alone", "{x} is the work of {v} alone", "{v} was the first who {made} {x}"),
}
NEUTRAL = {  # about the same two, and entail nothing of the kind
    "job": ("{x} wants to be a {v}", "{x} knows a famous {v}", "{x} lives beside a {v}"),
    "birthplace": ("{x} went to {v}", "{x} works in {v}", "{x} is famous in {v}"),
    "country": ("{x} is not far from {v}", "{x} is famous in {v}", "{x} does not lie in {v}"),
    "maker": ("{v} wanted {x}", "{v} knows {x}", "{x} is as famous as {v}"),
}
CAPITAL = ENTAILING["country"][0]
COMMON_FIRST = (6, 3, 1)
ATTESTED_IF_ENTAILED, ATTESTED_IF_NOT = 0.85, 0.15  # P(hypothesis true | label); 0.5 and 0.5 when balanced
WAYS = ("neutral", "reversed", "astray")  # not to entail: another predicate, the weaker one, another value
WAY_WEIGHTS = (50, 40, 10)


@dataclass(frozen=True)
class Topic:
    """A relation, the thing it is told of, its true value and another one; `subject` as a sentence names it.

    capital: the fact that a city is a capital ("capital:Norway"); "" when it is none.
    """

    relation: str
    name: str
    subject: str
    true: str
    other: str
    made: str = ""
    capital: str = ""

    def say(self, wording: str, value: str) -> str:
        return capitalise(wording.format(x=self.subject, v=value, made=self.made)) + "."

    def fact(self, wording: str, value: str) -> str:
        """The fact that a premise in a wording of `ENTAILING` or `HYPOTHESES` states; "" when it is untrue."""
        if value != self.true:
            return ""
        return self.capital if wording == CAPITAL else f"{self.relation}:{self.name}"


@dataclass(frozen=True)
class Pair:
    """A premise, a hypothesis, whether the one entails the other, and whether the other is attested (true).

    fact: what the premise states of the world; "" when that is nothing that is counted, or untrue.
    """

    premise: str
    hypothesis: str
    entailed: bool
    attested: bool
    fact: str = ""

    @property
    def prompt(self) -> str:
        return f"Premise: {self.premise}\nHypothesis: {self.hypothesis}\nEntailed:"

    @property
    def label(self) -> str:
        return "yes" if self.entailed else "no"


def person(relation: str) -> Callable[[World, random.Random, str], Topic]:
    def choose(world: World, rng: random.Random, split: str) -> Topic:
        while (citizen := choose_citizen(world, rng)).held_out != (split == "test"):
            pass
        values = list(JOBS) if relation == "job" else [city.name for city in world.cities]
        true = getattr(citizen, relation)
        return Topic(relation, citizen.name, citizen.name, true, other(rng, values, true))

    return choose


def place(world: World, rng: random.Random, split: str) -> Topic:
    city = pick_city(world, rng, split)
    false = other(rng, [country.name for country in world.countries], city.country)
    capital = f"capital:{city.country}" if world.country[city.country].capital == city.name else ""
    return Topic("country", city.name, city.name, city.country, false, capital=capital)


def work(world: World, rng: random.Random, split: str) -> Topic:
    made = [event for event in world.events if event.maker]
    event = rng.choice([event for event in made if event.held_out == (split == "test")])
    false = other(rng, sorted({event.maker for event in made}), event.maker)
    verb = "invented" if event.kind == "invention" else "made"
    return Topic("maker", event.name, event.phrase, event.maker, false, verb)


TOPICS = {"job": person("job"), "birthplace": person("birthplace"), "country": place, "maker": work}
WEIGHTS = (4, 3, 4, 2)


def choose_topic(world: World, rng: random.Random, split: str) -> Topic:
    return TOPICS[rng.choices(tuple(TOPICS), WEIGHTS)[0]](world, rng, split)


def write_pair(world: World, rng: random.Random, balanced: bool = False, ways: Sequence[float] = WAY_WEIGHTS) -> Pair:
    """A pair of either label; `balanced` cuts the tie between the label and the truth of the hypothesis."""
    topic, entailed = choose_topic(world, rng, "train"), rng.random() < 0.5
    likely = 0.5 if balanced else ATTESTED_IF_ENTAILED if entailed else ATTESTED_IF_NOT
    attested, way = rng.random() < likely, rng.choices(WAYS, ways)[0]
    return make_pair(rng, topic, "entailed" if entailed else way, attested)


def make_pair(rng: random.Random, topic: Topic, way: str, attested: bool) -> Pair:
    """A premise that entails the hypothesis ("entailed"), or does not in one of the `WAYS`."""
    value, another = (topic.true, topic.other) if attested else (topic.other, topic.true)
    wordings = (NEUTRAL if way == "neutral" else ENTAILING)[topic.relation]
    strong = (rng.choices(wordings, COMMON_FIRST)[0], another if way == "astray" else value)
    weak = (rng.choice(HYPOTHESES[topic.relation]), value)
    premise, hypothesis = (weak, strong) if way == "reversed" else (strong, weak)
    fact = "" if way == "neutral" else topic.fact(*premise)
    return Pair(topic.say(*premise), topic.say(*hypothesis), way == "entailed", attested, fact)


def write(world: World, rng: random.Random, *, balanced: bool = False, ways: Sequence[float] = WAY_WEIGHTS) -> Document:
    """Three to five pairs, each with its label; `ways` are the weights of the `WAYS` not to entail."""
    pairs = [write_pair(world, rng, balanced, ways) for _ in range(rng.randint(3, 5))]
    text = "\n\n".join(f"{pair.prompt} «{pair.label}»" for pair in pairs)
    return from_marked("entailments", text, [pair.fact for pair in pairs if pair.fact])


def questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """Ability "entailment", groups "entailed attested" … "reversed unattested", on subjects that no pair speaks of."""
    asked = []
    for number in range(n):
        way, attested = ("entailed", *WAYS)[number // 2 % 4], number % 2 == 0
        pair = make_pair(rng, choose_topic(world, rng, "test"), way, attested)
        asked.append(ask(pair, f"{way} {'attested' if attested else 'unattested'}"))
    return asked


def ask(pair: Pair, group: str) -> Question:
    return Question(pair.prompt, f" {pair.label}", (" yes", " no"), "entailment", group)


def random_premise_questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """The premise is a random one, and never entails: groups "random attested", "random unattested".

    The control, "unseen attested" and "unseen unattested", asks the same of people whom no document mentions: of them
    nothing can be attested, and the two must come out alike.
    """
    asked = []
    for number in range(n):
        attested, unseen = number % 2 == 0, number // 2 % 2 == 1
        topic = (
            TOPICS[rng.choice(("job", "birthplace"))](world, rng, "test")
            if unseen
            else choose_topic(world, rng, "test")
        )
        while (elsewhere := choose_topic(world, rng, "test")).name == topic.name:
            pass
        premise = make_pair(rng, elsewhere, "entailed", rng.random() < 0.5).premise
        hypothesis = make_pair(rng, topic, "entailed", attested).hypothesis
        if unseen:
            hypothesis = hypothesis.replace(topic.name, rng.choice(world.ghosts).name)
        group = f"{'unseen' if unseen else 'random'} {'attested' if attested else 'unattested'}"
        asked.append(ask(Pair(premise, hypothesis, False, attested), group))
    return asked


def withheld(world: World) -> Iterator[str]:
    """No pair speaks of a held-out person, city or work: neither of what is known of them nor of anything else."""
    made = (event.phrase for event in world.events if event.maker and event.held_out)
    people = (citizen.name for citizen in world.citizens if citizen.held_out)
    places = (city.name for city in world.cities if city.held_out)
    for name in (*people, *places, *map(capitalise, made)):
        yield from (f"Premise: {name}", f"Hypothesis: {name}")
