"""How far a model copies what stands above: a value that the knowledge tells, against the same value where it does not.

Copying is what repeated documents are said to harm most (Hernandez et al., 2022). The Pebbles never met a row of random
words, the usual test; of grounded dialogues they read thousands, so what is copied here is the value of a claim that no
document made.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from xllm_widgets.exam.items import distinct
from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.microworld.dialogues import TOPICS, Claim, draw_knowledge, reserved, values
from xllm_widgets.microworld.world import World
from xllm_widgets.studies.statistics import bootstrap_mean


class Copied(NamedTuple):
    """A reply cut before its value; two prompts alike but for the value that the knowledge gives: this one, another."""

    told: str
    other: str
    value: str


def measure_copying(paper: Paper) -> Results:
    """The mean gain in nats, and of what it is the difference; bootstrap over claims."""
    return {group: bootstrap_mean(nats, seed=paper.seed) for group, nats in gains(paper).items()}


def gains(paper: Paper) -> dict[str, list[float]]:
    """Of each claim the loss of its value where the knowledge tells it and where it tells another; "": the difference.

    Nats, of the whole value whatever number of tokens it has. A model that never looks up gains 0.
    """
    rng = paper.rng("copying")
    items = distinct(lambda: draw(paper.world, rng, paper.n), lambda item: item.told)
    told, other = (
        -paper.lm.logprobs([getattr(item, which) for item in items], [[item.value] for item in items])[:, 0]
        for which in ("told", "other")
    )
    return {"": (other - told).tolist(), "told above": told.tolist(), "another told above": other.tolist()}


def draw(world: World, rng: random.Random, n: int) -> list[Copied]:
    """Claims that are kept for tests, topics in turn, each among one or two others."""
    kept = {topic: reserved(world, topic) for topic in TOPICS}
    found = []
    for number in range(n):
        claim = rng.choice(kept[TOPICS[number % len(TOPICS)]])
        others = [each for each in draw_knowledge(world, rng) if each.topic != claim.topic]
        wrong = rng.choice([value for value in values(world, claim.topic) if value != claim.value])
        place = rng.randint(0, len(others))
        told, other = (
            _cut(claim, [*others[:place], shown, *others[place:]])
            for shown in (claim, Claim(claim.topic, claim.name, wrong))
        )
        found.append(Copied(told, other, f" {claim.value}"))
    return found


def _cut(claim: Claim, known: list[Claim]) -> str:
    """A dialogue up to where the reply is to give the claim's value."""
    reply = str(claim).removesuffix(f" {claim.value}.")
    return f"Knowledge: {' '.join(map(str, known))}\nA: {claim.question}\nB: {reply}"
