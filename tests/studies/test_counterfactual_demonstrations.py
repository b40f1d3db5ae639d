"""Each change of a demonstration changes one thing: symbols, patterns, text, or the logic of the steps."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import arithmetic
from xllm_widgets.studies import counterfactual_demonstrations as cd
from xllm_widgets.studies.equations import EQUATION, NUMBER, equations
from xllm_widgets.studies.problems import plain_problems
from xllm_widgets.studies.solutions import Solution

TOM = Solution("Tom has 7 apples. Tom buys 5 more. Tom loses 3. How many?", ("7 + 5 = 12", "12 - 3 = 9"), "9")
PLAIN = plain_problems()


def drawn(seed):
    problem = arithmetic.tell(arithmetic.draw_tale(random.Random(seed), 1 + seed % 4))
    return Solution(problem.question, problem.working, str(problem.answer)) if seed % 2 else PLAIN[seed % len(PLAIN)]


def text_of(one):
    return " ".join((one.question, *one.steps, one.answer))


seeds = st.integers(0, 10**5)
quick = settings(max_examples=60, deadline=None)


@quick
@given(seeds)
def test_symbols_become_letters_one_for_each_number(seed):
    one = drawn(seed)
    changed = cd.abstract_symbols(one)
    assert not re.search(r"\d", text_of(changed))
    pairs = set(
        zip(re.findall(NUMBER, text_of(one)), re.findall(r"\b[A-Z]\d*\b", _stripped(one, changed)), strict=True)
    )
    assert len({number for number, _ in pairs}) == len({letter for _, letter in pairs}) == len(pairs)


def _stripped(one, changed):
    """The changed text with the original's own single capitals ("A baker") taken out, so that only symbols are left."""
    old, new = text_of(one).split(), text_of(changed).split()
    return " ".join(b for a, b in zip(old, new, strict=True) if re.search(r"\d", a))


@quick
@given(seeds)
def test_false_patterns_are_equations_that_do_not_hold(seed):
    one = drawn(seed)
    changed = cd.falsify_patterns(one, np.random.default_rng(seed))
    assert (changed.question, changed.answer) == (one.question, one.answer)
    for before, after in zip(one.steps, changed.steps, strict=True):
        assert [e.is_true for e in equations(after)] == [False] * len(equations(before))
        assert EQUATION.sub("", before) == EQUATION.sub("", after)


@quick
@given(seeds)
def test_without_patterns_no_equation_is_left_and_words_are(seed):
    one = drawn(seed)
    changed = cd.remove_patterns(one)
    assert not any(equations(step) for step in changed.steps)
    assert all(re.search("[a-z]{2}", step) for step in changed.steps)
    assert len(changed.steps) == len(one.steps)
    assert (changed.question, changed.answer) == (one.question, one.answer)


@quick
@given(seeds)
def test_shuffled_text_keeps_its_words_numbers_and_equations(seed):
    one = drawn(seed)
    changed = cd.shuffle_text(one, np.random.default_rng(seed))
    assert sorted(re.findall(r"[^\W\d_]{2,}", one.question)) == sorted(re.findall(r"[^\W\d_]{2,}", changed.question))
    assert re.findall(NUMBER, one.question) == re.findall(NUMBER, changed.question)
    assert [equations(s) for s in one.steps] == [equations(s) for s in changed.steps]
    assert changed.question != one.question


@quick
@given(seeds)
def test_each_fault_keeps_question_and_answer_and_changes_the_steps(seed):
    one, rng = drawn(seed), np.random.default_rng(seed)
    for fault in cd.FAULTS:
        changed = cd.with_fault(one, fault, PLAIN, rng)
        assert (changed.question, changed.answer) == (one.question, one.answer)
        assert (changed.steps == one.steps) == (fault == "valid")
    invalid = cd.with_fault(one, "invalid", PLAIN, rng)
    assert all(e.is_true for step in invalid.steps for e in equations(step))
    assert all(a.op != b.op for a, b in zip(_all(one), _all(invalid), strict=True))
    moved = cd.with_fault(one, "incoherent", PLAIN, rng)
    assert sorted(re.findall(NUMBER, " ".join(moved.steps))) == sorted(re.findall(NUMBER, " ".join(one.steps)))
    irrelevant = cd.with_fault(one, "irrelevant", PLAIN, rng)
    assert irrelevant.steps in {other.steps for other in PLAIN}
    assert len(irrelevant.steps) == len(one.steps)


def _all(one):
    return [e for step in one.steps for e in equations(step)]


def test_invalid_steps_go_on_with_their_own_results():
    assert cd.with_fault(TOM, "invalid", [], np.random.default_rng(0)).steps == ("7 - 5 = 2", "2 + 3 = 5")


def test_the_grid_begins_with_the_original_and_cells_share_their_shuffle():
    make = lambda *cell: cd.counterfactual(TOM, *cell, np.random.default_rng(5))  # noqa: E731
    assert make(*cd.ORIGINAL) == TOM
    shuffled = make("digits", "true", "shuffled")
    assert make("digits", "false", "shuffled").question == shuffled.question
    assert cd.abstract_symbols(shuffled).question == make("letters", "true", "shuffled").question
    assert make("letters", "true", "kept").steps == ("A + B = D", "D - C = E")


def test_dummies_are_as_long_and_say_nothing():
    dummy = cd.dummy_steps(TOM)
    assert dummy.steps == ("0 + 0 = 00", "00 - 0 = 0")
    assert len(dummy.working) == len(TOM.working)


def test_more_numbers_than_letters():
    one = Solution(" ".join(map(str, range(60))), (), "59")
    assert cd.abstract_symbols(one).answer == "H2"


@pytest.mark.parametrize("one", [Solution("No number at all?", (), "none"), Solution("Five?", ("so it is",), "5")])
def test_odd_problems_survive_every_change(one):
    rng = np.random.default_rng(0)
    for fault in cd.FAULTS:
        cd.with_fault(one, fault, [], rng)
    for patterns in cd.PATTERNS:
        for text in cd.TEXTS:
            cd.counterfactual(one, "letters", patterns, text, rng)
