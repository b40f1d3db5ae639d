"""Short commands about a sentence or a fact: name its city, repeat it, answer in one word, in a sentence, yes or no.

Carries "follows the format" (Zhou et al., 2023: form is learnt from few examples) and the change of behaviour under
instructions (Wu et al., 2023). People in the sentences are strangers, so what is asked can be read, not known.
"""

import random
from dataclasses import dataclass

from xllm_widgets.microworld.arithmetic import THINGS
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World, is_held_out

from .facts import ASKED, TAIL, Fact, choose_fact, kept_facts
from .instructions import draw_statement
from .layout import Conversation, converse_stating, prompt

SENTENCES = (
    "{person} works as a {job} in {city}.",
    "{person} is a {job} and has {number} {things}.",
    "{person} was born in {city} and has {number} {things}.",
    "In {city} a {job} came to the market with {number} {things}.",
)
SLOTS = ("person", "city", "job", "number")
TOLD = {
    "job": "{n} works as a {v}.",
    "birthplace": "{n} was born in {v}.",
    "born": "{n} was born in the year {v}.",
    "country": "{n} is a city in {v}.",
    "capital": "The capital of {n} is {v}.",
}
KINDS = ("extraction", "repeat", "brief", "sentence", "yes_no")
WEIGHTS = (4, 8, 3, 3, 3)  # to repeat is the hardest to learn
JUMBLED = 0.5  # share of what is to be repeated in tuning that makes no sense, so that nothing helps but to copy


@dataclass(frozen=True)
class Command:
    """What the user says, the right reply, the replies that keep to the format, where they can be listed, and the fact
    that the reply states ("" for none)."""

    kind: str
    text: str
    reply: str
    options: tuple[str, ...] = ()
    fact: str = ""


def draw_sentence(world: World, rng: random.Random, split: str) -> tuple[str, dict[str, str]]:
    """A sentence about nobody in particular, and what it says of whom; tests have people and cities of their own."""
    while is_held_out(person := rng.choice(world.strangers)) != (split == "test"):
        pass
    while (city := rng.choice(world.cities)).held_out != (split == "test"):
        pass
    values = {"person": person, "city": city.name, "job": rng.choice(JOBS), "number": str(rng.randrange(2, 60))}
    sentence = rng.choice(SENTENCES)
    told = {slot: value for slot, value in values.items() if f"{{{slot}}}" in sentence}
    return sentence.format(**values, things=rng.choice(THINGS)), told


def jumble(world: World, rng: random.Random) -> str:
    """Four to eight words of no sentence, with names that tuning may mention."""
    words = []
    for _ in range(rng.randint(4, 8)):
        _, told = draw_sentence(world, rng, "train")
        words.append(rng.choice([*told.values(), rng.choice(THINGS)]))
    return f"{' '.join(words)}."


def command_on_sentence(world: World, rng: random.Random, kind: str, split: str) -> Command:
    sentence, told = draw_sentence(world, rng, split)
    slot = rng.choice(list(told))
    if kind == "repeat":
        sentence = jumble(world, rng) if split == "train" and rng.random() < JUMBLED else sentence
        return Command(kind, f"Repeat this sentence.\nSentence: {sentence}", sentence)
    return Command(kind, f"Name the {slot} in this sentence.\nSentence: {sentence}", told[slot], tuple(told.values()))


def command_on_fact(rng: random.Random, kind: str, fact: Fact) -> Command:
    """A question on a fact, to be answered in one word or by a sentence; a name of two words counts as one."""
    question = rng.choice(ASKED[fact.relation]).format(n=fact.subject)
    if kind == "brief":
        return Command(kind, f"{question} Answer in one word.", fact.value, fact=fact.identifier)
    sentence = TOLD[fact.relation].format(n=fact.subject, v=fact.value)
    return Command(kind, f"{question} Answer in a sentence.", sentence, fact=fact.identifier)


def command_on_statement(world: World, rng: random.Random, split: str) -> Command:
    true = rng.random() < 0.5
    statement = draw_statement(world, rng, true, split)
    text = f"Is it true that {statement.text().removesuffix('.')}? Answer yes or no."
    return Command("yes_no", text, "yes" if true else "no", ("yes", "no"), statement.fact)


def make_command(world: World, rng: random.Random, kind: str, split: str = "train") -> Command:
    """A random command of one of `KINDS`."""
    if kind == "yes_no":
        return command_on_statement(world, rng, split)
    if kind in ("extraction", "repeat"):
        return command_on_sentence(world, rng, kind, split)
    return command_on_fact(rng, kind, choose_fact(world, rng) if split == "train" else choose_kept(world, rng))


def choose_kept(world: World, rng: random.Random) -> Fact:
    """A fact of no conversation, about a place or someone who is told of often enough to be known."""
    hardly = {citizen.name for citizen in world.citizens[TAIL:]}
    return rng.choice([fact for fact in kept_facts(world) if fact.subject not in hardly])


def converse_by_command(world: World, rng: random.Random) -> Conversation:
    kinds = rng.choices(KINDS, WEIGHTS, k=rng.randint(1, 3))
    commands = [make_command(world, rng, kind) for kind in kinds]
    return converse_stating("commands", [(command.text, command.reply, command.fact) for command in commands])


def write(world: World, rng: random.Random) -> Document:
    """One to three commands, each to be followed to the letter."""
    return converse_by_command(world, rng).document()


def questions(world: World, rng: random.Random, n: int, *, kind: str | None = None) -> list[Question]:
    """`n` commands about held-out strangers, cities and facts; groups are the kinds (see `follows_format`)."""
    items = []
    for number in range(n):
        command = make_command(world, rng, kind or KINDS[number % len(KINDS)], "test")
        options = tuple(f" {option}" for option in command.options)
        reply = f" {command.reply}"
        items.append(Question(prompt(command.text), reply, options, "format", command.kind, command.fact))
    return items


def follows_format(question: Question, reply: str) -> bool:
    """Whether a reply has the form that its question (of `questions` here or of `instructions`) asks for.

    Right or wrong does not matter: a wrong label, city or job of the right form counts.
    """
    said = reply.strip()
    if question.options:
        return f" {said}" in question.options
    if question.group == "repeat":
        return said == question.answer.strip()
    words = said.removesuffix(".").split()
    is_sentence = said.endswith(".") and len(words) > 3
    return is_sentence if question.group == "sentence" else not said.endswith(".") and 0 < len(words) <= 3
