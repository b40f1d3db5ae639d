"""Occlusion in steps is occlusion: the same scores, whatever the steps."""

import numpy as np
import pytest

from xllm_widgets.errors import PromptError, XllmError
from xllm_widgets.methods.stepwise import StepwiseOcclusion
from xllm_widgets.models.edits import Steer

PROMPT = "Review: The film was dull.\nSentiment: negative\n\nReview: bright.\nSentiment:"
TARGETS = [(" positive", " negative"), " positive"]


def test_steps_give_what_one_call_gives(any_lm):
    whole = any_lm.attribute(PROMPT, TARGETS, "occlusion").scores
    stepwise = StepwiseOcclusion(any_lm, PROMPT, TARGETS)
    one_by_one = [stepwise.scores([(i, i + 1)]) for i in reversed(range(whole.shape[1]))]
    np.testing.assert_allclose(np.concatenate(one_by_one[::-1], axis=1), whole, atol=1e-4)
    assert np.abs(whole).max() > 1e-3


def test_ranges_may_span_several_tokens(lm):
    groups = [(1, 6), (4, 9), (0, 3)]
    grouped = lm.attribute(PROMPT, TARGETS, "occlusion", groups=groups).group_scores
    np.testing.assert_allclose(StepwiseOcclusion(lm, PROMPT, TARGETS).scores(groups), grouped, atol=1e-4)


def test_a_model_that_cannot_share_prefixes_is_run_whole(lm, monkeypatch):
    expected = StepwiseOcclusion(lm, PROMPT, TARGETS).scores([(3, 5)])
    monkeypatch.setattr(lm, "shares_prefixes", False)
    stepwise = StepwiseOcclusion(lm, PROMPT, TARGETS)
    assert stepwise.beginning is None
    np.testing.assert_allclose(stepwise.scores([(3, 5)]), expected, atol=1e-4)


def test_a_prompt_that_cannot_be_scored_is_refused(lm):
    with pytest.raises(PromptError, match="reads at most"):
        StepwiseOcclusion(lm, "word " * 200, TARGETS)


def test_steps_under_other_edits_than_the_first_are_refused(lm):
    one, other = Steer(np.ones(lm.width), 1, 3.0), Steer(np.ones(lm.width), 1, 2.0)
    plain = StepwiseOcclusion(lm, PROMPT, TARGETS)
    expected = plain.scores([(8, 10)])
    with lm.edit(one):
        edited = StepwiseOcclusion(lm, PROMPT, TARGETS)
        assert np.abs(edited.scores([(8, 10)]) - expected).max() > 1e-3
        with pytest.raises(XllmError, match="edits have changed"):
            plain.scores([(8, 10)])
    with lm.edit(other), pytest.raises(XllmError, match="edits have changed"):
        edited.scores([(8, 10)])
    with pytest.raises(XllmError, match="edits have changed"):
        edited.scores([(8, 10)])
    np.testing.assert_array_equal(plain.scores([(8, 10)]), expected)


def test_the_same_edits_again_are_the_same(lm):
    steer = Steer(np.ones(lm.width), 1, 3.0, positions=-1)
    with lm.edit(steer):
        stepwise = StepwiseOcclusion(lm, PROMPT, TARGETS)
        expected = stepwise.scores([(8, 10)])
    with lm.edit(steer):
        np.testing.assert_array_equal(stepwise.scores([(8, 10)]), expected)
