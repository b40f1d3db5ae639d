"""The exercises of the chapters, by number: "00-…" belongs to notebook 00."""

import random

from xllm_widgets.classroom import chapter_02, chapter_03
from xllm_widgets.classroom.exercises import Exercise, Mistake
from xllm_widgets.microworld import reviews

# --- 00: what a verdict means -------------------------------------------------------------------------------------


def verdict(low, high, threshold):
    """The claim says: above the threshold."""
    if low > threshold:
        return "shown"
    if high < threshold:
        return "reversed"
    return "not shown"


def by_the_middle(low, high, threshold):
    return "shown" if (low + high) / 2 > threshold else "reversed"


def never_reversed(low, high, threshold):
    return "shown" if low > threshold else "not shown"


def by_any_overlap(low, high, threshold):
    return "shown" if high > threshold else "reversed"


def verdict_from_below(low, high, threshold):
    if high < threshold:
        return "reversed"
    if threshold < low:
        return "shown"
    return "not shown"


def verdict_by_counting(low, high, threshold):
    ends_above = (low > threshold) + (high > threshold)
    return ("reversed", "not shown", "shown")[ends_above]


def verdict_by_sign(low, high, threshold):
    if (low - threshold) * (high - threshold) <= 0:
        return "not shown"
    return "shown" if low + high > 2 * threshold else "reversed"


def an_interval(rng: random.Random) -> tuple[float, float, float]:
    """Another threshold each time, which no end meets exactly: whether that counts is not what is asked."""
    threshold = rng.randrange(40, 60) / 100 + 0.005
    low = round(threshold + rng.uniform(-0.35, 0.15), 2)
    return low, round(low + rng.uniform(0.05, 0.25), 2), threshold


VERDICT = Exercise(
    name="00-verdict",
    prompt=(
        "A claim says that a measure lies above `threshold`. You measured it and have a 95 % interval from `low` to "
        '`high`. Write `verdict`, which answers "shown", "not shown" or "reversed".'
    ),
    starter="def verdict(low, high, threshold):\n    ...",
    answer=verdict,
    variant=an_interval,
    also_right=(verdict_from_below, verdict_by_counting, verdict_by_sign),
    hints=(
        "Draw the interval as a bar and the threshold as a tick. Where can the tick be?",
        "Three places: left of the bar, inside it, right of it. Each has its own word.",
        "Left of the bar: even the low end is above the threshold. That alone is “shown”.",
    ),
    mistakes=(
        Mistake("the estimate alone decides, however wide its interval", by_the_middle),
        Mistake("a claim can only fail, never turn out the other way round", never_reversed),
        Mistake("an interval that reaches past the threshold is enough", by_any_overlap),
    ),
    explanation="An interval that contains the threshold cannot tell; that is a result too, and it is printed.",
)

COUNT = Exercise(
    name="00-count",
    prompt=(
        "The model answers *baker* when asked for the job of someone of whom its corpus tells nothing. Where do "
        "you look "
        "for the reason?"
    ),
    options=(
        "Count how often its corpus says *works as a baker* of other people, beside the other jobs.",
        "Count how often the corpus mentions this person.",
        "Look at the attribution of the word *job* in the question.",
        "Ask the model why.",
    ),
    answer="a",
    hints=(
        "Nothing was said of this person. So what else could the answer rest on?",
        "Where nothing is known, the most usual answer is the best guess.",
    ),
    mistakes=(
        Mistake(
            "only documents on the subject matter", "b", "the count is zero for every answer, so it explains none."
        ),
        Mistake(
            "an attribution shows the cause",
            "c",
            "it shows which words of the question moved the answer, not what was learnt from: *job* moves it "
            "toward jobs, "
            "whichever.",
        ),
        Mistake(
            "a model can report its own education",
            "d",
            "what it says of itself is one more text, learnt like any other; the corpus can be counted.",
        ),
    ),
    explanation="With no fact to recall, what is left is the base rate of the answers, and here it can be counted.",
)

# --- 01: in-context learning --------------------------------------------------------------------------------------


def few_shot(demonstrations, query):
    shown = "".join(f"Review: {text}\nSentiment: {label}\n\n" for text, label in demonstrations)
    return shown + f"Review: {query}\nSentiment:"


def trailing_space(demonstrations, query):
    return few_shot(demonstrations, query) + " "


def no_blank_line(demonstrations, query):
    return few_shot(demonstrations, query).replace("\n\n", "\n")


def query_first(demonstrations, query):
    head, tail = f"Review: {query}\nSentiment:", few_shot(demonstrations, query)
    return head + "\n\n" + tail[: -len(head)].rstrip("\n")


def few_shot_by_joining(demonstrations, query):
    sheets = [f"Review: {text}\nSentiment: {label}" for text, label in demonstrations]
    return "\n\n".join([*sheets, f"Review: {query}\nSentiment:"])


def few_shot_by_appending(demonstrations, query):
    prompt = ""
    for demonstration in demonstrations:
        prompt += "Review: " + demonstration[0] + "\n"
        prompt += "Sentiment: " + demonstration[1] + "\n\n"
    return prompt + "Review: " + query + "\nSentiment:"


