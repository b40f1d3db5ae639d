"""Pads add rightly line by line, corrupted ones end in a wrong sum, and held-out or longer sums are taught nowhere."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, scratchpads

WORLD = World.default()
numbers = st.integers(0, 10**7)


def document(seed, **knobs):
    return scratchpads.write(WORLD, random.Random(seed), **knobs)


@pytest.fixture(scope="module")
def documents():
    return [document(seed) for seed in range(2000)]


@settings(max_examples=200, deadline=None)
@given(numbers, numbers)
def test_every_line_of_a_pad_is_right_and_the_last_holds_the_sum(a, b):
    lines = scratchpads.render(scratchpads.work(a, b)).split("\n")
    assert len(lines) == max(len(str(a)), len(str(b)))
    for place, line in enumerate(lines):
        rest, column, so_far = line.split("|")
        assert rest == f"{a // 10**place}+{b // 10**place}"
        left, right = column.split("=")
        assert eval(left) == int(right)
        assert int(so_far) % 10 ** (place + 1) == (a + b) % 10 ** (place + 1)
    assert int(so_far) == a + b


@settings(max_examples=200, deadline=None)
@given(numbers, numbers, st.integers(0, 2**32), st.booleans())
def test_a_corrupted_pad_ends_in_a_wrong_sum_of_the_same_length(a, b, seed, one):
    pad = scratchpads.work(a, b)
    wrong = scratchpads.corrupt(pad, random.Random(seed), 1 if one else None)
    assert int(wrong[-1].so_far) != a + b
    assert [len(str(line)) for line in wrong] == [len(str(line)) for line in pad]
    differing = sum(new.column != old.column for new, old in zip(wrong, pad, strict=True))
    assert differing == (1 if one else len(pad))


@settings(max_examples=100, deadline=None)
@given(numbers, numbers, st.integers(0, 2**32))
def test_the_checker_finds_the_wrong_line(a, b, seed):
    pad = scratchpads.work(a, b)
    assert all(scratchpads.check(a, b, f"\n{scratchpads.render(pad)}\nSum: {a + b}"))
    wrong = scratchpads.render(scratchpads.corrupt(pad, random.Random(seed), 1))
    assert not all(scratchpads.check(a, b, wrong))
    assert scratchpads.check(a, b, "") == (False,) * len(pad)


def test_documents_add_rightly_and_stay_in_range(documents):
    for told in documents:
        asked = re.findall(r"Add: (\d+) \+ (\d+)(?: = |[^=]*\n(?:.*\|.*\n)+Sum: )(\d+)", told.text)
        assert len(asked) == told.text.count("Add:") >= 1
        for a, b, total in asked:
            assert int(a) + int(b) == int(total)
            assert max(len(a), len(b)) <= scratchpads.MOST_DIGITS


def test_no_held_out_pair_is_asked(documents):
    withheld = set(scratchpads.withheld(WORLD))
    assert len(withheld) > 100
    for told in documents:
        for a, b in re.findall(r"Add: (\d+) \+ (\d+)", told.text):
            assert not scratchpads.is_held_out(int(a), int(b))
            assert f"Add: {a} + {b}" not in withheld


def test_all_sums_of_a_document_are_told_in_one_layout_and_all_lengths_occur(documents):
    layouts = {("Scratch:" in d.text, " = " in d.text) for d in documents}
    assert layouts == {(True, False), (False, True)}
    lengths = {max(map(len, pair)) for d in documents for pair in re.findall(r"Add: (\d+) \+ (\d+)", d.text)}
    assert lengths == set(scratchpads.LENGTHS)


@pytest.mark.parametrize("seed", range(20))
def test_knobs_change_what_they_name_and_nothing_else(seed):
    base, never, wrong = document(seed), document(seed, scratch=0.0), document(seed, corrupted=1.0)
    assert base == document(seed)
    assert "Scratch" not in never.text
    assert re.findall(r"Add: .* \+ \d+", never.text)[0] == re.findall(r"Add: .* \+ \d+", base.text)[0]
    assert len(wrong.text) == len(base.text)
    kept = re.compile(r"^(?:Add|Sum): .*", re.MULTILINE)
    assert kept.findall(wrong.text) == kept.findall(base.text)
    if "Scratch" in base.text:
        assert wrong.text != base.text
        assert all("|" not in wrong.text[a:b] for a, b in wrong.learnable)


@pytest.mark.parametrize("corrupted", [0.0, 1.0])
def test_where_pads_and_sums_end_is_learnable(corrupted):
    for seed in range(50):
        told = document(seed, corrupted=corrupted)
        marked = {place for a, b in told.learnable for place in range(a, b)}
        ends = {
            found.end()
            for found in re.finditer(r"^Add: .* = \d+(?=\n)|\|\d+(?=\nSum)|^Sum: \d+(?=\n)", told.text, re.M)
        }
        assert ends <= marked
        assert len(ends) >= told.text.count("Sum")


@pytest.mark.parametrize("layout", scratchpads.LAYOUTS)
@pytest.mark.parametrize("digits", [1, 5, 7])
def test_questions_continue_as_documents_do(layout, digits):
    for asked in scratchpads.questions(WORLD, random.Random(0), 20, digits, layout):
        whole = asked.prompt + asked.answer
        a, b = map(int, re.match(r"Add: (\d+) \+ (\d+)", whole).groups())
        assert len(str(a)) == len(str(b)) == digits
        assert scratchpads.is_held_out(a, b)
        assert whole.endswith(f" {a + b}")
        if layout == "scratch":
            assert scratchpads.final_answer(asked.answer) == a + b
            assert all(scratchpads.check(a, b, asked.answer))


def test_a_pad_without_a_sum_has_no_answer():
    assert scratchpads.final_answer("\n1+2|1+2+0=03|3\n") is None
