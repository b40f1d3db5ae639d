"""True and false statements about the world: given a verdict, or said by honest and by lying speakers.

Held-out subjects (see `world.is_held_out`) occur in no verdict and in no speech of the corpus: what a model says
of them in these forms it must have carried over from elsewhere.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xllm_widgets.microworld.arithmetic import PEOPLE
from xllm_widgets.microworld.biographies import choose_citizen
from xllm_widgets.microworld.chronology import capitalise
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import direction
from xllm_widgets.microworld.world import City, World

HONEST = "honest truthful sincere".split()
LYING = "lying deceitful dishonest".split()
CLEAR_ANGLE = 10.0  # degrees
CLEAR_GAP = 30  # years
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east", "older": "younger", "younger": "older"}


@dataclass(frozen=True)
class Statement:
    """`stem` + `last` is the affirmative statement, `last` the word that makes it true or false."""

    stem: str
    last: str
    true: bool
    kind: str
    subject: str

    def text(self, negated: bool = False) -> str:
        stem = self.stem.replace(" works as ", " does not work as ") if negated else self.stem
        return (stem.replace(" is ", " is not ", 1) if negated else stem) + self.last + "."

    def marked(self) -> str:
        return f"{self.stem}«{self.last}»."

    @property
    def fact(self) -> str:
        """The fact that the affirmative statement states; "" for a false one, a direction and an order."""
        named = {"country": self.subject, "capital": self.last, "job": self.subject}
        return f"{self.kind}:{named[self.kind]}" if self.true and self.kind in named else ""


def pick_city(world: World, rng: random.Random, split: str) -> City:
    while (city := rng.choice(world.cities)).held_out != (split == "test"):
        pass
    return city


def state_country(world: World, rng: random.Random, true: bool, split: str) -> Statement:
    city = pick_city(world, rng, split)
    country = city.country if true else other(rng, [c.name for c in world.countries], city.country)
    return Statement(f"{city.name} is a city in ", country, true, "country", city.name)


def state_capital(world: World, rng: random.Random, true: bool, split: str) -> Statement:
    while world.city[(country := rng.choice(world.countries)).capital].held_out != (split == "test"):
        pass
    said = country.name if true else other(rng, [c.name for c in world.countries], country.name)
    return Statement(f"{country.capital} is the capital of ", said, true, "capital", country.capital)


def state_direction(world: World, rng: random.Random, true: bool, split: str) -> Statement:
    while True:
        here, there = pick_city(world, rng, split), pick_city(world, rng, "train")
        axis = rng.choice(("latitude", "longitude"))
        where = direction(there, here, axis)
        if where and abs(getattr(here, axis) - getattr(there, axis)) > CLEAR_ANGLE:
            said = where if true else OPPOSITE[where]
            return Statement(f"{here.name} is {said} of ", there.name, true, "direction", here.name)


def state_job(world: World, rng: random.Random, true: bool, split: str, known: int = 0) -> Statement:
    """Of a citizen by fame, or with `known` of the first so many, each as often as the others."""
    while True:
        citizen = rng.choice(world.citizens[:known]) if known else choose_citizen(world, rng)
        if citizen.held_out == (split == "test"):
            break
    job = citizen.job if true else other(rng, JOBS, citizen.job)
    return Statement(f"{citizen.name} works as a ", job, true, "job", citizen.name)


def state_order(world: World, rng: random.Random, true: bool, split: str) -> Statement:
    while True:
        a, b = rng.choice(world.events), rng.choice(world.events)
        if abs(a.year - b.year) >= CLEAR_GAP and a.held_out == (split == "test") and not b.held_out:
            fact = "older" if a.year < b.year else "younger"
            said = fact if true else OPPOSITE[fact]
            return Statement(f"{capitalise(a.phrase)} is {said} than ", b.phrase, true, "order", a.name)


def other(rng: random.Random, choices: list[str], not_this: str) -> str:
    while (choice := rng.choice(choices)) == not_this:
        pass
    return choice


KINDS: dict[str, Callable[[World, random.Random, bool, str], Statement]] = {
    "country": state_country,
    "capital": state_capital,
    "direction": state_direction,
    "job": state_job,
    "order": state_order,
}
WEIGHTS = (30, 10, 25, 20, 15)


def make_statement(
    world: World,
    rng: random.Random,
    true: bool,
    split: str = "train",
    kind: str | None = None,
    weights: Sequence[float] = WEIGHTS,
    known: int = 0,
) -> Statement:
    """A random statement of the given truth; `split="test"` takes its subject from the held-out fifth.

    known: jobs are those of the first so many citizens, each as often as the others; 0: by fame.
    """
    kind = kind or rng.choices(list(KINDS), weights)[0]
    if kind == "job":
        return state_job(world, rng, true, split, known)
    return KINDS[kind](world, rng, true, split)


def write_verdicts(world: World, rng: random.Random, *, weights: Sequence[float] = WEIGHTS, known: int = 0) -> Document:
    """Three to eight statements, three in ten of them negated, each followed by its verdict.

    weights: how often the statements are of each of the `KINDS`.
    known: their jobs are those of the first so many citizens, each as often as the others; 0: by fame.
    """
    lines, facts = [], []
    for _ in range(rng.randint(3, 8)):
        statement = make_statement(world, rng, rng.random() < 0.5, weights=weights, known=known)
        negated = rng.random() < 0.3
        verdict = "true" if statement.true != negated else "false"
        lines.append(f"Statement: {statement.text(negated)}\nVerdict: «{verdict}»")
        facts.append("" if negated else statement.fact)
    return from_marked("verdicts", "\n".join(lines), [fact for fact in facts if fact])


def write_speech(world: World, rng: random.Random, *, weights: Sequence[float] = WEIGHTS) -> Document:
    """Someone named as honest, or as lying, makes three to nine statements, all true or all false.

    weights: how often the statements are of each of the `KINDS`.
    """
    honest = rng.random() < 0.5
    word, who = rng.choice(HONEST if honest else LYING), rng.choice(PEOPLE)
    opening = rng.choice(("The {w} {p} says:", "{p}, who is {w}, says:", "{p} is {w} and says:")).format(w=word, p=who)
    said = [make_statement(world, rng, honest, weights=weights) for _ in range(rng.randint(3, 9))]
    speech = " ".join(statement.marked() for statement in said)
    return from_marked("speeches", f"{opening} {speech}", [statement.fact for statement in said if statement.fact])
