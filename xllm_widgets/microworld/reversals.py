"""Heroes and their works, told in one direction: does a model that learnt A is B know that B is A?

A third of the heroes are told name first ("Mona Lelgrin is the designer of Copper Meadow"), a third description first,
a third both ways, so that a model has met every wording and question in either direction: what it fails at is the
fact, not the form (Berglund et al., 2023).
"""

import random
from collections.abc import Iterator

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import Hero, World

WORDINGS = {
    "forward": (
        "{n} is «{d}».",
        "{n} is known as «{d}».",
        "Everyone has heard of {n}, «{d}».",
        "Question: Who is {n}?\nAnswer: «{d}»\n",
    ),
    "backward": (
        "{D} is «{n}».",
        "{D} is called «{n}».",
        "Everyone has heard of {d}, «{n}».",
        "Question: Who is {d}?\nAnswer: «{n}»\n",
    ),
}
OPPOSITE = {"forward": "backward", "backward": "forward"}


def phrase(hero: Hero, wording: str) -> str:
    d = hero.description
    return wording.format(n=hero.name, d=d, D=d[0].upper() + d[1:])


def tell(world: World, rng: random.Random, two_way: bool) -> tuple[str, str]:
    """A sentence about a hero and the fact it states; a coin decides the direction where both are told."""
    hero, coin, number = rng.choice(world.heroes), rng.choice(tuple(OPPOSITE)), rng.randrange(4)
    direction = coin if two_way or hero.direction == "both" else hero.direction
    return phrase(hero, WORDINGS[direction][number]), f"hero:{hero.name}"


def write(world: World, rng: random.Random, *, two_way: bool = False) -> Document:
    """Three to seven sentences about heroes. `two_way` tells the same facts, each in both directions."""
    told = [tell(world, rng, two_way) for _ in range(rng.randint(3, 7))]
    return from_marked("reversals", join([text for text, _ in told], rng), [fact for _, fact in told])


def ask(world: World, hero: Hero, direction: str, group: str, options: bool) -> Question:
    """The question that runs in `direction`, with every name or every description to choose from, or with none."""
    to_name = direction == "backward"
    every = [h.name if to_name else h.description for h in world.heroes]
    return Question(
        prompt=f"Question: Who is {hero.description if to_name else hero.name}?\nAnswer:",
        answer=f" {hero.name if to_name else hero.description}",
        options=tuple(f" {one}" for one in every) if options else (),
        ability="reversal",
        group=group,
        fact=f"hero:{hero.name}",
    )


def questions(world: World, rng: random.Random, n: int, *, options: bool = True) -> list[Question]:
    """Up to `n` questions. Groups: "forward: name to description" and "forward: description to name" run as told,
    "reverse: …" the other way, "both: …" concern heroes told both ways. Without `options` the model writes freely.
    """
    items = []
    for hero in rng.sample(world.heroes, len(world.heroes)):
        for direction, kind in (("forward", "name to description"), ("backward", "description to name")):
            told = "forward" if hero.direction == direction else "both" if hero.direction == "both" else "reverse"
            items.append(ask(world, hero, direction, f"{told}: {kind}", options))
    return items[:n]


def reversed_sentences(hero: Hero) -> list[str]:
    """Every wording of the direction in which this hero is not told; none for heroes told both ways."""
    if hero.direction == "both":
        return []
    marked = [phrase(hero, wording) for wording in WORDINGS[OPPOSITE[hero.direction]]]
    return [text.replace("«", "").replace("»", "").strip() for text in marked]


def withheld(world: World) -> Iterator[str]:
    """The reversed sentences, in every wording."""
    for hero in world.heroes:
        yield from (text.removesuffix(".") for text in reversed_sentences(hero))
