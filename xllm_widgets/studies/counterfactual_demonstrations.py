"""Demonstrations with one thing changed: their symbols, their patterns, their text, or the logic of their steps.

Symbols are the numbers, patterns the equations, text the words around them (Madaan & Yazdanbakhsh, 2022, arXiv
2209.07686). Steps can be invalid, incoherent or irrelevant while the answer stays (Wang et al., 2022a, arXiv
2212.10001). Everything is done by rule, so that it can be done to any worked problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from xllm_widgets.studies.equations import (
    ANOTHER_OPERATOR,
    EQUATION,
    NUMBER,
    Equation,
    carry_on,
    rewrite,
    work_out,
    written,
)
from xllm_widgets.studies.solutions import Solution

SYMBOLS, PATTERNS, TEXTS = ("digits", "letters"), ("true", "false", "none"), ("kept", "shuffled")
ORIGINAL = ("digits", "true", "kept")
FAULTS = ("valid", "invalid", "incoherent", "irrelevant")
Change = Callable[[Solution, np.random.Generator], Solution]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORD = re.compile(r"[^\W\d_]{2,}")


def counterfactual(solution: Solution, symbols: str, patterns: str, text: str, rng: np.random.Generator) -> Solution:
    """The demonstration with its patterns, then its text, then its symbols changed; ORIGINAL changes nothing.

    symbols: "digits", or "letters" that stand for the numbers. patterns: "true" equations, "false" ones (wrong
    results), or "none" (the equation gone, the words that say what happens kept). text: "kept", or "shuffled" words
    (numbers and equations stay where they are).
    """
    for_patterns, for_text = rng.spawn(2)  # so that a text is shuffled alike whatever became of its patterns
    by_pattern: dict[str, Change] = {"true": _same, "false": falsify_patterns, "none": remove_patterns}
    by_text: dict[str, Change] = {"kept": _same, "shuffled": shuffle_text}
    by_symbol: dict[str, Change] = {"digits": _same, "letters": abstract_symbols}
    return by_symbol[symbols](by_text[text](by_pattern[patterns](solution, for_patterns), for_text), rng)


def abstract_symbols(solution: Solution, rng: np.random.Generator | None = None) -> Solution:
    """Each number by a letter of its own, the same one wherever it stands: "A + B = C. The answer is C."."""
    names: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        turn, place = divmod(len(names), len(_LETTERS))
        return names.setdefault(match.group(), _LETTERS[place] + (str(turn) if turn else ""))

    def by_letters(text: str) -> str:
        return re.sub(NUMBER, name, text)

    return replace(
        solution, question=by_letters(solution.question), steps=tuple(map(by_letters, solution.steps)),
        answer=by_letters(solution.answer),
    )  # fmt: skip


def falsify_patterns(solution: Solution, rng: np.random.Generator) -> Solution:
    """Every equation gets a wrong result, and none follows from another; the answer stays."""

    def wrong(old: Equation) -> Equation:
        return replace(old, c=written(abs(Fraction(old.c) + int(rng.choice([-4, -3, -2, 2, 3, 4, 5, 6])))))

    return replace(
        solution, steps=tuple(rewrite(step, lambda old: _really_wrong(wrong, old)) for step in solution.steps)
    )


def remove_patterns(solution: Solution, rng: np.random.Generator | None = None) -> Solution:
    """No step has an equation; its words stay. A step that was nothing else says what the question says there."""
    sentences = [s.strip().rstrip(".") for s in re.split(r"(?<=[.!?])\s+", solution.question)]
    steps = []
    for number, step in enumerate(solution.steps):
        if _WORD.search(EQUATION.sub("", step)):
            steps.append(EQUATION.sub("some", step))
        else:
            steps.append(sentences[min(number + 1, len(sentences) - 1)])
    return replace(solution, steps=tuple(steps))


def shuffle_text(solution: Solution, rng: np.random.Generator) -> Solution:
    """The words of the question, and those of the steps, in random order; numbers and equations stay in place."""
    (question,), steps = _shuffled([solution.question], rng), _shuffled(solution.steps, rng)
    return replace(solution, question=question, steps=tuple(steps))


def with_fault(solution: Solution, fault: str, others: Sequence[Solution], rng: np.random.Generator) -> Solution:
    """The demonstration with its steps valid, invalid, incoherent or irrelevant; question and answer stay.

    invalid: other operations than the question asks for, each worked out rightly, with the question's numbers in their
    order. incoherent: the working's own numbers, each somewhere else. irrelevant: the steps of another problem of
    `others`, of the same number if there is one.
    """
    changes: dict[str, Callable[[], Sequence[str]]] = {
        "valid": lambda: solution.steps,
        "invalid": lambda: _invalid(solution),
        "incoherent": lambda: _incoherent(solution.steps, rng),
        "irrelevant": lambda: _irrelevant(solution, others, rng),
    }
    return replace(solution, steps=tuple(changes[fault]()))


def dummy_steps(solution: Solution) -> Solution:
    """Steps of the same shape and length that say nothing: every digit is 0."""
    return replace(solution, steps=tuple(re.sub(r"\d", "0", step) for step in solution.steps))


def _same(solution: Solution, rng: np.random.Generator) -> Solution:
    return solution


def _really_wrong(wrong: Callable[[Equation], Equation], old: Equation) -> Equation:
    new = wrong(old)
    return replace(new, c=written(Fraction(old.c) + 1)) if new.c == old.c else new


def _shuffled(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The words of all texts shuffled over all their places; whatever is no word, punctuation too, keeps its place."""
    words = [word for text in texts for word in _WORD.findall(text)]
    order = iter([words[i] for i in rng.permutation(len(words))])
    return [_WORD.sub(lambda match: next(order), text) for text in texts]


def _invalid(solution: Solution) -> list[str]:
    def other_operation(number: int, old: Equation) -> Equation:
        op = ANOTHER_OPERATOR[old.op]
        a, b = (old.b, old.a) if op == "-" and Fraction(old.a) < Fraction(old.b) else (old.a, old.b)
        return Equation(a, op, b, work_out(a, op, b) or old.c)

    return carry_on(solution.steps, other_operation, re.findall(NUMBER, solution.question))


def _incoherent(steps: Sequence[str], rng: np.random.Generator) -> list[str]:
    numbers = [number for step in steps for number in re.findall(NUMBER, step)]
    for _ in range(20):  # a few tries at an order that really moves something
        moved = [numbers[i] for i in rng.permutation(len(numbers))]
        if sum(a != b for a, b in zip(moved, numbers, strict=True)) > len(numbers) / 2:
            break
    order = iter(moved if numbers else [])
    return [re.sub(NUMBER, lambda match: next(order), step) for step in steps]


def _irrelevant(solution: Solution, others: Sequence[Solution], rng: np.random.Generator) -> tuple[str, ...]:
    fit = [o for o in others if o.question != solution.question and o.steps != solution.steps and o.steps]
    same = [o for o in fit if len(o.steps) == len(solution.steps)] or fit
    return same[rng.integers(len(same))].steps if same else solution.steps
