"""The exercises of notebook 02, chain of thought."""

import random
from itertools import pairwise

from xllm_widgets.classroom.exercises import Exercise, Mistake
from xllm_widgets.microworld import arithmetic

# --- 02-answer: what a reply says ---------------------------------------------------------------------------------


def answer_of(reply):
    import re

    return int(re.findall(r"The answer is (\d+)", reply)[0])


def last_number(reply):
    import re

    return int(re.findall(r"\d+", reply)[-1])


def first_number(reply):
    import re

    return int(re.findall(r"\d+", reply)[0])


def last_statement(reply):
    import re

    return int(re.findall(r"The answer is (\d+)", reply)[-1])


def as_text(reply):
    return str(answer_of(reply))


def answer_by_splitting(reply):
    return int(reply.split("The answer is ")[1].split(".")[0])


def answer_by_partition(reply):
    own, _, _ = reply.partition("\n\nQuestion:")
    _, _, said = own.partition("The answer is ")
    return int(said[: said.index(".")])


def answer_by_walking(reply):
    place, digits = reply.find("The answer is ") + len("The answer is "), ""
    while reply[place].isdigit():
        digits += reply[place]
        place += 1
    return int(digits)


def a_reply(rng: random.Random) -> tuple[str]:
    """Steps and the answer; half of the replies check themselves, and half go on with a question of their own."""
    tale = arithmetic.draw_tale(rng, rng.randint(2, 4), None)
    *_, before, answer = tale.amounts()
    reply = f" {arithmetic.tell(tale).worked}"
    if rng.random() < 0.5:
        reply += f" Check: {answer} {'-' if answer > before else '+'} {abs(answer - before)} = {before}."
    if rng.random() < 0.5:
        other = arithmetic.tell(arithmetic.draw_tale(rng, rng.randint(1, 4), None))
        reply += f"\n\nQuestion: {other.question}\nAnswer: {other.worked}"
    return (reply,)


ANSWER = Exercise(
    name="02-answer",
    prompt=(
        "A model was asked one question and has written `reply`: steps, and a sentence such as *The answer is 12.* "
        "Some models then check themselves, and some go on to ask and answer a question of their own. "
        "Write `answer_of(reply)`: the number it gives as its answer to *your* question, as an `int`."
    ),
    starter="def answer_of(reply):\n    ...",
    answer=answer_of,
    variant=a_reply,
    also_right=(answer_by_splitting, answer_by_partition, answer_by_walking),
    hints=(
        "Which words stand right before the answer in every reply, whatever follows it?",
        "If those words stand there twice, which of the two belongs to your question?",
        "The number behind the first “The answer is ”, made an `int`.",
    ),
    mistakes=(
        Mistake("the last number of a reply is its answer (a check may follow it, and so may another question)",
                last_number),
        Mistake("the first number of a reply is its answer (with steps first it is a number of the question)",
                first_number),
        Mistake("the last statement counts, even if the model has gone on to a question of its own", last_statement),
        Mistake("a text that looks like a number equals that number (no gold answer will ever match it)", as_text),
    ),
    explanation="Every accuracy of this chapter rests on such a reader; one that misreads makes steps look useless.",
)  # fmt: skip

# --- 02-carry: where a slip leads ---------------------------------------------------------------------------------


def carried(first, changes, slip_at):
    results, amount = [], first
    for step, change in enumerate(changes):
        amount += change + (1 if step == slip_at else 0)
        results.append(amount)
    return results


def slip_alone(first, changes, slip_at):
    results = carried(first, changes, -1)
    results[slip_at] += 1
    return results


def slip_every_time(first, changes, slip_at):
    results, amount = [], first
    for step, change in enumerate(changes):
        amount += change + (1 if step >= slip_at else 0)
        results.append(amount)
    return results


def slip_at_the_end(first, changes, slip_at):
    results = carried(first, changes, -1)
    results[-1] += 1
    return results


def carried_by_sums(first, changes, slip_at):
    return [first + sum(changes[: k + 1]) + (k >= slip_at) for k in range(len(changes))]


def carried_by_changing(first, changes, slip_at):
    wrong = list(changes)
    wrong[slip_at] += 1
    return [first + sum(wrong[: k + 1]) for k in range(len(wrong))]


def carried_by_accumulating(first, changes, slip_at):
    from itertools import accumulate

    true = list(accumulate(changes, initial=first))[1:]
    return [result if step < slip_at else result + 1 for step, result in enumerate(true)]


def some_changes(rng: random.Random) -> tuple[int, list[int], int]:
    changes = [rng.choice((-1, 1)) * rng.randint(1, 12) for _ in range(rng.randint(3, 5))]
    return rng.randint(60, 90), changes, rng.randrange(len(changes))


CARRY = Exercise(
    name="02-carry",
    prompt=(
        "A problem starts from the amount `first`; each of `changes` is added in a step of its own. In step number "
        "`slip_at` (from 0) the result comes out one too large, and every later step goes on from what stands there. "
        "Write `carried(first, changes, slip_at)`: the list of all results."
    ),
    starter="def carried(first, changes, slip_at):\n    ...",
    answer=carried,
    variant=some_changes,
    also_right=(carried_by_sums, carried_by_changing, carried_by_accumulating),
    hints=(
        "Work 7 + 5 + 3 on paper with a slip in the first sum: 13, and then?",
        "A later step starts from the wrong result, but makes no slip of its own.",
        "Every result from `slip_at` on is one too large; those before it are right.",
    ),
    mistakes=(
        Mistake("a slip stays where it is, and later steps start from the truth", slip_alone),
        Mistake("a slip is made anew in each later step", slip_every_time),
        Mistake("a slip shows in the final answer alone", slip_at_the_end),
    ),
    explanation="This is the answer that tells a model that leans on its steps from one that writes them for show.",
)

