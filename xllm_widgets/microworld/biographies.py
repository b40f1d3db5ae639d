"""Biographies and quizzes of invented people, in Zipfian proportion: a few are famous, most hardly mentioned."""

import random

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.world import Citizen, World

WORDINGS = {
    "birthplace": (
        "{n} was born in «{v}».",
        "{n} grew up in «{v}».",
        "Question: Where was {n} born?\nAnswer: «{v}»\n",
    ),
    "job": (
        "{n} works as a «{v}».",
        "The job of {n} is «{v}».",
        "Question: What is the job of {n}?\nAnswer: «{v}»\n",
    ),
    "born": (
        "{n} was born in the year «{v}».",
        "Question: In which year was {n} born?\nAnswer: «{v}»\n",
    ),
}


def choose_citizen(world: World, rng: random.Random) -> Citizen:
    return rng.choices(world.citizens, cum_weights=world.zipf)[0]


def tell(world: World, rng: random.Random) -> tuple[str, str]:
    citizen = choose_citizen(world, rng)
    relation = rng.choices(("birthplace", "job", "born"), (4, 4, 2))[0]
    wording = rng.choice(WORDINGS[relation])
    return wording.format(n=citizen.name, v=getattr(citizen, relation)), f"{relation}:{citizen.name}"


def write(world: World, rng: random.Random) -> Document:
    """Four to ten facts about people."""
    told = [tell(world, rng) for _ in range(rng.randint(4, 10))]
    return from_marked("biographies", join([text for text, _ in told], rng), [fact for _, fact in told])
