"""Sums, and word problems that are answered at once or worked step by step."""

import random
from dataclasses import dataclass

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.world import World

PEOPLE = "Tom Sam Ann Eva Joe Mia Leo Zoe Max Amy".split()
THINGS = "apples coins books pens cards eggs shells cups".split()
GAINS = "buys finds gets".split()
LOSSES = "loses sells eats".split()
MOST_STEPS = 4


@dataclass(frozen=True)
class Problem:
    """A word problem: the question, its working ("37 + 12 = 49", one step an entry) and the answer."""

    question: str
    working: tuple[str, ...]
    answer: int

    @property
    def worked(self) -> str:
        return " ".join(f"{step}." for step in self.working) + f" The answer is {self.answer}."

    @property
    def direct(self) -> str:
        return f"The answer is {self.answer}."


def write_problem(rng: random.Random, steps: int) -> Problem:
    who, things = rng.choice(PEOPLE), rng.choice(THINGS)
    amount = rng.randrange(2, 60)
    question, working = f"{who} has {amount} {things}.", []
    for _ in range(steps):
        if rng.random() < 0.5:
            change = rng.randrange(1, 40)
            question += f" {who} {rng.choice(GAINS)} {change} more."
            working.append(f"{amount} + {change} = {amount + change}")
            amount += change
        else:
            change = rng.randrange(0, min(amount, 40) + 1)
            question += f" {who} {rng.choice(LOSSES)} {change}."
            working.append(f"{amount} - {change} = {amount - change}")
            amount -= change
    return Problem(f"{question} How many {things} does {who} have now?", tuple(working), amount)


def write_problems(world: World, rng: random.Random, *, worked: float = 0.55) -> Document:
    """One to five problems, all worked or all direct; half of the direct ones need a single step, a fair opponent."""
    is_worked = rng.random() < worked
    lines = []
    for _ in range(rng.randint(1, 5)):
        single = not is_worked and rng.random() < 0.5
        problem = write_problem(rng, 1 if single else rng.randint(1, MOST_STEPS))
        lines.append(f"Question: {problem.question}\nAnswer: «{problem.worked if is_worked else problem.direct}»")
    return from_marked("problems", "\n\n".join(lines), [])


def write_sum(rng: random.Random) -> str:
    a, b = rng.randrange(100), rng.randrange(100)
    if rng.random() < 0.5:
        return f"{a} + {b} = «{a + b}»"
    return f"{max(a, b)} - {min(a, b)} = «{abs(a - b)}»"


def write_sums(world: World, rng: random.Random) -> Document:
    """Twelve sums and differences of numbers below a hundred."""
    return from_marked("sums", "\n".join(write_sum(rng) for _ in range(12)), [])
