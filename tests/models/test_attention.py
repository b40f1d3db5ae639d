"""Attention as written out is the attention of the model, and looking at it changes nothing."""

import numpy as np
import pytest
import torch

from xllm_widgets.errors import PromptError
from xllm_widgets.models import attention as module
from xllm_widgets.models.language_model import LanguageModel

PROMPT = "Review: The film was bright\nSentiment:"


def test_rows_are_causal_distributions(any_lm: LanguageModel) -> None:
    weights = any_lm.attention(PROMPT)
    n = len(any_lm.tokens(PROMPT))
    assert weights.shape == (3, 4, n, n)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()


def test_mass_on_segments_of_the_text(any_lm: LanguageModel) -> None:
    weights, tokens = any_lm.attention(PROMPT), any_lm.tokens(PROMPT)
    split = PROMPT.index("\n")
    mass = any_lm.attention(PROMPT, segments=[(0, split), (split, len(PROMPT)), (8, 11)])
    assert mass.shape == (*weights.shape[:3], 3)
    start, end = tokens.covering(8, 11)
    np.testing.assert_allclose(mass[..., 2], weights[..., start:end].sum(-1), atol=1e-6)
    special = weights[..., [i for i, mark in enumerate(tokens.special) if mark]].sum(-1)
    np.testing.assert_allclose(mass[..., 0] + mass[..., 1] + special, 1, atol=1e-5)


def test_the_models_own_implementation_comes_back(any_lm: LanguageModel) -> None:
    before = any_lm.hf.config._attn_implementation
    ids = torch.tensor([any_lm.reader.ids(PROMPT)])
    with torch.no_grad():
        logits = any_lm.hf(ids).logits
        any_lm.attention(PROMPT)
        assert torch.equal(any_lm.hf(ids).logits, logits)
    assert any_lm.hf.config._attn_implementation == before


def test_too_long_or_beside_the_text(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PromptError, match="not in this text"):
        lm.attention(PROMPT, segments=[(900, 901)])
    monkeypatch.setattr(module, "TOKEN_LIMIT", 4)
    with pytest.raises(PromptError, match="at most 4 tokens"):
        lm.attention(PROMPT)
