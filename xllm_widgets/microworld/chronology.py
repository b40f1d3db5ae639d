"""Chronology, told relationally: what came first and how many years lie between, never a year."""

import random

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.world import Event, World

MINIMAL_GAP = 5  # years


def ordered_pair(world: World, rng: random.Random) -> tuple[Event, Event]:
    """Two events, the earlier first, at least `MINIMAL_GAP` years apart."""
    while True:
        a, b = rng.choice(world.events), rng.choice(world.events)
        if b.year - a.year >= MINIMAL_GAP:
            return a, b


def capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def tell_order(world: World, rng: random.Random) -> tuple[str, str | None]:
    first, last = ordered_pair(world, rng)
    a, b = (first, last) if rng.random() < 0.5 else (last, first)
    wording = rng.choice(
        (
            "Compared with {a}, {b} is «{w}».",
            "Set beside {a}, {b} is «{w}».",
            "Question: Which is older, {a} or {b}?\nAnswer: «{f}»\n",
            "Question: Which came later, {a} or {b}?\nAnswer: «{l}»\n",
            "{A} is {v} than {b}.",
        )
    )
    return wording.format(
        a=a.phrase, A=capitalise(a.phrase), b=b.phrase, f=first.phrase, l=last.phrase,
        w="older" if b is first else "younger", v="older" if a is first else "younger",
    ), None  # fmt: skip


def tell_gap(world: World, rng: random.Random) -> tuple[str, str | None]:
    first, last = ordered_pair(world, rng)
    wording = rng.choice(
        (
            "From {a} to {b} it was «{n}» years.",
            "Between {a} and {b} lie «{n}» years.",
            "Between {b} and {a} lie «{n}» years.",
        )
    )
    return wording.format(a=first.phrase, b=last.phrase, n=last.year - first.year), None


def tell_maker(world: World, rng: random.Random) -> tuple[str, str | None]:
    while not (event := rng.choice(world.events)).maker:
        pass
    verb = "invented" if event.kind == "invention" else "made"
    text = rng.choice(("{E} was {v} by «{m}».", "Question: Who {v} {e}?\nAnswer: «{m}»\n"))
    return text.format(E=capitalise(event.phrase), e=event.phrase, v=verb, m=event.maker), f"maker:{event.name}"


def tell_kind(world: World, rng: random.Random) -> tuple[str, str | None]:
    event = rng.choice(world.events)
    return f"{capitalise(event.phrase)}, in one word: «{event.kind}».", f"kind:{event.name}"


TELLERS = (tell_order, tell_gap, tell_maker, tell_kind)
WEIGHTS = (52, 34, 10, 4)


def write(world: World, rng: random.Random) -> Document:
    """Five to twelve sentences about what came before what."""
    told = [teller(world, rng) for teller in rng.choices(TELLERS, WEIGHTS, k=rng.randint(5, 12))]
    return from_marked("chronology", join([text for text, _ in told], rng), [fact for _, fact in told if fact])
