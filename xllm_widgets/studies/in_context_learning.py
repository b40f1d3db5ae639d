"""Chapter 01, in-context learning: what in the demonstrations drives the answer, and can they override meanings?

Survey section 4.1.1: Li et al. (2023b, arXiv 2307.05052) and Wei et al. (2023b, arXiv 2303.03846).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.models import check_labels
from xllm_widgets.studies import statistics
from xllm_widgets.studies.controls import randomised
from xllm_widgets.studies.evidence import Claim, Evidence, judge
from xllm_widgets.studies.items import Item, Items, draw_demonstrations, flip, flipped_labels_of, load_items
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.prompts import Demonstration, Prompt, lay_out, replace_words
from xllm_widgets.studies.registry import Between, study

if TYPE_CHECKING:
    import pandas as pd

SECTION = "4.1.1"
WEI = "Wei et al., 2023b"
LI = "Li et al., 2023b"
NATURAL, FOLLOWS, SYMBOLS, KEEPS_PRIOR = 0.95, 0.90, 0.85, 0.20
"""Thresholds, fixed before any bundled model was trained: accuracy at or above (the last: at or below)."""

PROMPTS_A_PART = 64  # a stop is heeded between parts; a part takes well under a second on the bundled models

Method = Literal["occlusion", "resampling_ablation", "gradient_x_input", "gradient_norm", "integrated_gradients"]


# --- Can the model override what its labels mean? ----------------------------------------------------------------


@study(
    section=SECTION,
    paper=WEI,
    question="Can demonstrations with flipped labels override what the label words mean to the model?",
    needs={"logprobs"},
)
def flipped_labels(
    lm,
    *,
    flipped: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
    shots: Annotated[int, Between(2, 16, 2)] = 8,
    trials: Annotated[int, Between(10, 1000, 10)] = 200,
    draws: Annotated[int, Between(1, 10)] = 3,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy as a growing share of the demonstrations' labels is flipped (Wei et al., 2023b, figure 2).

    Every question meets `draws` sets of `shots` demonstrations of its own, each at every share in `flipped`: the same
    texts in the same order, only labels change. The answer is the label word with the highest log p(label | prompt).
    `table`: item, draw, flipped, gold, prediction, correct (equals the unflipped gold label), follows (equals the
    flipped one), margin (nats in favour of gold). `control`: the same questions without demonstrations.
    `data`: None for the bundled reviews, or any text and label table (see `items.load_items`).

    Raises LabelError when label words share a first token, PromptError when the demonstrations do not fit the context.
    """
    items = load_items(data, trials=trials, seed=seed)
    _check_words(lm, items, items.labels)
    cells = [(draw, share) for draw in range(draws) for share in flipped]
    work = _ask_flipped(lm, items, cells, shots, seed)
    table = _gather(_chunks(range(len(items.test)), len(cells)), work)
    asked = sorted(table["item"].unique())
    control = _gather(_chunks(asked, 1), _ask_flipped(lm, items, [(0, 0.0)], 0, seed), completes=True)
    return _evidence("flipped_labels", table, _flipped_claims(lm.name, table, control, items), control)


def _ask_flipped(lm, items: Items, cells, shots: int, seed: int):
    def work(part: Sequence[int]) -> pd.DataFrame:
        rows, prompts = [], []
        for i in part:
            item = items.test[i]
            for draw, share in cells:
                shown = draw_demonstrations(items, shots, np.random.default_rng((seed, draw, i)))
                labels = flipped_labels_of(shown, items.labels, share, (seed, draw, i, 1))
                prompts.append(_prompt(shown, labels, item.text))
                rows.append({"item": i, "draw": draw, "flipped": float(share), "gold": item.label})
        return _answered(rows, lm.logprobs(prompts, _continuations(items.labels)), items.labels)

    return work


