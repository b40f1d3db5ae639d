"""Instructions in parts: what is given, what to do, which labels there are, what they mean, what to write.

    User: You are given a review. Say what the writer felt. The labels are moon and iron. moon means positive and iron
    means negative. Answer with one label.
    Review: What a dull film, so cold!
    Assistant: iron

Carries what tuning does to instruction words (Wu et al., 2023) and which of them a model needs (Yin et al., 2023): the
parts are those of their annotation, label names are random, so only the label parts can tell which word to write. Any
of the other parts may be absent, as in instructions that people write.
"""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from xllm_widgets.microworld import reviews, statements
from xllm_widgets.microworld.arithmetic import write_sum
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

from .facts import Fact, is_kept
from .layout import Conversation, converse_stating, prompt

PARTS = ("input", "action", "labels", "descriptions", "output", "extra")
NEEDED = ("labels", "descriptions")
OUTPUT, EXTRA = "Answer with one label.", "Do not explain."


@dataclass(frozen=True)
class Task:
    """A classification: the field that names its input, parts of its instruction, and what its labels mean."""

    field: str
    given: str
    actions: tuple[str, str]
    meanings: tuple[str, ...]


TASKS = {
    "sentiment": Task(
        "Review",
        "You are given a review.",
        ("Say what the writer felt.", "Say how the writer found it."),
        ("positive", "negative"),
    ),
    "truth": Task(
        "Statement",
        "You are given a statement.",
        ("Say whether it holds.", "Say what to think of it."),
        ("true", "false"),
    ),
    "topic": Task(
        "Sentence",
        "You are given a sentence.",
        ("Say what it is about.", "Say what it speaks of."),
        ("place", "person", "number"),
    ),
}


@dataclass(frozen=True)
class Instruction:
    """An instruction with its input, the labels of which the assistant writes one, and the fact that this states."""

    task: str
    parts: dict[str, str]
    given: str
    labels: tuple[str, ...]
    label: str
    fact: str

    def text(self, without: Collection[str] = ()) -> str:
        """What the user says, less the parts named."""
        said = " ".join(sentence for part, sentence in self.parts.items() if part not in without)
        return f"{said}\n{TASKS[self.task].field}: {self.given}".lstrip("\n")


def draw_input(world: World, rng: random.Random, task: str, split: str) -> tuple[str, int, str]:
    """Something to be classified, the number of its class among the meanings, and the fact that its label states.

    To call a statement true is to state it; to say what it is about is not.
    """
    number = rng.randrange(len(TASKS[task].meanings))
    if task == "sentiment":
        return reviews.write_review(rng, TASKS[task].meanings[number], split).text, number, ""
    if task == "truth":
        statement = draw_statement(world, rng, number == 0, split)
        return statement.text(), number, statement.fact
    writers: tuple[Callable[[], str], ...] = (
        lambda: draw_statement(world, rng, True, split).text(),
        lambda: f"{rng.choice(world.strangers)} came to the market today.",
        lambda: f"{write_sum(rng).replace('«', '').replace('»', '')}.",
    )
    return writers[number](), number, ""


def draw_statement(world: World, rng: random.Random, true: bool, split: str) -> statements.Statement:
    """A statement about a city; none that would give away a fact kept for tests."""
    while True:
        statement = statements.make_statement(world, rng, true, split, rng.choice(("country", "direction")))
        if split == "test" or not is_kept(Fact("country", statement.subject, "").identifier):
            return statement


def draw_labels(rng: random.Random, task: str, split: str, natural: float) -> tuple[str, ...]:
    """The labels' names in the order of the meanings: the meanings themselves, or words that mean nothing."""
    meanings = TASKS[task].meanings
    pair = rng.sample(rng.choice(reviews.label_pairs(split)), 2)
    kept = () if split == "test" else reviews.label_pairs("test")  # which a third word must not bring together either
    barred = {word for two in kept for word in two if set(two) & set(pair)} | set(pair)
    third = rng.choice([word for word in reviews.ARBITRARY_LABELS if word not in barred])
    return meanings if rng.random() < natural else (*pair, third)[: len(meanings)]


def enumerate_words(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def make_instruction(
    world: World, rng: random.Random, task: str, split: str = "train", natural: float = 0.3
) -> Instruction:
    """A whole instruction; the labels stand in random order."""
    given, number, fact = draw_input(world, rng, task, split)
    labels = draw_labels(rng, task, split, natural)
    order = rng.sample(range(len(labels)), len(labels))
    meanings = TASKS[task].meanings
    parts = {
        "input": TASKS[task].given,
        "action": rng.choice(TASKS[task].actions),
        "labels": f"The labels are {enumerate_words([labels[i] for i in order])}.",
        "descriptions": f"{enumerate_words([f'{labels[i]} means {meanings[i]}' for i in order])}.",
        "output": OUTPUT,
        "extra": EXTRA,
    }
    if labels == meanings:
        del parts["descriptions"]
    return Instruction(task, parts, given, labels, labels[number], fact)


def drop_some(instruction: Instruction, rng: random.Random, brief: float) -> set[str]:
    """Parts to leave out: any but those that say which words are labels and what they mean; one of two may go."""
    dropped = {part for part in PARTS if rng.random() < brief}
    keep = {"descriptions"} if "descriptions" in instruction.parts else {"labels"}
    return dropped - keep


def turn(
    world: World, rng: random.Random, natural: float, brief: float, without: Collection[str]
) -> tuple[str, str, str]:
    """What the user says, the label that is the reply, and the fact that it states."""
    instruction = make_instruction(world, rng, rng.choices(list(TASKS), (5, 3, 2))[0], natural=natural)
    said = instruction.text(drop_some(instruction, rng, brief) | set(without))
    return said, instruction.label, instruction.fact


def converse_by_instruction(
    world: World, rng: random.Random, *, natural: float = 0.3, brief: float = 0.2, without: Collection[str] = ()
) -> Conversation:
    turns = [turn(world, rng, natural, brief, without) for _ in range(rng.randint(1, 2))]
    return converse_stating("instructions", turns)


def write(
    world: World, rng: random.Random, *, natural: float = 0.3, brief: float = 0.2, without: Collection[str] = ()
) -> Document:
    """One or two instructions to classify something.

    Args:
        natural: share of the instructions whose labels are the meanings themselves.
        brief: share in which a part is left out, each on its own; what labels mean is always said.
        without: parts (of `PARTS`) that every instruction lacks.
    """
    return converse_by_instruction(world, rng, natural=natural, brief=brief, without=without).document()


def questions(
    world: World, rng: random.Random, n: int, *, task: str | None = None, without: Collection[str] = ()
) -> list[Question]:
    """`n` instructions with held-out inputs and held-out pairs of random labels, less the parts in `without`."""
    items = []
    for number in range(n):
        chosen = task or list(TASKS)[number % len(TASKS)]
        instruction = make_instruction(world, rng, chosen, "test", natural=0.0)
        items.append(
            Question(
                prompt=prompt(instruction.text(without)),
                answer=f" {instruction.label}",
                options=tuple(f" {label}" for label in instruction.labels),
                ability="instructions",
                group=chosen,
            )
        )
    return items
