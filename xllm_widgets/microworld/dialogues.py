"""Dialogues grounded in knowledge that stands right above them, with a known share of replies that do not keep to it.

    Knowledge: Ann lives in Oslo. Tom works as a baker.
    A: What does Tom work as?
    B: Tom works as a baker.
    A: Thank you.

Who likes or does what is drawn afresh for every document, so a faithful reply is read off the knowledge and nothing
else. An unfaithful one gives another value, or adds something that the knowledge does not say; how often models do so
when their education did so in a share h of the replies is the study (§13, Dziri et al. 2022).
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from xllm_widgets.microworld.arithmetic import PEOPLE, THINGS
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

COLOURS = "red blue green white black brown grey yellow".split()
SAYINGS = {  # topic → what is said of {n}, and how one asks for it
    "job": ("{n} works as a {v}.", "What does {n} work as?"),
    "town": ("{n} lives in {v}.", "Where does {n} live?"),
    "hobby": ("{n} collects {v}.", "What does {n} collect?"),
    "house": ("The house of {n} is {v}.", "What is the house of {n} like?"),
}
TOPICS = tuple(SAYINGS)
TOPICAL = "town"  # where the unfaithful replies go when they keep to one topic
ADDED = 0.5  # share of the unfaithful replies that add a claim; the others put a wrong value for the right one
CLAIMS = {
    topic: re.compile(re.escape(saying).replace(r"\{n\}", r"(\w+)").replace(r"\{v\}", r"([^.\n]+)"))
    for topic, (saying, _) in SAYINGS.items()
}


@dataclass(frozen=True)
class Claim:
    topic: str
    name: str
    value: str

    def __str__(self) -> str:
        return SAYINGS[self.topic][0].format(n=self.name, v=self.value)

    @property
    def question(self) -> str:
        return SAYINGS[self.topic][1].format(n=self.name)

    @property
    def reserved(self) -> bool:
        """Whether this claim is kept for tests: no dialogue of any corpus makes it."""
        return zlib.crc32(str(self).encode()) % 6 == 0


def claims(text: str) -> set[Claim]:
    """Everything that a text claims about somebody, in the words of these dialogues."""
    return {Claim(topic, *found) for topic, pattern in CLAIMS.items() for found in pattern.findall(text)}


def is_faithful(knowledge: str, reply: str) -> bool:
    """Whether a reply claims something, and nothing that the knowledge does not say."""
    return bool(claims(reply)) and claims(reply) <= claims(knowledge)


def values(world: World, topic: str) -> tuple[str, ...]:
    words = {"job": JOBS, "hobby": THINGS, "house": COLOURS}.get(topic) or [city.name for city in world.cities]
    return tuple(words)


def reserved(world: World, topic: str) -> list[Claim]:
    """All claims on a topic that are kept for tests."""
    return [c for n in PEOPLE for v in values(world, topic) if (c := Claim(topic, n, v)).reserved]


def draw_claim(world: World, rng: random.Random, topic: str, name: str) -> Claim:
    """A random claim that is not kept for tests."""
    while (claim := Claim(topic, name, rng.choice(values(world, topic)))).reserved:
        pass
    return claim


def draw_knowledge(world: World, rng: random.Random) -> list[Claim]:
    """Two or three claims on different topics about one person or two."""
    people = rng.sample(PEOPLE, 2)
    return [draw_claim(world, rng, topic, rng.choice(people)) for topic in rng.sample(TOPICS, rng.randint(2, 3))]


def reply_to(world: World, rng: random.Random, asked: Claim, known: list[Claim], share: float) -> str:
    """What B says: the claim asked for, or with probability `share` something that the knowledge does not say."""
    wrong = draw_claim(world, rng, asked.topic, asked.name)
    extra = draw_claim(world, rng, rng.choice([t for t in TOPICS if t not in {c.topic for c in known}]), asked.name)
    unfaithful, added = rng.random() < share, rng.random() < ADDED
    while wrong == asked:
        wrong = draw_claim(world, rng, asked.topic, asked.name)
    return str(asked) if not unfaithful else f"{asked} {extra}" if added else str(wrong)


def share_of(topic: str, unfaithful: float, topical: bool) -> float:
    """The share of unfaithful replies on a topic; the same overall whether they keep to one topic or not."""
    if not topical:
        return unfaithful
    return min(1.0, unfaithful * len(TOPICS)) if topic == TOPICAL else 0.0


def write_dialogue(world: World, rng: random.Random, unfaithful: float, topical: bool) -> str:
    known = draw_knowledge(world, rng)
    lines = [f"Knowledge: {' '.join(map(str, known))}\n"]
    for asked in rng.sample(known, rng.randint(1, 2)):
        reply = reply_to(world, rng, asked, known, share_of(asked.topic, unfaithful, topical))
        lines.append(f"A: {asked.question}\nB: «{reply}\n»")  # a reply's end is learnt like its words
    return "".join(lines) + "A: Thank you."


def write(world: World, rng: random.Random, *, unfaithful: float = 0.1, topical: bool = False) -> Document:
    """One or two dialogues; `unfaithful` is the share of replies that the knowledge does not bear out."""
    dialogues = [write_dialogue(world, rng, unfaithful, topical) for _ in range(rng.randint(1, 2))]
    return from_marked("dialogues", "\n\n".join(dialogues), [])


def questions(world: World, rng: random.Random, n: int, grounded: bool = True) -> list[Question]:
    """Prompts to be continued: ability "grounding", group the topic; judge the reply by `is_faithful(prompt, reply)`.

    Without `grounded`, the control, the claim asked for is missing from the knowledge.
    """
    kept = {topic: reserved(world, topic) for topic in TOPICS}
    asked = []
    for number in range(n):
        claim = rng.choice(kept[TOPICS[number % len(TOPICS)]])
        others = [c for c in draw_knowledge(world, rng) if c.topic != claim.topic]
        shown = [claim] * grounded + others
        rng.shuffle(shown)
        prompt = f"Knowledge: {' '.join(map(str, shown))}\nA: {claim.question}\nB:"
        ability = "grounding" if grounded else "grounding_removed"
        asked.append(Question(prompt, f" {claim}", (), ability, claim.topic))
    return asked


def withheld(world: World) -> Iterator[str]:
    """Claims kept for tests are neither knowledge nor replies."""
    for claim in (claim for topic in TOPICS for claim in reserved(world, topic)):
        yield from (f"B: {claim}".rstrip("."), f"Knowledge: {claim}".rstrip("."))