# --- 02-decisive: reading the curve -------------------------------------------------------------------------------


def decisive(shares):
    from itertools import pairwise

    moves = [abs(after - before) for before, after in pairwise(shares)]
    return moves.index(max(moves)) + 1


def highest_point(shares):
    return max(range(1, len(shares)), key=lambda k: shares[k])


def only_rises(shares):
    return max(range(1, len(shares)), key=lambda k: shares[k] - shares[k - 1])


def from_the_start(shares):
    return max(range(1, len(shares)), key=lambda k: abs(shares[k] - shares[0]))


def decisive_by_arrays(shares):
    import numpy as np

    return int(np.abs(np.diff(shares)).argmax()) + 1


def decisive_by_max(shares):
    return max(range(1, len(shares)), key=lambda k: abs(shares[k] - shares[k - 1]))


def decisive_by_walking(shares):
    best, step = -1.0, 0
    for k in range(1, len(shares)):
        move = shares[k] - shares[k - 1]
        if max(move, -move) > best:
            best, step = max(move, -move), k
    return step


def some_shares(rng: random.Random) -> tuple[list[float]]:
    """Four to six points whose moves all differ in size: which of two equal moves decides is not what is asked."""
    while True:
        shares = [rng.randint(0, 20) / 20 for _ in range(rng.randint(4, 6))]
        moves = {round(abs(b - a) * 20) for a, b in pairwise(shares)}
        if len(moves) == len(shares) - 1:
            return (shares,)


DECISIVE = Exercise(
    name="02-decisive",
    prompt=(
        "`shares[k]` is the share of new endings that come to the right answer when the first `k` steps are kept: "
        "`shares[0]` with none, `shares[1]` with step 1, and so on. Write `decisive(shares)`: the number of the step, "
        "counted from 1, that moved the share most, up or down."
    ),
    starter="def decisive(shares):\n    ...",
    answer=decisive,
    variant=some_shares,
    also_right=(decisive_by_arrays, decisive_by_max, decisive_by_walking),
    hints=(
        "Step k stands between two points of the curve. Which two?",
        "A step that ruins the answer decides as much as one that saves it.",
        "The largest size of `shares[k] - shares[k - 1]`, and its k.",
    ),
    mistakes=(
        Mistake("the highest point of the curve marks the step (it may have got there long before)", highest_point),
        Mistake("only a step that helps can decide", only_rises),
        Mistake("how far the curve is from its beginning is the work of the last step", from_the_start),
    ),
    explanation="A curve shows causes in its moves, not in its heights; and each move has an interval of its own.",
)

# --- 02-length and 02-ties: no code -------------------------------------------------------------------------------

LENGTH = Exercise(
    name="02-length",
    prompt=(
        "Written steps make a text longer, and each further token is one more pass through the network. A student "
        "says: *it is not what the steps say, it is the time to think.* Look at the first picture of this chapter. "
        "Which part of it can tell?"
    ),
    options=(
        "Worked answers lie above direct ones.",
        "The distance between worked and direct differs from one number of steps to the next.",
        "The grey line: as many steps, as long, with every digit a 0.",
        "The larger models lie above the smaller ones.",
    ),
    answer="c",
    hints=(
        "You want two texts of the same length, of which one says something.",
        "Which line has the length of the steps and nothing else of them?",
    ),
    mistakes=(
        Mistake("the effect tells its own cause", "a",
                "worked answers have both more tokens and more to read, so either could be the reason."),
        Mistake("more steps, more effect, so it is the contents", "b",
                "problems with more steps also get longer texts: length and contents grow together."),
        Mistake("size is a control", "d", "it compares models, not texts: in each model both reasons are still one."),
    ),
    explanation="Same length, nothing said: what worked answers have above the grey line is what the steps say.",
)  # fmt: skip

TIES = Exercise(
    name="02-ties",
    prompt=(
        "A model is shown worked demonstrations and solves 91 % of the problems. With wrong steps in the "
        "demonstrations it solves 90 %, with the steps of quite other problems 91 %. A student concludes: *for "
        "reasoning it does not matter whether steps are true.* Which further number do you ask for first?"
    ),
    options=(
        "The accuracy over ten times as many problems.",
        "The accuracy of a larger model.",
        "The accuracy with twice as many demonstrations.",
        "The accuracy without any demonstration.",
    ),
    answer="d",
    hints=(
        "What would these three numbers be for a model that never looks at its demonstrations?",
        "Before you ask what in the demonstrations matters: do they matter at all?",
    ),
    mistakes=(
        Mistake("a tie is a lack of data", "a", "it would be the same tie, known more exactly."),
        Mistake("another model explains this one", "b", "whatever it does, it leaves open why this one ties."),
        Mistake("more of what is ignored will be heeded", "c",
                "if nothing is read from them, twice as many are read as little; first find out whether it is."),
    ),
    explanation="If none at all gives 91 % too, the arms tie because nobody read them; steps were never tested.",
)  # fmt: skip

EXERCISES = (ANSWER, CARRY, DECISIVE, LENGTH, TIES)
