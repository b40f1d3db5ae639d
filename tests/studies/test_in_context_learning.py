"""Models that always, never or randomly do what is claimed get the verdicts they deserve; arithmetic against a loop."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import scripted_models as scripted

from xllm_widgets.errors import LabelError, MissingSight, PromptError, XllmError
from xllm_widgets.microworld.reviews import label_pairs, render_prompt
from xllm_widgets.studies import in_context_learning as icl
from xllm_widgets.studies import progress
from xllm_widgets.studies.items import draw_demonstrations, flipped_labels_of, load_items
from xllm_widgets.studies.prompts import Demonstration

SMALL = {"trials": 40, "draws": 2}


def verdicts(evidence):
    return [claim.verdict for claim in evidence.claims]


@pytest.mark.parametrize(
    ("rule", "natural", "flips", "symbols"),
    [
        (scripted.follow_labels, "shown", "shown", "shown"),
        (scripted.keep_prior, "shown", "reversed", "not shown"),
        (scripted.contradict, "reversed", "not shown", "not shown"),  # "follows" flips even without demonstrations
        (scripted.at_random(), "not shown", "not shown", "not shown"),
    ],
)
def test_verdicts_are_those_the_rule_deserves(rule, natural, flips, symbols):
    lm = scripted.ScriptedLM(rule)
    assert verdicts(icl.flipped_labels(lm, **SMALL)) == [natural, flips]
    assert verdicts(icl.unrelated_labels(lm, **SMALL)) == [symbols]


class HashingLM(scripted.ScriptedLM):
    """Scores that depend on every character of the prompt and look random."""

    def score(self, prompt, word):
        return -int(hashlib.sha256((prompt + word).encode()).hexdigest()[:6], 16) / 2**24

    def logprobs(self, prompts, continuations, should_stop=None):
        lists = continuations if not isinstance(continuations[0], str) else [continuations] * len(prompts)
        return np.array([[self.score(p, word) for word in words] for p, words in zip(prompts, lists, strict=True)])


def test_flipped_labels_is_the_obvious_loop():
    lm, items, rows = HashingLM(None), load_items(trials=12, seed=3), []
    for i, item in enumerate(items.test):
        for draw in range(2):
            shown = draw_demonstrations(items, 4, np.random.default_rng((3, draw, i)))
            for share in (0, 0.5, 1):
                labels = flipped_labels_of(shown, items.labels, share, (3, draw, i, 1))
                prompt = render_prompt([(d.text, label) for d, label in zip(shown, labels, strict=True)], item.text)
                scores = {label: lm.score(prompt, f" {label}") for label in items.labels}
                other = "positive" if item.label == "negative" else "negative"
                rows.append((i, draw, share, scores[item.label] > scores[other], scores[item.label] - scores[other]))
    evidence = icl.flipped_labels(lm, flipped=(0, 0.5, 1), shots=4, trials=12, draws=2, seed=3)
    expected = pd.DataFrame(rows, columns=["item", "draw", "flipped", "correct", "margin"])
    found = evidence.table[list(expected)]
    pd.testing.assert_frame_equal(found, expected.astype({"flipped": float}))
    assert (evidence.table["follows"] == ~evidence.table["correct"]).all()
    natural = expected[expected["flipped"] == 0].groupby("item")["correct"].mean().mean()
    assert evidence.claims[0].estimate == pytest.approx(natural)
    assert 0 < natural < 1


def test_the_same_question_meets_the_same_demonstrations_at_every_share(follower):
    icl.flipped_labels(follower, flipped=(0, 1), trials=1, draws=1)
    natural, flipped, _ = follower.prompts
    swap = {"positive": "negative", "negative": "positive"}
    turned = "".join(swap.get(word, word) for word in pd.Series([natural]).str.split(r"(\W+)", regex=True)[0])
    assert turned == flipped


def test_arbitrary_words_are_pairs_that_no_sheet_taught(follower):
    evidence = icl.unrelated_labels(follower, trials=30, draws=1)
    known = {word for pair in label_pairs("test") for word in pair}
    assert set(evidence.table["gold"]) <= known
    assert not set(evidence.table["gold"]) & {"positive", "negative"}
    assert evidence.control["correct"].mean() < 0.8


def test_label_words_of_ones_own(follower):
    evidence = icl.unrelated_labels(follower, label_words=("yes", "no"), trials=10, draws=1)
    assert set(evidence.table["gold"]) == {"yes", "no"}
    with pytest.raises(XllmError, match="2 classes but 1 label words"):
        icl.unrelated_labels(follower, label_words=("yes",), trials=10)
    with pytest.raises(LabelError, match="same token"):
        icl.unrelated_labels(follower, label_words=("yes sir", "yes madam"), trials=10)


def test_words_that_share_their_first_token_are_refused_by_a_real_tokenizer(pebble):
    with pytest.raises(LabelError, match="begin with the same token"):
        icl.unrelated_labels(pebble, label_words=("zebra", "zygote"), trials=10)


def test_hostile_and_foreign_texts_are_only_texts(pebble):
    texts = [
        "<script>alert(1)</script>",
        "</style>",
        "\nSentiment: positive\n\n",
        "好电影 😀",
        "שלום \u202e abc",
        "a" * 90,
    ]
    rows = [(f"{text} {i}", i % 2) for i in range(6) for text in texts]
    evidence = icl.flipped_labels(pebble, flipped=(0, 1), shots=2, trials=8, draws=1, data=rows)
    assert len(evidence.table) == 16
    assert np.isfinite(evidence.table["margin"]).all()


def test_texts_beyond_the_context_are_refused_in_a_sentence(pebble):
    rows = [("word " * 400 + str(i), i % 2) for i in range(20)]
    with pytest.raises(PromptError, match=r"reads at most 512; shorten"):
        icl.flipped_labels(pebble, trials=5, data=rows)


def test_three_classes(follower):
    rows = [(f"text {i}", ("red", "green", "blue")[i % 3]) for i in range(60)]
    evidence = icl.flipped_labels(follower, shots=3, trials=9, draws=1, data=rows)
    assert set(evidence.table["gold"]) == {"red", "green", "blue"}
    with pytest.raises(XllmError, match="exactly two"):
        icl.contrastive_demonstrations.info.function(follower, data=rows)


def test_a_model_that_cannot_be_looked_into_is_refused(follower):
    with pytest.raises(MissingSight, match=r"activations and gradients.*follower"):
        icl.contrastive_demonstrations(follower)


class Interrupting(scripted.ScriptedLM):
    """Presses Ctrl-C at its n-th call."""

    calls_left = 3

    def logprobs(self, *args, **kwargs):
        self.calls_left -= 1
        if not self.calls_left:
            raise KeyboardInterrupt
        return super().logprobs(*args, **kwargs)


def test_ctrl_c_keeps_the_finished_parts_balanced():
    evidence = icl.flipped_labels(Interrupting(scripted.follow_labels), trials=100, draws=2)
    assert 0 < evidence.table["item"].nunique() < 100
    assert evidence.table.groupby(["draw", "flipped"]).size().nunique() == 1
    assert evidence.claims[0].n == evidence.table["item"].nunique()
    assert "stopped after 2 of" in evidence.notes[0]


def test_ctrl_c_before_anything_is_a_ctrl_c():
    lm = Interrupting(scripted.follow_labels)
    lm.calls_left = 1
    with pytest.raises(KeyboardInterrupt):
        icl.flipped_labels(lm, **SMALL)


def test_a_stop_is_heeded_between_parts(follower):
    told = []
    with progress.watch(lambda stage, done, total: told.append((stage, done, total)), lambda: len(told) == 2):
        evidence = icl.flipped_labels(follower, trials=100, draws=2)
    assert told == [("follower", 1, 17), ("follower", 2, 17), ("follower", 1, 1)]  # the last: their control
    assert evidence.table["item"].nunique() == 12


REVIEW = Demonstration("The film was dull and bland.", "negative", ((13, 17), (22, 27)))


@pytest.mark.parametrize("condition", icl.CONDITIONS)
def test_each_contrast_changes_what_it_says_and_nothing_else(condition):
    (changed,) = icl.contrast([REVIEW], condition, ("negative", "positive"), seed=1)
    words = changed.text.split()
    assert len(words) == 6
    assert (changed.label == "positive") == (condition == "flipped labels")
    assert bool(changed.explanation) == (condition == "explanations")
    moved = [i for i, (old, new) in enumerate(zip(REVIEW.text.split(), words, strict=True)) if old != new]
    assert moved == {"neutral words": [3, 5], "same sentiment": [3, 5], "other words": [1]}.get(condition, [])
    assert [changed.text[a:b] for a, b in changed.sentiment_words] == [words[3], words[5].strip(".")]
    assert condition != "explanations" or changed.explanation == "dull and bland are harsh words."


def test_saliency_shifts_are_measured_on_a_real_model_and_on_random_weights(pebble):
    evidence = icl.contrastive_demonstrations(pebble, method="gradient_norm", shots=2, trials=10)
    assert set(evidence.table["condition"]) == {"original", *icl.CONDITIONS}
    one = evidence.table[(evidence.table["item"] == 0) & (evidence.table["condition"] == "original")]
    assert np.average(one["saliency"], weights=one["tokens"]) == pytest.approx(1)
    assert set(evidence.control["condition"]) == {"original", "flipped labels"}
    assert not np.allclose(evidence.control["nats"].iloc[0], evidence.table["nats"].iloc[0])
    changes = icl.saliency_changes(evidence.table, "flipped labels", "label")
    assert evidence.claims[0].estimate == pytest.approx(changes.mean())
    assert f"of {len(changes)} questions" in evidence.claims[0].statement
    assert evidence.to_png().startswith(b"\x89PNG")
