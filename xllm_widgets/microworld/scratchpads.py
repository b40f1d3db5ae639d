"""Addition of long numbers, at once or on a scratchpad, column by column from the right (study 30, Nye et al. 2021).

    Add: 4821 + 377 = 5198

    Add: 4821 + 377
    Scratch:
    4821+377|1+7+0=08|8
    482+37|2+7+0=09|98
    48+3|8+3+0=11|198
    4+0|4+0+1=05|5198
    Sum: 5198

A line of the pad holds what is left of both numbers, the rightmost column with the carry of the line above (a sum of
two digits: the carry and the digit to write), and the sum written so far. Whatever a line needs stands in it or just
above it, which is why even a tiny model masters it. Direct documents hold more sums than worked ones, so that the
direct way is a fair opponent.
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from xllm_widgets.microworld.arithmetic import end_lines
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

MOST_DIGITS = 5  # longer numbers occur in no document
HELD_OUT_SHARE = 5  # one pair in five is kept for tests
LAYOUTS = ("direct", "scratch")
LENGTHS = (1, 2, 3, 4, 5)
LENGTH_WEIGHTS = (1, 2, 3, 3, 3)
SUM = re.compile(r"Sum: (\d+)$", re.MULTILINE)


def is_held_out(a: int, b: int) -> bool:
    """Whether this pair, in this order, is kept for tests and asked in no document."""
    return zlib.crc32(f"{a}+{b}".encode()) % HELD_OUT_SHARE == 0


def draw_number(rng: random.Random, digits: int) -> int:
    return rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def draw_pair(rng: random.Random, digits: int, split: str = "train", *, equal: bool = False) -> tuple[int, int]:
    """Two numbers of which the longer has `digits` digits; with `equal` both do, as they do half of the time anyway."""
    shorter = digits if equal or rng.random() < 0.5 else rng.randint(1, digits)
    while True:
        pair = [draw_number(rng, digits), draw_number(rng, shorter)]
        rng.shuffle(pair)
        if is_held_out(*pair) == (split == "test"):
            return pair[0], pair[1]


@dataclass(frozen=True)
class Line:
    """One line of a pad: what is left of both numbers, the column's sum (carry first) and the sum so far."""

    a: int
    b: int
    carry: int
    column: int
    so_far: str

    def __str__(self) -> str:
        return f"{self.a}+{self.b}|{self.a % 10}+{self.b % 10}+{self.carry}={self.column:02}|{self.so_far}"


def work(a: int, b: int) -> tuple[Line, ...]:
    """The pad of a + b, rightmost column first."""
    lines: list[Line] = []
    carry, so_far = 0, ""
    while a or b or not lines:
        column = a % 10 + b % 10 + carry
        is_last = a < 10 and b < 10
        so_far = f"{column if is_last else column % 10}{so_far}"
        lines.append(Line(a, b, carry, column, so_far))
        a, b, carry = a // 10, b // 10, column // 10
    return tuple(lines)


def render(lines: tuple[Line, ...]) -> str:
    return "\n".join(str(line) for line in lines)


def corrupt(lines: tuple[Line, ...], rng: random.Random, count: int | None = None) -> tuple[Line, ...]:
    """The same pad with a wrong digit written in `count` lines (in all when None); the sums so far carry it on.

    A model that uses its pad answers with the wrong sum at the pad's end; a pad that is mere room to think changes
    nothing. No line changes its length.
    """
    chosen = set(rng.sample(range(len(lines)), len(lines) if count is None else count))
    wrong: list[Line] = []
    so_far = ""
    for number, line in enumerate(lines):
        digit = line.column % 10
        if number in chosen:
            digit = rng.choice([d for d in range(1, 10) if d != digit])
        new = len(line.so_far) - len(so_far)  # 2 in a last line that carries
        so_far = f"{line.column // 10 * 10 + digit:0{new}}"[-new:] + so_far
        wrong.append(Line(line.a, line.b, line.carry, line.column // 10 * 10 + digit, so_far))
    return tuple(wrong)


def write_item(rng: random.Random, scratch: bool, corrupted: float) -> str:
    """One addition; the same random numbers are drawn in either layout."""
    a, b = draw_pair(rng, rng.choices(LENGTHS, LENGTH_WEIGHTS)[0])
    pad = work(a, b)
    is_corrupted, wrong = rng.random() < corrupted, corrupt(pad, rng)
    if not scratch:
        return f"Add: {a} + {b} = «{a + b}»"
    told = render(wrong) if is_corrupted else f"«{render(pad)}»"
    return f"Add: {a} + {b}\nScratch:\n{told}«\nSum: {a + b}»"


def write(world: World, rng: random.Random, *, scratch: float = 0.7, corrupted: float = 0.0) -> Document:
    """One or two additions on scratchpads, or three to eight direct ones.

    scratch: share of the documents that work on a scratchpad; 0 is the twin that only ever answers at once.
    corrupted: share of the pads that hold wrong digits under a right sum: as many tokens, no help in them.
    """
    is_scratch = rng.random() < scratch
    worked, direct = rng.randint(1, 2), rng.randint(3, 8)
    items = [write_item(rng, is_scratch, corrupted) for _ in range(worked if is_scratch else direct)]
    return from_marked("scratchpads", end_lines(("\n\n" if is_scratch else "\n").join(items)), [])


def prompt(a: int, b: int, layout: str) -> str:
    return f"Add: {a} + {b} =" if layout == "direct" else f"Add: {a} + {b}\nScratch:"


def questions(
    world: World, rng: random.Random, n: int, digits: int = MOST_DIGITS, layout: str = "scratch"
) -> list[Question]:
    """`n` held-out additions of two numbers of `digits` digits; more than `MOST_DIGITS` asks beyond what was taught.

    On a pad the right continuation is the whole pad; `final_answer` reads the sum from what a model wrote.
    """
    asked = []
    for _ in range(n):
        a, b = draw_pair(rng, digits, "test", equal=True)
        answer = f" {a + b}" if layout == "direct" else f"\n{render(work(a, b))}\nSum: {a + b}"
        asked.append(Question(prompt(a, b, layout), answer, ability=f"addition_{layout}", group=f"digits={digits}"))
    return asked


def final_answer(written: str) -> int | None:
    """The number behind the first "Sum:" in what a model wrote on its pad; None when it never got there."""
    found = SUM.search(written)
    return int(found[1]) if found else None


def check(a: int, b: int, written: str) -> tuple[bool, ...]:
    """For each line of the right pad, whether the model wrote exactly that; lines that are missing count as wrong."""
    lines = written.strip().splitlines()
    right = [str(line) for line in work(a, b)]
    return tuple(line == told for line, told in zip(right, lines + [""] * len(right), strict=False))


def withheld(world: World) -> Iterator[str]:
    """The held-out pairs of numbers below thirty; the longer ones are too many to list and follow the same rule."""
    for a in range(30):
        yield from (f"Add: {a} + {b}" for b in range(30) if is_held_out(a, b))
