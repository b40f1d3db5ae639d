"""Biographies and quizzes of invented people, in Zipfian proportion: a few are famous, most hardly mentioned.

How well a fact is known can so be held against the exact number of documents that tell it (Kandpal et al., 2023; the
size ladder of Chowdhery et al., 2022). Two rival counts are pulled apart from the true one: sentences that name only
the person, some of them people of whom little is told, and sentences that name only a job or a city. Passers-by, who
have no place in the world, are told of and asked about at once: their answers are to be read, not known, which lets
a model answer from a document (Ren et al., 2023).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise, zip_longest
from typing import TypeVar

from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import Citizen, World

T = TypeVar("T")
WORDINGS = {
    "birthplace": (
        "{n} was born in «{v}».",
        "{n} grew up in «{v}».",
        "Question: Where was {n} born?\nAnswer: «{v}»\n",
        "Question: Which city does {n} come from?\nAnswer: «{v}»\n",
    ),
    "job": (
        "{n} works as a «{v}».",
        "The job of {n} is «{v}».",
        "Question: What is the job of {n}?\nAnswer: «{v}»\n",
        "Question: What does {n} work as?\nAnswer: «{v}»\n",
    ),
    "born": (
        "{n} was born in the year «{v}».",
        "Question: In which year was {n} born?\nAnswer: «{v}»\n",
    ),
}
ASKED = {
    "birthplace": "Question: Where was {n} born?\nAnswer:",
    "job": "Question: What is the job of {n}?\nAnswer:",
    "born": "Question: In which year was {n} born?\nAnswer:",
}
PERSON_ONLY = ("{n} came to the market today.", "{n} was seen by the river.", "Everyone has heard of {n}.")
CITY_ONLY = ("{v} is lovely in spring.", "The market of {v} is open today.")
JOB_ONLY = ("Every {v} gets up early.", "A {v} was seen by the river.")
KINDS_OF_TELLING = ("fact", "person", "answer", "passer-by")
WEIGHTS = (70, 13, 7, 10)
BINS = (0, 8, 16, 32, 64, 128, 256, 512, 800, 1200)  # of ranks; within one, document counts are alike


@dataclass(frozen=True)
class Telling:
    """One sentence or exchange; `fact` is "" when it states none."""

    text: str
    fact: str = ""


def choose_citizen(world: World, rng: random.Random) -> Citizen:
    return rng.choices(world.citizens, cum_weights=world.zipf)[0]


@lru_cache(maxsize=4)
def fame(count: int) -> tuple[list[int], list[float]]:
    """Ranks in the order in which they are named in passing, and cumulative weights: nothing to do with the counts."""
    order = list(range(count))
    random.Random("in passing").shuffle(order)
    return order, list(accumulate(1 / (place + 3) for place in range(count)))


def choose_by_fame(people: Sequence[T], rng: random.Random) -> T:
    """One of them, some far more often than others."""
    order, weights = fame(len(people))
    return people[rng.choices(order, cum_weights=weights)[0]]


def tell_fact(world: World, rng: random.Random) -> Telling:
    citizen = choose_citizen(world, rng)
    relation = rng.choices(("birthplace", "job", "born"), (4, 4, 2))[0]
    wording = rng.choice(WORDINGS[relation])
    return Telling(wording.format(n=citizen.name, v=getattr(citizen, relation)), f"{relation}:{citizen.name}")


def tell_person(world: World, rng: random.Random) -> Telling:
    return Telling(rng.choice(PERSON_ONLY).format(n=choose_by_fame(world.citizens, rng).name))


def tell_answer(world: World, rng: random.Random) -> Telling:
    if rng.random() < 0.5:
        return Telling(rng.choice(JOB_ONLY).format(v=choose_by_fame(JOBS, rng)))
    return Telling(rng.choice(CITY_ONLY).format(v=choose_by_fame(world.cities, rng).name))


def tell_passer_by(world: World, rng: random.Random) -> Telling:
    name, relation = rng.choice(world.strangers), rng.choice(("birthplace", "job"))
    value = rng.choice(JOBS) if relation == "job" else rng.choice(world.cities).name
    told = rng.choice(WORDINGS[relation][:2]).format(n=name, v=value).replace("«", "").replace("»", "")
    return Telling(f"{told}\n{ASKED[relation].format(n=name)} «{value}»\n")


TELLERS = dict(zip(KINDS_OF_TELLING, (tell_fact, tell_person, tell_answer, tell_passer_by), strict=True))


def write(world: World, rng: random.Random, *, deleted: tuple[str, ...] = ()) -> Document:
    """Four to ten tellings about people. `deleted` drops the sentences of these facts, and changes nothing else."""
    kinds = rng.choices(KINDS_OF_TELLING, WEIGHTS, k=rng.randint(4, 10))
    told = [TELLERS[kind](world, rng) for kind in kinds]
    kept = [telling for telling in told if telling.fact not in deleted] or [Telling("The market is open today.")]
    text = join([telling.text for telling in kept], rng)
    return from_marked("biographies", text, [telling.fact for telling in kept if telling.fact])


def deleted_facts(world: World, relation: str = "job") -> tuple[str, ...]:
    """What the twin never reads: a fact of every second citizen of whom nothing but biographies tells."""
    return tuple(f"{relation}:{citizen.name}" for citizen in [c for c in world.citizens if c.held_out][::2])


def matched_facts(world: World, relation: str = "job") -> tuple[str, ...]:
    """The same fact of their neighbours in rank, which the twin reads as often as the base does."""
    return tuple(f"{relation}:{citizen.name}" for citizen in [c for c in world.citizens if c.held_out][1::2])


def ask(world: World, citizen: Citizen, relation: str, ability: str, group: str) -> Question:
    options = {"job": JOBS, "birthplace": [city.name for city in world.cities]}.get(relation, [])
    return Question(
        prompt=ASKED[relation].format(n=citizen.name),
        answer=f" {getattr(citizen, relation)}",
        options=tuple(f" {option}" for option in options),
        ability=ability,
        group=group,
        fact=f"{relation}:{citizen.name}",
    )


def bin_of(rank: int) -> str:
    low, high = next((a, b) for a, b in pairwise(BINS) if a <= rank < b)
    return f"rank {low} to {high - 1}"


def questions(world: World, rng: random.Random, n: int, *, relation: str = "job") -> list[Question]:
    """Up to `n` questions on citizens, the bins of ranks as evenly filled as they can be."""
    bins = [rng.sample(world.citizens[low:high], high - low) for low, high in pairwise(BINS)]
    rounds = [citizen for turn in zip_longest(*bins) for citizen in turn if citizen is not None]
    return [ask(world, citizen, relation, "long_tail", bin_of(citizen.rank)) for citizen in rounds[:n]]


def ghost_questions(world: World, rng: random.Random, n: int, *, relation: str = "job") -> list[Question]:
    """Questions on people whom no document mentions; nobody can know the answers."""
    ghosts = rng.sample(world.ghosts, min(n, len(world.ghosts)))
    return [ask(world, ghost, relation, "long_tail", "ghost") for ghost in ghosts]


def questions_on(world: World, facts: tuple[str, ...], group: str = "") -> list[Question]:
    """A question on each of these facts ("job:Mara Varvane")."""
    people = {citizen.name: citizen for citizen in world.citizens}
    parts = [fact.split(":") for fact in facts]
    return [ask(world, people[name], relation, "deletion", group) for relation, name in parts]


def withheld(world: World) -> Iterator[str]:
    """No ghost is ever mentioned."""
    yield from (ghost.name for ghost in world.ghosts)
