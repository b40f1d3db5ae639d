"""The answer is read from a reply whatever its number format, and never from what is not the answer."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld.arithmetic import in_words
from xllm_widgets.studies.answers import extract_answer

WHOLE = st.integers(-(10**12), 10**12)
WORDS = st.text("abcdefghijkl mnopqrstuvwxyz,", max_size=30)
quick = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("7 + 5 = 12. 12 - 3 = 9. The answer is 9.", 9),
        (" 12.", 12),
        ("The answer is 7 + 5 = 12 apples.", 12),
        ("The answer is 12 apples and 3 pears.", 12),
        ("So the answer is **12**.", 12),
        ("The answer is:\n12", 12),
        ("#### 72", 72),
        (r"Hence \boxed{-5}.", -5),
        ("The answer is $1,234.50.", 1234.5),
        ("12,34,567", 1234567),
        ("1.234.567", 1234567),
        ("1.234,5", 1234.5),
        ("1\u202f234 people", 1234),
        ("3.14.", 3.14),
        ("2 1/2", 2.5),
        ("2½", 2.5),
        ("It measures 12 m², see note 3².", 3),
        ("The answer is 5 thousand.", 5000),
        ("The answer is −5.", -5),
        ("-$5", -5),
        ("minus twenty-one", -21),
        ("one hundred and five", 105),
        ("two thousand three hundred and five", 2305),
        ("The answer is ٤٢.", 42),
        ("The answer is ４２.", 42),
        ("7 - 5", 5),
        ("12 minus 5", 5),
        ("The answer is 5. No: the answer is 6.", 6),
        ("The answer is 12. Question: Tom has 3 apples?", 12),
        ("Question: Tom has 7?\nAnswer: 7 + 5 = 12. 12 - 3 = 9", 9),
        ("Answer: 12\nExplanation: 7 + 5 is what he has.", 12),
        ("Answer: 7 + 5. That makes 12.", 12),
    ],
)
def test_formats(reply, answer):
    assert extract_answer(reply) == answer
    assert type(extract_answer(reply)) is type(answer)


@pytest.mark.parametrize(
    "reply",
    ["", "I do not know.", "A1 x2", "The answer is C.", "3 + 4 is hard. The answer is unknown.", "1/0", "9" * 5000],
)
def test_none_is_told_from_a_number(reply):
    assert extract_answer(reply) is None


@quick
@given(WHOLE, st.sampled_from(["{}", "{:,}", "#### {}", "it is {} now", "The answer is {}.", "\\boxed{{{}}}"]))
def test_whole_numbers_come_back(number, layout):
    assert extract_answer(layout.format(number)) == number


@quick
@given(st.integers(0, 99), st.sampled_from(["The answer is {}.", " {}.", "The answer is minus {}."]))
def test_words_come_back(number, layout):
    assert extract_answer(layout.format(in_words(number))) == (-number if "minus" in layout else number)


@quick
@given(st.decimals(-(10**6), 10**6, places=3, allow_nan=False))
def test_decimals_come_back(number):
    assert extract_answer(f"The answer is {number:,}.") == float(Fraction(number))


@quick
@given(st.lists(WHOLE, min_size=1, max_size=5), WORDS)
def test_of_several_the_last_counts_and_a_statement_beats_them(numbers, words):
    listed = " then ".join(map(str, numbers))
    assert extract_answer(f"{listed}") == numbers[-1]
    assert extract_answer(f"The answer is {numbers[0]}. {listed}") == numbers[0]
    assert extract_answer(f"{listed}. The answer is {numbers[0]}. Question: {words} 99?") == numbers[0]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_at_all_gives_a_number_or_none(text):
    found = extract_answer(text)
    assert found is None or isinstance(found, int | float)
    assert extract_answer(f"The answer is {text}") is None or isinstance(found, int | float | None)
