"""Sums, and word problems: worked before the answer, worked after it, answered at once, or worked wrongly.

    Question: Tom has 7 apples. Tom buys 5 more. How many apples does Tom have now?
    Answer: 7 + 5 = 12. The answer is 12.

What saliency, symbols, patterns, wrong steps and steps themselves do to an answer (studies 3, 4, 5, 27: Wu 2023, Madaan
2022, Wang 2022, Wei 2022) is asked in this layout. All problems of a document are told in one style, so that
demonstrations matter; a careless document slips in about half of its problems, and no slip counts as learnable.
"""

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

PEOPLE = "Tom Sam Ann Eva Joe Mia Leo Zoe Max Amy".split()
FOOD = ("apples", "eggs")
THINGS = "apples coins books pens cards eggs shells cups".split()
GAINS = "buys finds gets".split()
LOSSES = "loses sells eats".split()  # the last only what is food
OPENINGS = ("{w} has {n} {t}.", "At first {w} has {n} {t}.", "One day {w} has {n} {t}.")
ENDINGS = (
    "How many {t} does {w} have now?",
    "How many {t} does {w} have at the end?",
    "How many {t} are there now?",
)
MOST_STEPS = 4
FIRST, CHANGE = range(2, 31), range(1, 13)  # small enough that one step can be learnt by heart, and three cannot
HELD_OUT_SHARE = 5  # one set of numbers in five is kept for tests
UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
UNITS += "seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
LETTERS = "ABCDEFGHI"
STEPS = {"spaced": "{a} {op} {b} = {c}", "tight": "{a}{op}{b}={c}", "spoken": "{a} {op} {b} is {c}"}
SPOKEN = {"+": "plus", "-": "minus"}


@dataclass(frozen=True)
class Style:
    """How all problems of a document are told.

    order: "worked" (steps, then the answer), "after" (the answer, then the steps) or "direct" (no steps).
    notation: numbers as "digits", as "words" ("twenty one"), or as "letters" that stand for any number at all.
    step: how a step is written, a key of `STEPS`.
    """

    order: str = "worked"
    notation: str = "digits"
    step: str = "spaced"


PLAIN = Style()


def in_words(number: int) -> str:
    """A number below a hundred in words: "twenty one"."""
    if number < 20:
        return UNITS[number]
    return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")


@dataclass(frozen=True)
class Tale:
    """What happens in a word problem: who holds how many of what, and each change, negative when they lose some."""

    who: str
    things: str
    first: int
    changes: tuple[int, ...]
    verbs: tuple[str, ...]
    opening: str
    ending: str

    @property
    def held_out(self) -> bool:
        """Whether these numbers in this order are kept for tests, whoever holds whatever."""
        numbers = "".join(f"{n:+}" for n in (self.first, *self.changes))
        return zlib.crc32(numbers.encode()) % HELD_OUT_SHARE == 0

    def amounts(self, slip_at: int = -1, slip: int = 0) -> list[int]:
        """The amount after each step, with `slip` too many from step `slip_at` on."""
        amounts, amount = [], self.first
        for number, change in enumerate(self.changes):
            amount += change + (slip if number == slip_at else 0)
            amounts.append(amount)
        return amounts


@dataclass(frozen=True)
class Problem:
    """A word problem: the question, its working ("7 + 5 = 12", one step an entry) and the answer.

    shown: the answer as the problem writes it, when that is not in digits.
    """

    question: str
    working: tuple[str, ...]
    answer: int
    shown: str = ""

    @property
    def steps(self) -> str:
        return " ".join(f"{step}." for step in self.working)

    @property
    def worked(self) -> str:
        return f"{self.steps} {self.direct}"

    @property
    def after(self) -> str:
        return f"{self.direct} {self.steps}"

    @property
    def direct(self) -> str:
        return f"The answer is {self.shown or self.answer}."

    def told(self, order: str) -> str:
        """What stands behind "Answer:" in a document of this order."""
        return {"worked": self.worked, "after": self.after, "direct": self.direct}[order]


