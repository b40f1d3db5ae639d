"""Faithfulness tells a true explanation from a false one, with an interval that covers what it says it covers."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from xllm_widgets.errors import XllmError
from xllm_widgets.methods.faithfulness import bootstrap_interval, rank_correlation
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.language_model import LanguageModel

PROMPT = "Review: The film was really bright and moving.\nReview: dull\nSentiment:"
PAIR = (" positive", " negative")


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 30))
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4)))


def test_the_interval_holds_the_true_correlation_about_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    truth, hits = 6 / np.pi * np.arcsin(0.5 / 2), 0
    for seed in range(100):
        a = rng.normal(size=60)
        b = 0.5 * a + np.sqrt(0.75) * rng.normal(size=60)
        low, high = bootstrap_interval(a, b, seed)
        hits += low <= truth <= high
    assert 85 <= hits <= 100
    assert all(np.isnan(bootstrap_interval(np.ones(5), np.arange(5))))


def test_the_models_own_effects_are_faithful_and_shuffled_ones_are_not(lm: LanguageModel) -> None:
    effects = lm.attribute(PROMPT, PAIR, "resampling_ablation", n_replacements=64, seed=3)
    good = effects.faithfulness(n_replacements=64)
    assert good.rank_correlation > 0.8
    assert good.signed_rank_correlation > 0.8
    assert good.low < good.rank_correlation < good.high
    assert good.n == len(effects.tokens) - sum(effects.tokens.special)
    shuffled = effects.scores[:, np.random.default_rng(0).permutation(effects.scores.shape[1])]
    bad = dataclasses.replace(effects, scores=shuffled).faithfulness(n_replacements=64)
    assert bad.rank_correlation < 0.5
    assert good.describe() != bad.describe()


def test_deleting_by_score_hurts_more_than_at_random(lm: LanguageModel) -> None:
    result = lm.attribute(PROMPT, PAIR, "occlusion").faithfulness()
    assert len(result.shares) == len(result.deletion_curve) == len(result.random_curve) == 11
    assert result.deletion_curve[0] == pytest.approx(result.random_curve[0], abs=1e-5)
    assert result.deletion_curve[-1] == pytest.approx(result.random_curve[-1], abs=1e-5)
    assert result.deletion_curve.mean() < result.random_curve.mean()


def test_it_is_reproducible_and_independent_of_the_scores_seed(lm: LanguageModel) -> None:
    first, second = (lm.attribute(PROMPT, PAIR, "occlusion").faithfulness(seed=4) for _ in range(2))
    assert first.rank_correlation == second.rank_correlation
    assert (first.low, first.high) == (second.low, second.high)
    own = lm.attribute(PROMPT, PAIR, "resampling_ablation", n_replacements=4, seed=4).faithfulness(4, seed=4)
    assert own.rank_correlation < 1


def test_groups_and_further_targets(lm: LanguageModel) -> None:
    grouped = lm.attribute(PROMPT, [PAIR, " no"], "occlusion", groups=[(1, 3), (4, 6), (7, 9), (9, 12)])
    assert grouped.faithfulness().n == 4
    first, second = (grouped.faithfulness(target=t).deletion_curve for t in (0, 1))
    assert not np.allclose(first, second)


def test_an_edit_that_has_ended_is_noticed(lm: LanguageModel) -> None:
    with lm.edit(Steer(np.ones(32), 2, 5.0)):
        made = lm.attribute(PROMPT, PAIR, "occlusion")
        made.faithfulness(1)
    with pytest.raises(XllmError, match="attribute again"):
        made.faithfulness(1)
