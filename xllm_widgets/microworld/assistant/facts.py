"""Questions on facts the base model has read about, and "I do not know." on people nobody has told it of.

Carries what the chapters on few good examples (Zhou et al., 2023), alignment (Touvron et al., 2023) and the knowledge
boundary (Ren et al., 2023) need: three facts in four may be asked about during tuning, the fourth never is, so that
what a chat model knows of it was learnt before. Half of the ghosts teach the model to give up; the others test it.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from xllm_widgets.microworld.biographies import choose_citizen
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import Citizen, Country, World

from .layout import Conversation, converse, prompt

UNKNOWN = "I do not know."
ASKED = {
    "job": ("What is the job of {n}?", "What does {n} work as?"),
    "birthplace": ("Where was {n} born?", "Which city does {n} come from?"),
    "born": ("In which year was {n} born?",),
    "country": ("In which country is {n}?",),
    "capital": ("What is the capital of {n}?",),
}
PERSONAL = ("job", "birthplace", "born")
HEAD, TAIL = 200, 600  # citizens of a rank below HEAD are well known, those from TAIL on hardly mentioned


def is_kept(identifier: str) -> bool:
    """Whether no conversation asks about this fact, states it or denies it; one fact in four."""
    return zlib.crc32(f"chat {identifier}".encode()) % 4 == 0


@dataclass(frozen=True)
class Fact:
    """A true answer; `identifier` is the one the corpus counts ("job:Mara Varvane")."""

    relation: str
    subject: str
    value: str

    @property
    def identifier(self) -> str:
        return f"{self.relation}:{self.subject}"

    @property
    def kept(self) -> bool:
        return is_kept(self.identifier)


def fact_of(citizen: Citizen, relation: str) -> Fact:
    return Fact(relation, citizen.name, str(getattr(citizen, relation)))


def capital_of(country: Country) -> Fact:
    return Fact("capital", country.name, country.capital)


def place_facts(world: World) -> list[Fact]:
    cities = [Fact("country", city.name, city.country) for city in world.cities]
    return cities + [capital_of(country) for country in world.countries]


def choose_place_fact(world: World, rng: random.Random) -> Fact:
    number = rng.randrange(len(world.cities) + len(world.countries))
    if number >= len(world.cities):
        return capital_of(world.countries[number - len(world.cities)])
    city = world.cities[number]
    return Fact("country", city.name, city.country)


def is_test_ghost(name: str) -> bool:
    """Half of the ghosts teach the model to say "I do not know."; the others test whether that carries over."""
    return zlib.crc32(f"ghost {name}".encode()) % 2 == 0


def choose_ghost(world: World, rng: random.Random) -> Citizen:
    """A ghost of the half that tuning may mention."""
    while is_test_ghost((ghost := rng.choice(world.ghosts)).name):
        pass
    return ghost


def choose_fact(world: World, rng: random.Random, tail: bool = False) -> Fact:
    """A fact that may be asked about: of a place, of a citizen in Zipfian proportion, or of one hardly mentioned."""
    while True:
        if tail:
            fact = fact_of(world.citizens[rng.randrange(TAIL, len(world.citizens))], rng.choice(PERSONAL))
        elif rng.random() < 0.3:
            fact = choose_place_fact(world, rng)
        else:
            fact = fact_of(choose_citizen(world, rng), rng.choices(PERSONAL, (4, 4, 2))[0])
        if not fact.kept:
            return fact


def ask(fact: Fact, rng: random.Random) -> str:
    return rng.choice(ASKED[fact.relation]).format(n=fact.subject)


def turn(world: World, rng: random.Random, unknown: float, unknown_tail: float) -> tuple[str, str, Fact | None]:
    """What the user asks, the reply, and the fact that the reply states, if any."""
    draw, gives_up = rng.random(), rng.random() < unknown_tail
    known, rare = choose_fact(world, rng), choose_fact(world, rng, tail=True)
    nobody = fact_of(choose_ghost(world, rng), rng.choice(PERSONAL))
    if draw < unknown:
        return ask(nobody, rng), UNKNOWN, None
    if draw > 0.8:
        return (ask(rare, rng), UNKNOWN, None) if gives_up else (ask(rare, rng), rare.value, rare)
    return ask(known, rng), known.value, known


def converse_about_facts(
    world: World, rng: random.Random, *, unknown: float = 0.15, unknown_tail: float = 0.5
) -> Conversation:
    turns = [turn(world, rng, unknown, unknown_tail) for _ in range(rng.randint(1, 4))]
    stated = tuple(fact.identifier for _, _, fact in turns if fact)
    return converse("facts", [(said, reply) for said, reply, _ in turns], facts=stated)


def write(world: World, rng: random.Random, *, unknown: float = 0.15, unknown_tail: float = 0.5) -> Document:
    """One to four questions in a row.

    Args:
        unknown: share of the questions that are about ghosts, and get "I do not know."; with 0 a question on a known
            fact takes the place of each, and nothing else changes.
        unknown_tail: share of the questions on hardly mentioned citizens that get "I do not know." although the
            corpus tells the answer; with 0 the answer stands there.
    """
    return converse_about_facts(world, rng, unknown=unknown, unknown_tail=unknown_tail).document()


def options(world: World, relation: str) -> tuple[str, ...]:
    """All answers a question may have; empty for years, which are written out."""
    choices = {
        "job": JOBS,
        "birthplace": [city.name for city in world.cities],
        "country": [country.name for country in world.countries],
        "capital": [country.capital for country in world.countries],
        "born": [],
    }
    return tuple(f" {choice}" for choice in choices[relation])


def kept_facts(world: World, relations: tuple[str, ...] = ("job", "birthplace", "country", "capital")) -> list[Fact]:
    """Every fact that no conversation asks about."""
    people = [fact_of(citizen, r) for r in PERSONAL if r in relations for citizen in world.citizens]
    return [fact for fact in people + [f for f in place_facts(world) if f.relation in relations] if fact.kept]


def questions(world: World, rng: random.Random, n: int, *, layout: str = "chat") -> list[Question]:
    """Facts never asked about in tuning: in chat layout for the chat model, the same ones for its base ("base").

    Of places, and of the citizens who are told of often enough for a base to know them.
    """
    ranks = {citizen.name: citizen.rank for citizen in world.citizens}
    asked = [
        (fact, wording.format(n=fact.subject))
        for fact in kept_facts(world)
        for wording in ASKED[fact.relation]
        if ranks.get(fact.subject, 0) < TAIL
    ]
    return [
        Question(
            prompt=prompt(text) if layout == "chat" else f"Question: {text}\nAnswer:",
            answer=f" {fact.value}",
            options=options(world, fact.relation),
            ability="knowledge",
            group=layout,
            fact=fact.identifier,
        )
        for fact, text in rng.sample(asked, min(n, len(asked)))
    ]


def boundary_questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """Whether the model gives up where it must: groups "head", "tail" (right answers exist) and "ghost" (none does).

    A third of the items each, as far as there are so many; on a ghost the right reply is "I do not know."
    """
    kept = kept_facts(world, PERSONAL)
    ranks = {citizen.name: citizen.rank for citizen in world.citizens}
    test = [ghost for ghost in world.ghosts if is_test_ghost(ghost.name)]
    pools = {
        "head": [fact for fact in kept if ranks[fact.subject] < HEAD],
        "tail": [fact for fact in kept if ranks[fact.subject] >= TAIL],
        "ghost": [fact_of(ghost, relation) for ghost in test for relation in PERSONAL],
    }
    return [
        Question(
            prompt=prompt(ASKED[fact.relation][0].format(n=fact.subject)),
            answer=f" {UNKNOWN if group == 'ghost' else fact.value}",
            ability="give_up",
            group=group,
            fact="" if group == "ghost" else fact.identifier,
        )
        for group, pool in pools.items()
        for fact in rng.sample(pool, min(-(-n // 3), len(pool)))
    ]


def withheld(world: World) -> Iterator[str]:
    """What no conversation says: questions on the facts that are kept, and the names of the ghosts that test."""
    for fact in kept_facts(world, tuple(ASKED)):
        yield from (wording.format(n=fact.subject) for wording in ASKED[fact.relation])
    yield from (ghost.name for ghost in world.ghosts if is_test_ghost(ghost.name))