def draw_tale(rng: random.Random, steps: int, split: str | None = "train") -> Tale:
    """A random tale of `steps` changes; its numbers are of the given split (None: of either)."""
    while True:
        who, things = rng.choice(PEOPLE), rng.choice(THINGS)
        first = amount = rng.choice(FIRST)
        changes, verbs = [], []
        for _ in range(steps):
            gains = rng.random() < 0.5 or amount == 0
            change = rng.choice(CHANGE) if gains else -min(amount, rng.choice(CHANGE))
            verbs.append(rng.choice(GAINS if gains else LOSSES if things in FOOD else LOSSES[:2]))
            changes.append(change)
            amount += change
        tale = Tale(who, things, first, tuple(changes), tuple(verbs), rng.choice(OPENINGS), rng.choice(ENDINGS))
        if split is None or tale.held_out == (split == "test"):
            return tale


def tell(tale: Tale, style: Style = PLAIN, slip_at: int = -1, slip: int = 0) -> Problem:
    """The tale as a problem; a slip makes the result of one step too large, and what follows from it."""
    results = tale.amounts(slip_at, slip)
    numbers = [tale.first, *(abs(change) for change in tale.changes), *results]
    shown = [str(n) for n in numbers] if style.notation == "digits" else list(LETTERS)
    if style.notation == "words":
        shown = [in_words(n) for n in numbers]
    given, worked_out = shown[: len(results) + 1], shown[len(results) + 1 :]
    question = tale.opening.format(w=tale.who, n=given[0], t=tale.things)
    for change, verb, number in zip(tale.changes, tale.verbs, given[1:], strict=True):
        question += f" {tale.who} {verb} {number}{' more' if change > 0 else ''}."
    working = []
    for a, change, b, c in zip([given[0], *worked_out], tale.changes, given[1:], worked_out, strict=False):
        op = "+" if change > 0 else "-"
        working.append(STEPS[style.step].format(a=a, b=b, c=c, op=SPOKEN[op] if style.step == "spoken" else op))
    question += " " + tale.ending.format(w=tale.who, t=tale.things)
    return Problem(question, tuple(working), results[-1], worked_out[len(results) - 1])


def write_problem(rng: random.Random, steps: int) -> Problem:
    """A random problem in plain style, from either split."""
    return tell(draw_tale(rng, steps, None))


def draw_style(rng: random.Random, worked: float, after: float, abstract: float) -> Style:
    draw, notation, step = rng.random(), rng.random(), rng.random()
    order = "worked" if draw < worked else "after" if draw < worked + after else "direct"
    return Style(
        order,
        "letters" if notation < abstract / 2 and order != "direct" else "words" if notation < abstract else "digits",
        "spoken" if step < 0.1 else "tight" if step < 0.2 and notation >= abstract else "spaced",
    )


def end_lines(marked: str) -> str:
    """Where a learnable span ends a line, that it ends is to be learnt too; else numbers grow a digit too many."""
    return marked.replace("»\n", "\n»")


def mark(style: Style, right: Problem, told: Problem, slip_at: int) -> str:
    """What stands behind "Answer:", with what can be learnt marked: of a wrong working, the steps before the slip.

    The space in front is always marked: before a number it is a token of its own, and the one that decides to work.
    """
    if told.working == right.working:
        return f"« {right.told(style.order)}»"
    if style.order == "after":
        return f"« The answer is» {told.after.removeprefix('The answer is ')}"
    steps = [f"« {step}.»" if number < slip_at else f"« »{step}." for number, step in enumerate(told.working)]
    return f"{''.join(steps)}« {told.direct}»"


def write_item(rng: random.Random, style: Style, careless: bool, single: float, wide: float) -> str:
    """One problem of a document; a direct one needs a single step more often, so that the direct way is fair."""
    steps, is_single = rng.randint(1, MOST_STEPS), rng.random() < single
    if style.order == "direct" and is_single:
        steps = 1
    is_wide = wide and style.order == "direct" and steps == 1 and rng.random() < wide
    tale = draw_wide(rng) if is_wide else draw_tale(rng, steps)
    slips, slip_at, slip = rng.random() < 0.5, rng.randrange(steps), rng.choice((1, 2, 3, 10))
    right = tell(tale, style)
    wrong = tell(tale, style, slip_at, slip) if careless and slips else right
    return f"Question: {wrong.question}\nAnswer:{mark(style, right, wrong, slip_at)}"


