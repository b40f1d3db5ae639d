"""Word problems come out as their tales say; slips are wrong and unmarked; what is held out is asked nowhere."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import World, arithmetic
from xllm_widgets.microworld.arithmetic import Style

WORLD = World.default()
seeds = st.integers(0, 2**32)
QUESTION = re.compile(r"Question: (.*)\nAnswer: (.*)")
DIGITS = {"worked": 1.0, "abstract": 0.0}


def document(seed, **knobs):
    return arithmetic.write_problems(WORLD, random.Random(seed), **knobs)


def outcome(question):
    """The numbers of a question in digits, signed, from its words alone."""
    numbers = [int(re.search(r"has (\d+)", question).group(1))]
    for verb, number in re.findall(r"(\w+) (\d+)(?: more)?\.", question):
        numbers.append(int(number) * (1 if verb in arithmetic.GAINS else -1))
    return numbers


@pytest.fixture(scope="module")
def documents():
    return [document(seed) for seed in range(2000)]


def test_numbers_in_words():
    assert [arithmetic.in_words(n) for n in (0, 7, 19, 20, 21, 99)] == [
        "zero", "seven", "nineteen", "twenty", "twenty one", "ninety nine"]  # fmt: skip
    assert len({arithmetic.in_words(n) for n in range(100)}) == 100


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_steps_follow_from_the_question_and_the_answer_from_the_steps(seed):
    for question, answer in QUESTION.findall(document(seed, **DIGITS, faulty=0.0).text):
        numbers = outcome(question)
        steps = re.findall(r"(\d+) ?(\+|-|plus|minus) ?(\d+) ?(?:=|is) ?(\d+)\.", answer)
        assert len(steps) == len(numbers) - 1
        amount = numbers[0]
        for change, (a, op, b, c) in zip(numbers[1:], steps, strict=True):
            assert int(a) == amount
            assert (op in "+plus") == (change > 0) or change == 0
            amount += change
            assert (abs(change), amount) == (int(b), int(c))
        assert arithmetic.final_answer(answer) == str(amount)


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(1, arithmetic.MOST_STEPS), st.sampled_from(["worked", "after", "direct"]))
def test_words_say_what_digits_say(seed, steps, order):
    tale = arithmetic.draw_tale(random.Random(seed), steps)
    digits, words = (arithmetic.tell(tale, Style(order, notation)) for notation in ("digits", "words"))
    assert digits.answer == words.answer == tale.first + sum(tale.changes)
    spoken = re.sub(r"\d+", lambda found: arithmetic.in_words(int(found[0])), digits.told(order))
    assert spoken == words.told(order)


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(1, arithmetic.MOST_STEPS))
def test_letters_name_each_number_once_and_results_in_turn(seed, steps):
    problem = arithmetic.tell(arithmetic.draw_tale(random.Random(seed), steps), Style(notation="letters"))
    given_letters = re.findall(r"\b([A-I])\b", problem.question)
    assert given_letters == list("ABCDEFGHI"[: steps + 1])
    results = [step.split(" = ")[1] for step in problem.working]
    assert results == list("ABCDEFGHI"[steps + 1 : 2 * steps + 1])
    assert problem.direct == f"The answer is {results[-1]}."
    for before, step in zip([given_letters[0], *results], problem.working, strict=False):
        assert step.startswith(f"{before} ")


def test_every_style_has_its_share(documents):
    answers = [QUESTION.search(d.text).group(2) for d in documents]
    worked = sum(not answer.startswith("The answer") for answer in answers)
    after = sum(answer.startswith("The answer") and answer.count(".") > 1 for answer in answers)
    letters = sum(bool(re.search(r"has [A-I] ", d.text)) for d in documents)
    words = sum(bool(re.search(r"has [a-z]", d.text)) for d in documents)
    tight = sum(bool(re.search(r"\d[+-]\d", d.text)) for d in documents)
    for count, share in ((worked, 0.5), (after, 0.12), (letters, 0.037), (words, 0.083), (tight, 0.06)):
        assert count / 2000 == pytest.approx(share, abs=0.03)


def test_problems_of_a_document_share_one_style(documents):
    for told in documents:
        answers = [answer for _, answer in QUESTION.findall(told.text)]
        assert len({(a.startswith("The"), a.endswith("answer is"), a.count(".") > 1) for a in answers}) == 1
        assert len({bool(re.search(r"\d", a)) for a in answers}) == 1


def test_no_held_out_numbers_are_asked(documents):
    for told in documents:
        for question, _ in QUESTION.findall(told.text):
            if re.search(r"has \d", question):
                first, *changes = outcome(question)
                tale = arithmetic.Tale("", "", first, tuple(changes), (), "", "")
                assert not tale.held_out


def test_one_step_direct_is_common_enough_to_be_a_fair_opponent(documents):
    answers = [(outcome(q), a) for d in documents for q, a in QUESTION.findall(d.text) if re.search(r"has \d", q)]
    direct = [len(numbers) - 1 for numbers, answer in answers if re.fullmatch(r"The answer is \d+\.", answer)]
    assert direct.count(1) / len(direct) == pytest.approx(0.625, abs=0.03)
    assert len(direct) > 1200


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([(1.0, 0.0), (0.0, 1.0)]))
def test_a_careless_hand_slips_and_no_slip_is_learnable(seed, orders):
    worked, after = orders
    shares = {"worked": worked, "after": after, "abstract": 0.0}
    right, wrong = document(seed, **shares, faulty=0.0), document(seed, **shares, faulty=1.0)
    for good, bad in zip(QUESTION.finditer(right.text), QUESTION.finditer(wrong.text), strict=True):
        assert good[1] == bad[1]
        if good[2] != bad[2]:
            first = next(i for i, (x, y) in enumerate(zip(steps(good[2]), steps(bad[2]), strict=True)) if x != y)
            slipped = range(
                bad.start(2) + bad[2].index(steps(bad[2])[first]), bad.start(2) + bad[2].rindex(steps(bad[2])[-1]) + 1
            )
            learnt = "".join(wrong.text[max(a, slipped.start) : min(b, slipped.stop)] for a, b in wrong.learnable)
            assert learnt.strip() == ""
            assert arithmetic.final_answer(good[2]) != arithmetic.final_answer(bad[2])


def steps(answer):
    return [part.strip() for part in re.findall(r"[^.]+\.", answer) if "answer" not in part]


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0, 1))
def test_whether_to_work_is_learnable(seed, faulty):
    """Before a number the space is a token of its own: unmarked, it would lose to the " The" of direct answers."""
    told = document(seed, faulty=faulty)
    marked = {place for a, b in told.learnable for place in range(a, b)}
    assert all(found.end() in marked for found in re.finditer("Answer:", told.text))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_where_a_number_ends_is_learnable(seed):
    told = arithmetic.write_sums(WORLD, random.Random(seed))
    marked = {place for a, b in told.learnable for place in range(a, b)}
    assert {place for place, letter in enumerate(told.text) if letter == "\n"} <= marked


def test_about_half_of_the_problems_of_careless_documents_are_wrong():
    shares = {"worked": 1.0, "abstract": 0.0}
    slips = []
    for seed in range(300):
        right, wrong = (document(seed, **shares, faulty=faulty).text.split("\n") for faulty in (0.0, 1.0))
        slips += [good != bad for good, bad in zip(right, wrong, strict=True) if good.startswith("Answer")]
    assert sum(slips) / len(slips) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("order", ["worked", "after", "direct"])
@pytest.mark.parametrize("count", [1, 4])
def test_questions_have_the_layout_of_documents_and_held_out_numbers(order, count):
    for asked in arithmetic.questions(WORLD, random.Random(1), 20, count, Style(order)):
        text = asked.prompt + asked.answer
        *demonstrations, (question, answer) = QUESTION.findall(text)
        assert len(demonstrations) == 2
        numbers = outcome(question)
        assert len(numbers) == count + 1
        assert arithmetic.Tale("", "", numbers[0], tuple(numbers[1:]), (), "", "").held_out
        assert arithmetic.final_answer(answer) == arithmetic.final_answer(asked.answer) == str(sum(numbers))
        assert not asked.prompt.endswith(" ")


def test_what_is_no_answer_is_none():
    assert arithmetic.final_answer(" 7 + 5 = 12. 12 + 1") is None
    assert arithmetic.final_answer("") is None
    assert arithmetic.final_answer(" twenty one.") == "twenty one"
    assert arithmetic.final_answer(" 7 + 5 = 12. The answer is 12.") == "12"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_sums_told_in_words_are_right_and_never_of_held_out_numbers(seed):
    document = arithmetic.write_sums(World.default(), random.Random(seed), told=1.0)
    lines = document.text.split("\n")
    assert len(lines) == 12
    for line in lines:
        first, change, result = map(int, re.findall(r"\d+", line))
        loses = " less " in line or any(f" {verb} " in line for verb in arithmetic.LOSSES)
        assert first + (-change if loses else change) == result
        assert "more" in line or loses
        tale = arithmetic.Tale("", "", first, (-change if loses else change,), (), "", "")
        assert not tale.held_out
    told = [document.text[a:b].strip() for a, b in document.learnable]
    assert told == [line.split()[-1] for line in lines]


def test_who_tells_no_sum_in_words_draws_no_further_random_number():
    plain = arithmetic.write_sums(World.default(), random.Random(5))
    assert plain == arithmetic.write_sums(World.default(), random.Random(5), told=0.0)
    assert not re.search(r"[a-z]", plain.text)