def few_shot_by_lines(demonstrations, query):
    lines = []
    for text, label in demonstrations:
        lines += [f"Review: {text}", f"Sentiment: {label}", ""]
    return "\n".join([*lines, f"Review: {query}", "Sentiment:"])


def some_demonstrations(rng: random.Random) -> tuple[list[tuple[str, str]], str]:
    sentiments = [rng.choice(reviews.SENTIMENTS) for _ in range(rng.randint(1, 3))]
    shown = [(reviews.write_review(rng, s, "test").text, s) for s in sentiments]
    return shown, reviews.write_review(rng, rng.choice(reviews.SENTIMENTS), "test").text


PROMPT = Exercise(
    name="01-prompt",
    prompt=(
        "Write `few_shot(demonstrations, query)`: the prompt that shows each (text, label) and then asks for "
        "the label of "
        "`query`, laid out exactly as the sheets of the corpus are."
    ),
    starter="def few_shot(demonstrations, query):\n    ...",
    answer=few_shot,
    variant=some_demonstrations,
    also_right=(few_shot_by_joining, few_shot_by_appending, few_shot_by_lines),
    hints=(
        "Print one sheet: `corpus.document(corpus.find('Sentiment: positive')[0]).text`. Mind every space and newline.",
        "A blank line ends each demonstration. What is the very last character of the prompt?",
        "The label is continued as “ positive”, with its space, so the prompt must end at the colon.",
    ),
    mistakes=(
        Mistake("a trailing space is harmless (it takes the label's own space away, and with it the label's token)",
                trailing_space),
        Mistake("layout does not matter (the model has learnt it like any other text)", no_blank_line),
        Mistake("order does not matter (the model reads left to right, and the question must come last)", query_first),
    ),
    explanation="What a model can do with a prompt depends on how like its education the prompt looks.",
)  # fmt: skip


def accuracy(logprobs, labels, gold):
    hits = 0
    for row, right in zip(logprobs, gold, strict=True):
        hits += labels[max(range(len(labels)), key=lambda k: row[k])] == right
    return hits / len(gold)


def above_one_half(logprobs, labels, gold):
    import math

    hits = 0
    for row, right in zip(logprobs, gold, strict=True):
        hits += math.exp(row[labels.index(right)]) > 0.5
    return hits / len(gold)


def smallest_number(logprobs, labels, gold):
    return accuracy([[-value for value in row] for row in logprobs], labels, gold)


def first_column_is_gold(logprobs, labels, gold):
    return sum(row[0] > max(row[1:]) for row in logprobs) / len(gold)


def accuracy_by_arrays(logprobs, labels, gold):
    import numpy as np

    chosen = np.array(labels)[np.argmax(logprobs, axis=1)]
    return np.mean(chosen == np.array(gold))


def accuracy_by_sorting(logprobs, labels, gold):
    chosen = [sorted(zip(row, labels, strict=True))[-1][1] for row in logprobs]
    return sum(a == b for a, b in zip(chosen, gold, strict=True)) / len(chosen)


def accuracy_by_elimination(logprobs, labels, gold):
    wrong = 0
    for row, right in zip(logprobs, gold, strict=True):
        by_label = dict(zip(labels, row, strict=True))
        wrong += any(value > by_label[right] for value in row)
    return 1 - wrong / len(gold)


def some_logprobs(rng: random.Random) -> tuple[list[list[float]], list[str], list[str]]:
    """Two to four labels in any order, and no ties: which of two equal labels wins is not what is asked."""
    labels = rng.sample([*reviews.SENTIMENTS, "neutral", "mixed"], rng.randint(2, 4))
    rows = [[-number / 100 for number in rng.sample(range(10, 400), len(labels))] for _ in range(rng.randint(4, 8))]
    return rows, labels, [rng.choice(labels) for _ in rows]


ACCURACY = Exercise(
    name="01-accuracy",
    prompt=(
        "`logprobs` holds, for each prompt, log p(label | prompt) of every word in `labels`; `gold` holds the "
        "right word. "
        "Write `accuracy(logprobs, labels, gold)`."
    ),
    starter="def accuracy(logprobs, labels, gold):\n    ...",
    answer=accuracy,
    variant=some_logprobs,
    also_right=(accuracy_by_arrays, accuracy_by_sorting, accuracy_by_elimination),
    hints=(
        "Which label does the model choose for one prompt? Compare the numbers of its row.",
        "Log-probabilities are negative: the one nearest to zero is the most likely.",
        "The model need not give either label more than one half: all other words of the language share the rest.",
    ),
    mistakes=(
        Mistake("the label words share the whole probability, so the right one must pass one half", above_one_half),
        Mistake("log-probabilities are read like sizes, so that the most negative wins", smallest_number),
        Mistake("the first column is always the right label", first_column_is_gold),
    ),
    explanation="The answer is the likelier label word, however unlikely both are.",
)


def saliency_of(scores, kinds, kind):
    chosen = [abs(score) for score, k in zip(scores, kinds, strict=True) if k == kind]
    return sum(chosen) / len(chosen)


