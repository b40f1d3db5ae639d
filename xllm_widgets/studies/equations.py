"""The sums that a step of working spells out ("7 + 5 = 12"): found in any text, checked, and worked anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

NUMBER = r"\d+(?:\.\d+)?"
EQUATION = re.compile(rf"(?P<a>{NUMBER})\s*(?P<op>[-+−–*×x/÷])\s*(?P<b>{NUMBER})\s*=\s*(?P<c>-?{NUMBER})")
PLAIN_OPERATOR = {"−": "-", "–": "-", "*": "×", "x": "×", "/": "÷"}
ANOTHER_OPERATOR = {"+": "-", "-": "+", "×": "+", "÷": "-"}


@dataclass(frozen=True)
class Equation:
    """a op b = c, the numbers as they are written; `op` is one of + - × ÷."""

    a: str
    op: str
    b: str
    c: str

    @property
    def result(self) -> str | None:
        """What a op b really comes to; None for a division by zero."""
        return work_out(self.a, self.op, self.b)

    @property
    def is_true(self) -> bool:
        """Whether what is written behind "=" is what the left side comes to."""
        return self.result is not None and Fraction(self.result) == Fraction(self.c)


def equations(text: str) -> list[Equation]:
    """The equations of a text, in order."""
    return [_read(match) for match in EQUATION.finditer(text)]


def work_out(a: str, op: str, b: str) -> str | None:
    """The result of a op b as it would be written; None for a division by zero."""
    x, y = Fraction(a), Fraction(b)
    if op == "÷" and y == 0:
        return None
    return written({"+": x + y, "-": x - y, "×": x * y}[op] if op != "÷" else x / y)


def written(value: Fraction) -> str:
    """12, -3, 2.5; at most four decimals."""
    return str(int(value)) if value.denominator == 1 else f"{float(value):.4f}".rstrip("0").rstrip(".")


def rewrite(text: str, change: Callable[[Equation], Equation]) -> str:
    """The text with each of its equations replaced; signs stay as they were written unless the operation changes."""

    def one(match: re.Match[str]) -> str:
        old = _read(match)
        new = change(old)
        sign = match["op"] if new.op == old.op else new.op
        spaces = " " if " " in match.group() else ""
        return f"{new.a}{spaces}{sign}{spaces}{new.b}{spaces}={spaces}{new.c}"

    return EQUATION.sub(one, text)


def carry_on(steps: Sequence[str], change: Callable[[int, Equation], Equation], given: Sequence[str] = ()) -> list[str]:
    """The steps with `change(number of the step, equation)` applied, and what follows from it in the later ones.

    An operand that is an earlier step's result follows that result; one that is also among the numbers `given` by the
    question does so only if it is the result of the step just before and stands first.
    """
    became: dict[str, str] = {}  # a result as it was → as it is now
    last, done = "", []

    def follow(old: Equation) -> Equation:
        a = became.get(old.a, old.a) if old.a == last or old.a not in given else old.a
        b = became.get(old.b, old.b) if old.b not in given else old.b
        return Equation(a, old.op, b, work_out(a, old.op, b) or old.c) if (a, b) != (old.a, old.b) else old

    for number, step in enumerate(steps):

        def one(old: Equation, number: int = number) -> Equation:
            nonlocal last
            new = change(number, follow(old))
            became[old.c], last = new.c, old.c
            return new

        done.append(rewrite(step, one))
    return done


def _read(match: re.Match[str]) -> Equation:
    return Equation(match["a"], PLAIN_OPERATOR.get(match["op"], match["op"]), match["b"], match["c"])