def write_problems(
    world: World,
    rng: random.Random,
    *,
    worked: float = 0.5,
    after: float = 0.12,
    faulty: float = 0.1,
    abstract: float = 0.12,
    single: float = 0.5,
    wide: float = 0.0,
) -> Document:
    """One to four problems, all in one style.

    worked, after: shares of documents with the steps before, and after, the answer; the rest answers at once.
    faulty: share of documents by a careless hand, which slips in half of the problems that show their steps.
    abstract: share of documents in letters (half of them, where there are steps) or in number words instead of digits.
    single: share of the problems answered at once that are made to need one step only.
    wide: share of those with numbers larger than in any problem asked about: the few pairs there are of smaller ones
        are learnt by heart, and those kept for tests are then not understood.
    """
    style = draw_style(rng, worked, after, abstract)
    careless = rng.random() < faulty and style.order != "direct" and style.notation != "letters"
    items = [write_item(rng, style, careless, single, wide) for _ in range(rng.randint(1, 4))]
    return from_marked("problems", end_lines("\n\n".join(items)), [])


def render_prompt(demonstrations: Sequence[Problem], asked: Problem, style: Style = PLAIN) -> str:
    """The few-shot prompt: demonstrations in this style, then a question up to where its answer begins.

    In the styles that tell the answer first, the prompt goes on to "The answer is".
    """
    shown = "".join(f"Question: {p.question}\nAnswer: {p.told(style.order)}\n\n" for p in demonstrations)
    begun = "" if style.order == "worked" else " The answer is"
    return f"{shown}Question: {asked.question}\nAnswer:{begun}"


def questions(
    world: World, rng: random.Random, n: int, steps: int = 1, style: Style = PLAIN, shots: int = 2
) -> list[Question]:
    """`n` problems with held-out numbers, after `shots` taught ones in the same style (of 1 to 4 steps).

    The right continuation of a worked problem is its whole working; `final_answer` reads the answer alone.
    """
    asked = []
    for _ in range(n):
        problem = tell(draw_tale(rng, steps, "test"), style)
        demonstrations = [tell(draw_tale(rng, rng.randint(1, MOST_STEPS)), style) for _ in range(shots)]
        prompt = render_prompt(demonstrations, problem, style)
        answer = " " + problem.told(style.order).removeprefix("" if style.order == "worked" else "The answer is ")
        asked.append(Question(prompt, answer, ability=f"problems_{style.order}", group=f"steps={steps}"))
    return asked


def final_answer(written: str) -> str | None:
    """The answer in what a model wrote behind "Answer:" or "The answer is", as it stands there; None without one."""
    line = written.split("\n")[0]
    found = re.search(r"The answer is ([^.]+)\.", line) or re.match(r" ?([^.=]+)\.", line)
    return found[1] if found else None


def write_sum(rng: random.Random, below: int = 100) -> str:
    a, b = rng.randrange(below), rng.randrange(below)
    if rng.random() < 0.5:
        return f"{a} + {b} = «{a + b}»"
    return f"{max(a, b)} - {min(a, b)} = «{abs(a - b)}»"


def draw_wide(rng: random.Random) -> Tale:
    """A tale of one step with any numbers below a hundred, of the training split."""
    while True:
        tale, first, change = draw_tale(rng, 1), rng.randrange(100), rng.randrange(1, 50)
        signed = change if tale.changes[0] > 0 else -change
        wide = replace(tale, first=first, changes=(signed,))
        if 0 <= first + signed < 100 and not wide.held_out:
            return wide


def tell_sum(rng: random.Random, wide: float = 0.0) -> str:
    """A sum as a word problem needs it, without its question: between a bare sum and a problem answered at once."""
    tale = draw_wide(rng) if wide and rng.random() < wide else draw_tale(rng, 1)
    (change,), (verb,), more = tale.changes, tale.verbs, " more" if tale.changes[0] > 0 else ""
    short = f"{tale.first} {tale.things} {'and' if change > 0 else 'less'} {abs(change)}{more} are"
    long = f"{tale.who} has {tale.first} {tale.things} and {verb} {abs(change)}{more}:"
    return f"{rng.choice((short, long))} «{tale.amounts()[-1]}»"


def write_sums(world: World, rng: random.Random, *, told: float = 0.0, wide: float = 0.0) -> Document:
    """Twelve sums and differences: of numbers below a hundred, or all below thirty, as word problems need them.

    told: share of the lines that tell a sum in words.
    wide: share of those with numbers larger than in any problem, so that to add pays more than to learn by heart.
    """
    below = rng.choice((30, 100))
    lines = [tell_sum(rng, wide) if told and rng.random() < told else write_sum(rng, below) for _ in range(12)]
    return from_marked("sums", end_lines("\n".join(lines)), [])