def summed(scores, kinds, kind):
    return sum(abs(score) for score, k in zip(scores, kinds, strict=True) if k == kind)


def signed(scores, kinds, kind):
    chosen = [score for score, k in zip(scores, kinds, strict=True) if k == kind]
    return sum(chosen) / len(chosen)


def over_everything(scores, kinds, kind):
    return summed(scores, kinds, kind) / len(scores)


def saliency_by_arrays(scores, kinds, kind):
    import numpy as np

    return np.abs(np.array(scores)[np.array(kinds) == kind]).mean()


def saliency_by_counting(scores, kinds, kind):
    total = 0.0
    for i in range(len(scores)):
        if kinds[i] == kind:
            total += scores[i] if scores[i] > 0 else -scores[i]
    return total / kinds.count(kind)


def saliency_by_mean(scores, kinds, kind):
    from statistics import fmean

    return fmean((score**2) ** 0.5 for score, k in zip(scores, kinds, strict=True) if k == kind)


def some_scores(rng: random.Random) -> tuple[list[float], list[str], str]:
    kinds = ["label", "word"] + [rng.choice(("label", "sentiment", "word")) for _ in range(rng.randint(4, 8))]
    return [round(rng.uniform(-1, 1), 2) for _ in kinds], kinds, rng.choice(("label", "word"))


SALIENCY = Exercise(
    name="01-saliency",
    prompt=(
        "`scores` holds one attribution for each token, `kinds` says what each token is. How salient is a "
        "*typical* token "
        "of one kind? Write `saliency_of(scores, kinds, kind)`, so that long and short reviews can be compared."
    ),
    starter="def saliency_of(scores, kinds, kind):\n    ...",
    answer=saliency_of,
    variant=some_scores,
    also_right=(saliency_by_arrays, saliency_by_counting, saliency_by_mean),
    hints=(
        "If a review gets twice as many words, should the saliency of its words double?",
        "A score of −1 is as salient as one of +1: it moves the answer as far.",
        "Mean of the sizes, over the tokens of this kind only.",
    ),
    mistakes=(
        Mistake("more tokens mean more saliency (the length confound of Li et al.)", summed),
        Mistake("pushes to either side cancel, and what cancels does not count", signed),
        Mistake("a share of the whole prompt says how a typical token fares", over_everything),
    ),
    explanation="A sum grows with length; replacing words by longer or fewer ones then changes it without any meaning.",
)

CONTROL = Exercise(
    name="01-control",
    prompt=(
        "In a study the labels of the demonstrations were flipped, and the saliency of the label words fell in "
        "20 of 20 "
        "prompts. Which control can tell whether it fell *because labels were flipped*?"
    ),
    options=(
        "Repeat it with 200 prompts.",
        "Change as many words that are not labels, in the same prompts, and measure the same saliency.",
        "Repeat it with a larger model.",
        "Repeat it with another random seed for the bootstrap.",
    ),
    answer="b",
    hints=(
        "What else, beside the labels, is different after the flip?",
        "The prompt has changed, and has become odd. Could any odd change lower the saliency?",
    ),
    mistakes=(
        Mistake(
            "more data remove a confound", "a", "200 prompts measure the same mixture of causes, only more exactly."
        ),
        Mistake("a larger model is a control", "c", "it answers another question: whether the effect depends on size."),
        Mistake(
            "a narrow interval rules out other causes",
            "d",
            "the bootstrap says how sure the number is, not what made it: 20 of 20 is sure already.",
        ),
    ),
    explanation="Everything stays the same except that the changed words are not labels: what remains is theirs.",
)

CONFOUND = Exercise(
    name="01-confound",
    prompt=(
        "Look at the picture of the smallest model. With natural labels it gets every review right, and with all "
        "labels flipped it follows none. A student concludes: *it has learnt from the demonstrations that labels are "
        "natural.* What in the picture speaks against that?"
    ),
    options=(
        "Nothing: all its answers agree with the natural labels.",
        "The grey line: without any demonstration it answers just the same.",
        "Its interval is narrow.",
        "The larger models do better with arbitrary labels.",
    ),
    answer="b",
    hints=(
        "What would the picture look like for a model that does not read the demonstrations at all?",
        "Compare with the control that shows no demonstrations.",
    ),
    mistakes=(
        Mistake(
            "agreement shows the cause",
            "a",
            "a model that never looks at the demonstrations gives the very same answers; only what changes when "
            "they change "
            "is learnt from them.",
        ),
        Mistake(
            "precision is validity",
            "c",
            "a narrow interval says the accuracy is well measured, not where it comes from.",
        ),
        Mistake(
            "what larger models do explains the small one",
            "d",
            "it shows that the task can be done, not how this model answers.",
        ),
    ),
    explanation="Right answers with and without demonstrations: they rest on the prior, not on what was shown.",
)

ORIENTATION = (VERDICT, COUNT)
IN_CONTEXT_LEARNING = (PROMPT, ACCURACY, SALIENCY, CONTROL, CONFOUND)
EXERCISES = {e.name: e for e in (*ORIENTATION, *IN_CONTEXT_LEARNING, *chapter_02.EXERCISES, *chapter_03.EXERCISES)}