def _answered(rows: list[dict], logprobs: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """The rows with their prediction and its score; `logprobs` (prompts, labels) in nats."""
    import pandas as pd

    table = pd.DataFrame(rows)
    gold = np.array([labels.index(label) for label in table["gold"]])
    everywhere = np.arange(len(rows))
    others = logprobs.copy()
    others[everywhere, gold] = -np.inf
    table["prediction"] = [labels[i] for i in logprobs.argmax(axis=1)]
    table["correct"] = table["prediction"] == table["gold"]
    table["follows"] = table["prediction"] == [flip(label, labels) for label in table["gold"]]
    table["margin"] = logprobs[everywhere, gold] - others.max(axis=1)
    return table


def _flipped_claims(model: str, table: pd.DataFrame, control: pd.DataFrame, items: Items) -> list[Claim]:
    chance, claims = 1 / len(items.labels), []
    shots = "the demonstrations"
    if 0 in set(table["flipped"]):
        natural = accuracy(table[table["flipped"] == 0], "correct")
        claims.append(
            claim("flipped_labels", model, f"With natural labels, {shots} give the right label (accuracy ≥ 95 %)",
                  natural, NATURAL, null=chance, control=items.majority, seeds=_draws(table))
        )  # fmt: skip
    if 1 in set(table["flipped"]):
        follows = accuracy(table[table["flipped"] == 1], "follows")
        statement = "With all labels flipped, it follows them (accuracy against the flipped labels ≥ 90 %)"
        claims.append(
            claim("flipped_labels", model, statement,
                  follows, FOLLOWS, null=chance, control=float(control["follows"].mean()), seeds=_draws(table))
        )  # fmt: skip
    return claims


@study(
    section=SECTION,
    paper=WEI,
    question="Can the model learn, from demonstrations alone, label words that mean nothing?",
    needs={"logprobs"},
)
def unrelated_labels(
    lm,
    *,
    label_words: Sequence[str] | None = None,
    shots: Annotated[int, Between(2, 16, 2)] = 8,
    trials: Annotated[int, Between(10, 1000, 10)] = 200,
    draws: Annotated[int, Between(1, 10)] = 3,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """Accuracy when labels are replaced by arbitrary words (semantically unrelated labels; Wei et al., 2023b).

    Every question and draw binds the classes to words at random: a pair that no training sheet held, or `label_words`
    (as many words as classes, `("foo", "bar")`), in random order. The answer is the likelier of the words.
    `table`: item, draw, labels ("arbitrary"), gold and prediction (label words), correct, margin (nats).
    `control`: the same with the words shuffled over the demonstrations, so that there is nothing to learn.

    Raises LabelError when two words share a first token, XllmError when there are not as many words as classes.
    """
    items = load_items(data, trials=trials, seed=seed)
    choices = _word_sets(lm, items, label_words)
    parts = _chunks(range(len(items.test)), 2 * draws)
    answers = _gather(parts, _ask_unrelated(lm, items, choices, shots, draws, seed))
    table, control = (answers[answers["labels"] == kind].reset_index(drop=True) for kind in ("arbitrary", "shuffled"))
    bound, unbound = accuracy(table, "correct"), float(control["correct"].mean())
    statement = "It learns arbitrary label words from the demonstrations (accuracy ≥ 85 %)"
    claims = [claim("unrelated_labels", lm.name, statement, bound, SYMBOLS, null=1 / len(items.labels), control=unbound,
                    seeds=_draws(table))]  # fmt: skip
    return _evidence("unrelated_labels", table, claims, control)


def _word_sets(lm, items: Items, label_words: Sequence[str] | None) -> list[tuple[str, ...]]:
    """The sets of words that may stand for the classes, each checked to be tellable apart by this model."""
    from xllm_widgets.microworld.reviews import ARBITRARY_LABELS, label_pairs

    classes = len(items.labels)
    if label_words is not None:
        if len(label_words) != classes:
            raise XllmError(
                f"There are {classes} classes but {len(label_words)} label words; give one word for each class."
            )
        choices = [tuple(label_words)]
    elif classes == 2:
        choices = list(label_pairs("test"))
    else:
        choices = [tuple(ARBITRARY_LABELS[:classes])]
    for words in choices:
        _check_words(lm, items, words)
    return choices


def _ask_unrelated(lm, items: Items, choices, shots: int, draws: int, seed: int):
    def work(part: Sequence[int]) -> pd.DataFrame:
        rows, prompts, words = [], [], []
        for i in part:
            for draw in range(draws):
                rng = np.random.default_rng((seed, draw, i, 2))
                names = [str(word) for word in rng.permutation(choices[rng.integers(len(choices))])]
                word_of = dict(zip(items.labels, names, strict=True))
                shown = draw_demonstrations(items, shots, np.random.default_rng((seed, draw, i)))
                natural = [word_of[d.label] for d in shown]
                for kind, labels in (("arbitrary", natural), ("shuffled", list(rng.permutation(natural)))):
                    prompts.append(_prompt(shown, labels, items.test[i].text))
                    words.append(names)
                    rows.append({"item": i, "draw": draw, "labels": kind, "gold": word_of[items.test[i].label]})
        return _named(rows, lm.logprobs(prompts, [_continuations(names) for names in words]), words)

    return work


def _named(rows: list[dict], logprobs, words: list[list[str]]) -> pd.DataFrame:
    import pandas as pd

    for row, scores, names in zip(rows, logprobs, words, strict=True):
        gold = names.index(row["gold"])
        row["prediction"] = names[int(np.argmax(scores))]
        row["correct"] = row["prediction"] == row["gold"]
        row["margin"] = float(scores[gold] - max(np.delete(np.asarray(scores), gold)))
    return pd.DataFrame(rows)


# --- Which part of the demonstrations drives the answer? -----------------------------------------------------------

CONDITIONS = {
    "flipped labels": "every demonstration's label is flipped",
    "neutral words": "every sentiment word becomes a neutral word, one token for one",
    "explanations": "an explanation is added to every demonstration",
    "other words": "control: a word that is neither label nor sentiment changes in every demonstration",
    "same sentiment": "control: every sentiment word becomes another of the same sentiment, one token for one",
}


@study(
    section=SECTION,
    paper=LI,
    question="Which part of the demonstrations drives the answer: labels, sentiment words or explanations?",
    needs={"logprobs", "activations", "gradients"},
)
def contrastive_demonstrations(
    lm,
    *,
    method: Method = "occlusion",
    shots: Annotated[int, Between(2, 8, 2)] = 4,
    trials: Annotated[int, Between(10, 200, 10)] = 50,
    seed: Annotated[int, Between(0, 99)] = 0,
    data: Any = None,
) -> Evidence:
    """How saliency moves between labels, sentiment words and explanations as demonstrations change (Li et al., 2023b).

    Each of `trials` questions gets `shots` demonstrations, and the same demonstrations contrasted: labels flipped,
    sentiment words neutralised, explanations added, and two controls (see CONDITIONS). Saliency is |attribution| of
    log p(gold) − log p(other) by `method`; the figure is the mean over a kind of token divided by the mean over all
    tokens of the prompt, so 1 is an average token and a longer text is not less salient for being longer.
    `table`: item, condition, kind, saliency (relative), nats (mean |score|), tokens, accuracy's `correct`,
    completeness_error (integrated gradients only, relative). `control`: the same on randomised weights.

    Raises PromptError, LabelError; XllmError for a table with other than two labels.
    """
    items = load_items(data, trials=trials, seed=seed)
    if len(items.labels) != 2:
        raise XllmError("This study contrasts two labels; give a table with exactly two.")
    _check_words(lm, items, items.labels)
    parts = [[i] for i in range(len(items.test))]
    table = _gather(parts, _ask_salience(lm, items, ["original", *CONDITIONS], method, shots, seed))
    asked = sorted(table["item"].unique())
    asked = asked[: max(10, len(asked) // 5)]
    null = _ask_salience(randomised(lm, seed), items, ["original", "flipped labels"], method, shots, seed)
    control = _gather([[i] for i in asked], null, completes=True)
    evidence = _evidence("contrastive_demonstrations", table, _contrast_claims(lm.name, table), control)
    evidence.notes += _completeness_note(table, method)
    return evidence


def contrast(
    demonstrations: Sequence[Demonstration], condition: str, labels: Sequence[str], seed=0
) -> list[Demonstration]:
    """The demonstrations under one of CONDITIONS ("original" leaves them alone)."""
    rng = random.Random(f"{condition} {seed}")
    change = {
        "original": lambda d: d,
        "flipped labels": lambda d: Demonstration(d.text, flip(d.label, labels), d.sentiment_words),
        "neutral words": neutralise,
        "explanations": lambda d: Demonstration(d.text, d.label, d.sentiment_words, explanation(d)),
        "other words": lambda d: _change_other_word(d, rng),
        "same sentiment": lambda d: _change_sentiment_words(d, rng),
    }[condition]
    return [change(demonstration) for demonstration in demonstrations]


def neutralise(demonstration: Demonstration) -> Demonstration:
    """The demonstration with each sentiment word replaced by a neutral one: same number of words, no sentiment."""
    from xllm_widgets.microworld.reviews import NEUTRAL, neutral_word

    words = [demonstration.text[start:end] for start, end in sorted(demonstration.sentiment_words)]
    return replace_words(demonstration, [neutral_word(w) or NEUTRAL[len(w) % len(NEUTRAL)] for w in words])


def explanation(demonstration: Demonstration) -> str:
    """One line that names the sentiment words and their tone, never the label; empty where no word is known."""
    from xllm_widgets.microworld.reviews import Review

    spans = tuple(demonstration.sentiment_words)
    return Review(demonstration.text, demonstration.label, spans).explanation if spans else ""


def _change_sentiment_words(demonstration: Demonstration, rng: random.Random) -> Demonstration:
    from xllm_widgets.microworld.reviews import ADJECTIVES

    words = [demonstration.text[start:end] for start, end in demonstration.sentiment_words]
    tone = next((t for t, known in ADJECTIVES.items() if set(words) & set(known)), demonstration.label)
    others = [word for word in ADJECTIVES.get(tone, ADJECTIVES["positive"]) if word not in words]
    return replace_words(demonstration, rng.sample(others, len(words)))


def _change_other_word(demonstration: Demonstration, rng: random.Random) -> Demonstration:
    """Another noun for the thing under review; where none is known, for the longest word without sentiment."""
    import re

    from xllm_widgets.microworld.reviews import NOUNS

    taken = set(demonstration.sentiment_words)
    words = [m for m in re.finditer(r"[A-Za-z]+", demonstration.text) if m.span() not in taken]
    if not words:
        return demonstration
    word = next((m for m in words if m.group() in NOUNS), max(words, key=lambda m: len(m.group())))
    other = rng.choice([noun for noun in NOUNS if noun != word.group()])
    changed = replace_words(demonstration, [other], [word.span()]).text
    shift = len(other) - len(word.group())
    spans = tuple((s + shift, e + shift) if s > word.start() else (s, e) for s, e in demonstration.sentiment_words)
    return Demonstration(changed, demonstration.label, spans)


def _ask_salience(lm, items: Items, conditions: Sequence[str], method: Method, shots: int, seed: int):
    def work(part: Sequence[int]) -> pd.DataFrame:
        import pandas as pd

        rows: list[dict] = []
        for i in part:
            item = items.test[i]
            shown = draw_demonstrations(items, shots, np.random.default_rng((seed, 0, i)))
            plain = [Demonstration(d.text, d.label, d.sentiment_words) for d in shown]
            target = (f" {item.label}", f" {flip(item.label, items.labels)}")
            for condition in conditions:
                prompt = lay_out(contrast(plain, condition, items.labels, (seed, i)), item.text)
                rows += [{"item": i, "condition": condition} | row for row in saliency(lm, prompt, target, method)]
        return pd.DataFrame(rows)

    return work


def saliency(lm, prompt: Prompt, target: tuple[str, str], method: Method) -> list[dict[str, Any]]:
    """Mean |attribution| of log p(target[0]) − log p(target[1]) for each kind of token in the prompt.

    `nats` is the plain mean; `saliency` divides it by the mean over all of the prompt's tokens but the special ones.
    """
    attribution = lm.attribute(prompt.text, target, method=method)
    scores, kinds = np.abs(np.asarray(attribution.scores)[0]), prompt.kinds(attribution.tokens)
    ordinary = ~np.asarray(attribution.tokens.special, dtype=bool)
    average = float(scores[ordinary].mean()) or 1.0
    error = getattr(attribution, "completeness_error", None)
    rows = []
    for kind in dict.fromkeys(kinds[ordinary]):
        members = scores[ordinary & (kinds == kind)]
        nats = float(members.mean())
        rows.append({"kind": str(kind), "saliency": nats / average, "nats": nats, "tokens": len(members),
                     "completeness_error": float("nan") if error is None else float(error)})  # fmt: skip
    return rows


def _contrast_claims(model: str, table: pd.DataFrame) -> list[Claim]:
    """Signs are not fixed beforehand where the paper's own differ by model: flips must *change* label saliency."""
    flips, other = saliency_changes(table, "flipped labels", "label"), saliency_changes(table, "other words", "label")
    neutral = saliency_changes(table, "neutral words", "sentiment word")
    same = saliency_changes(table, "same sentiment", "sentiment word")
    explained = _difference(table, "explanations", "explanation", "review")
    test = statistics.sign_test(flips)
    split = f"falls in {test.fell}, rises in {test.rose} of {len(flips)} questions, sign test p = {test.p:.1g}"
    study_name = "contrastive_demonstrations"

    def one(statement: str, changes, null_changes=None, kind: str = "at least") -> Claim:
        interval = statistics.bootstrap_mean(changes)
        control = None if null_changes is None else float(np.mean(null_changes))
        return claim(
            study_name, model, statement, interval, 0.0, null=0.0, control=control, seeds=1, kind=kind, paper=LI
        )

    claims = [
        one(f"Flipping the labels changes the labels' saliency ({split})", flips, other, "different"),
        one("Flipping the labels lowers the labels' saliency, as in GPT-2", flips, other, "at most"),
        one("Neutral words in place of sentiment words raise those words' saliency, as in GPT-2", neutral, same),
    ]
    if len(explained):
        claims.append(one("Explanation tokens are more salient than review tokens, as in GPT-2", explained))
    return claims


def saliency_changes(table: pd.DataFrame, condition: str, kind: str) -> np.ndarray:
    """Relative saliency of `kind` under the condition minus under the original, per item (items,)."""
    wide = table[table["kind"] == kind].pivot(index="item", columns="condition", values="saliency")
    return (wide[condition] - wide["original"]).dropna().to_numpy()


def _difference(table: pd.DataFrame, condition: str, kind: str, other: str) -> np.ndarray:
    """Relative saliency of one kind minus another's under one condition, per item (items,)."""
    wide = table[table["condition"] == condition].pivot(index="item", columns="kind", values="saliency")
    return (wide[kind] - wide[other]).dropna().to_numpy() if {kind, other} <= set(wide) else np.array([])


def _completeness_note(table: pd.DataFrame, method: str) -> list[str]:
    if method != "integrated_gradients":
        return []
    error = float(table["completeness_error"].median())
    warning = "; above 5 %, do not trust the picture" if error > 0.05 else ""
    return [f"integrated gradients: median completeness error {error:.1%}{warning}"]


# --- Shared by the studies of this chapter -----------------------------------------------------------------------


def accuracy(table: pd.DataFrame, column: str) -> statistics.Interval:
    """Share of true values in `column` with its 95 % interval over items and draws."""
    hits = table.pivot(index="item", columns="draw", values=column)
    return statistics.proportion(hits.to_numpy(dtype=float))


def claim(
    study_name: str, model: str, statement: str, interval: statistics.Interval, threshold: float, *,
    null: float, control: float | None, seeds: int, kind: str = "at least", paper: str = WEI,
) -> Claim:  # fmt: skip
    """A claim of this chapter with its verdict by the one rule (`evidence.judge`)."""
    estimate, low, high, n = interval
    verdict = judge(estimate, low, high, threshold=threshold, null=null, control=control, claim=kind)
    return Claim(
        study_name, SECTION, paper, model, statement, estimate, low, high, n, seeds, threshold, control, verdict,
        null, kind,
    )  # fmt: skip


def _evidence(name: str, table: pd.DataFrame, claims: list[Claim], control: pd.DataFrame) -> Evidence:
    from xllm_widgets.studies.registry import find

    info = find(name)
    return Evidence(name, info.section, info.paper, info.question, table, claims, control)


def _prompt(shown: Sequence[Item], labels: Sequence[str], question: str) -> str:
    from xllm_widgets.microworld.reviews import render_prompt

    return render_prompt([(d.text, label) for d, label in zip(shown, labels, strict=True)], question)


def _check_words(lm, items: Items, words: Sequence[str]) -> None:
    """LabelError unless the model can tell these words apart, right behind a prompt, at their first token."""
    check_labels(lm, _prompt([], [], items.test[0].text), _continuations(words))


def _continuations(labels: Sequence[str]) -> list[str]:
    return [f" {label}" for label in labels]


def _draws(table: pd.DataFrame) -> int:
    return int(table["draw"].nunique())


def _chunks(items: Sequence[int], prompts_each: int) -> list[Sequence[int]]:
    """Items in groups of about PROMPTS_A_PART prompts, conditions of an item together: what is finished is balanced."""
    size = max(1, PROMPTS_A_PART // prompts_each)
    return [items[start : start + size] for start in range(0, len(items), size)]


def _gather(parts, work, *, completes: bool = False) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(work_through(parts, work, completes=completes), ignore_index=True)
