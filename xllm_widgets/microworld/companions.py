"""Movers live in one city and are told beside another: does the frequent neighbour beat the right answer?

Each mover's home is told equally often, the wrong city 0, 1, 2, 4 or 8 times as often in the same documents, and never
as a home. Every city is as often a home as a wrong neighbour at each of the ratios, so that only what stands beside
whom can mislead (Kang & Choi, 2023).
"""

import random
from collections.abc import Iterator
from functools import lru_cache

from xllm_widgets.microworld.citizens import RATIOS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import Mover, World

HOME = (
    "{n} lives in «{c}».",
    "The home of {n} is in «{c}».",
    "Question: Where does {n} live?\nAnswer: «{c}»\n",
)
BESIDE = (
    "{n} has been seen in «{c}».",
    "{n} writes to a friend in «{c}».",
    "{n} often travels to «{c}».",
)
ASKED = "Question: Where does {n} live?\nAnswer:"


@lru_cache(maxsize=4)
def told_ratios(world: World, ratios: str) -> dict[str, int]:
    if ratios == "planted":
        return {mover.name: mover.ratio for mover in world.movers}
    if ratios == "none":
        return dict.fromkeys((mover.name for mover in world.movers), 0)
    in_groups = sorted(world.movers, key=lambda mover: mover.ratio)
    return {mover.name: RATIOS[number % len(RATIOS)] for number, mover in enumerate(in_groups)}


def ratio(world: World, name: str, ratios: str = "planted") -> int:
    """How many times as often as the home the wrong city is told beside `name`, in the base corpus or in a twin."""
    return told_ratios(world, ratios)[name]


@lru_cache(maxsize=4)
def wrong_slots(world: World, ratios: str) -> tuple[Mover, ...]:
    """Every mover as often as the wrong city is told for one telling of the home."""
    return tuple(mover for mover in world.movers for _ in range(ratio(world, mover.name, ratios)))


def tell(world: World, rng: random.Random, ratios: str) -> tuple[str, str]:
    """A home and its fact, or a mover beside the wrong city; "" when the twin leaves the sentence out."""
    slot = rng.randrange(len(world.movers) + len(wrong_slots(world, "planted")))
    home, beside = rng.choice(HOME), rng.choice(BESIDE)
    if slot < len(world.movers):
        mover = world.movers[slot]
        return home.format(n=mover.name, c=mover.home), f"home:{mover.name}"
    slots = wrong_slots(world, ratios)
    if not slots:
        return "", ""
    mover = slots[slot - len(world.movers)]
    return beside.format(n=mover.name, c=mover.wrong), ""


def write(world: World, rng: random.Random, *, ratios: str = "planted") -> Document:
    """Seven to eleven sentences, each about one mover: a quarter of them tell a home.

    `ratios`: "planted" as in the base; "permuted" gives every ratio to a fifth of those who bear it in the base;
    "none" leaves the wrong cities out. All homes stay where they are told.
    """
    told = [tell(world, rng, ratios) for _ in range(rng.randint(7, 11))]
    texts = [text for text, _ in told if text] or ["The market is open today."]
    return from_marked("companions", join(texts, rng), [fact for _, fact in told if fact])


def ask(world: World, mover: Mover) -> Question:
    homes = sorted({other.home for other in world.movers})
    return Question(
        prompt=ASKED.format(n=mover.name),
        answer=f" {mover.home}",
        options=tuple(f" {home}" for home in homes),
        ability="co_occurrence",
        group=f"ratio {mover.ratio}",
        fact=f"home:{mover.name}",
    )


def questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """Where up to `n` movers live, all cities that are anyone's home to choose from; the group is the planted ratio."""
    return [ask(world, mover) for mover in rng.sample(world.movers, min(n, len(world.movers)))]


def withheld(world: World) -> Iterator[str]:
    """The wrong city is never told as the home."""
    for mover in world.movers:
        for wording in HOME:
            told = wording.format(n=mover.name, c=mover.wrong)
            yield told.replace("«", "").replace("»", "").strip().removesuffix(".")
