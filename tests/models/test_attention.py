"""Attention as read is the attention of the model, at any length, and looking at it changes nothing."""

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.models import attention as module
from xllm_widgets.models import watching
from xllm_widgets.models.counting import counted
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.errors import UnsupportedModel
from xllm_widgets.models.language_model import LanguageModel

PROMPT = "Review: The film was bright\nSentiment:"
SEGMENTS = [(0, PROMPT.index("\n")), (PROMPT.index("\n"), len(PROMPT)), (8, 11), (0, len(PROMPT)), (9, 30), (8, 11)]
"""Some next to each other, some over each other, one twice."""


def eager(lm: LanguageModel, prompt: str = PROMPT) -> np.ndarray:
    """The obviously right way: transformers' own matrices, (layers, heads, queries, keys)."""
    before = lm.hf.config._attn_implementation
    lm.hf.set_attn_implementation("eager")
    with torch.no_grad():
        out = lm.hf(torch.tensor([lm.reader.ids(prompt)]), use_cache=False, output_attentions=True)
    lm.hf.set_attn_implementation(before)
    return torch.cat(out.attentions).double().numpy()


def mass(weights: np.ndarray, lm: LanguageModel, segments: list[tuple[int, int]], prompt: str = PROMPT) -> np.ndarray:
    ranges = [lm.tokens(prompt).covering(*segment) for segment in segments]
    return np.stack([weights[..., start:end].sum(-1) for start, end in ranges], -1)


def statistics(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entropy and mean distance of each row's distribution over the tokens."""
    p = weights / weights.sum(-1, keepdims=True)
    places = np.arange(p.shape[-1])
    back = places[:, None] - places
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1), (p * back).sum(-1)


def assert_right(lm: LanguageModel, weights: np.ndarray) -> None:
    np.testing.assert_allclose(lm.attention(PROMPT, SEGMENTS), mass(weights, lm, SEGMENTS), atol=1e-5)
    entropy, distance = statistics(weights)
    got = lm.attention_statistics(PROMPT)
    np.testing.assert_allclose(got.entropy, entropy, atol=1e-5)
    np.testing.assert_allclose(got.distance, distance, atol=2e-5)


def test_rows_are_causal_distributions(any_lm: LanguageModel) -> None:
    weights = any_lm.attention(PROMPT)
    n = len(any_lm.tokens(PROMPT))
    assert weights.shape == (3, 4, n, n)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()


def test_mass_entropy_and_distance_are_those_of_the_eager_matrices(any_lm: LanguageModel) -> None:
    assert_right(any_lm, eager(any_lm))


def test_an_edited_model_is_read_as_it_is(any_lm: LanguageModel) -> None:
    plain = any_lm.attention(PROMPT, SEGMENTS)
    with any_lm.edit(Steer(np.linspace(-1, 1, 32), 1, 3.0), Steer(np.ones(32), [0, 3], positions=-2)):
        assert_right(any_lm, eager(any_lm))
        assert not np.allclose(any_lm.attention(PROMPT, SEGMENTS), plain, atol=1e-3)
    np.testing.assert_array_equal(any_lm.attention(PROMPT, SEGMENTS), plain)


def test_the_share_of_an_attention_sink_belongs_to_no_token() -> None:
    lm = tiny_models.tiny("gpt_oss")
    weights = eager(lm)
    assert weights.sum(-1).max() < 0.999
    assert_right(lm, weights)


TEXT = st.text(st.sampled_from("Review: film 12世\n"), min_size=1, max_size=60)


@settings(max_examples=20, deadline=None)
@given(TEXT, st.data())
def test_any_segments_of_any_text(text: str, data: st.DataObject) -> None:
    lm = _llama()
    starts = data.draw(st.lists(st.integers(0, len(text) - 1), max_size=6))
    segments = [(start, data.draw(st.integers(start + 1, len(text)))) for start in starts]
    got = lm.attention(text, segments)
    assert got.shape == (3, 4, len(lm.tokens(text)), len(segments))
    if segments:
        np.testing.assert_allclose(got, mass(eager(lm, text), lm, segments, text), atol=1e-5)


def test_many_segments_take_several_calls(any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = any_lm.attention(PROMPT, SEGMENTS)
    monkeypatch.setattr(watching, "PIECE", 4)
    np.testing.assert_allclose(any_lm.attention(PROMPT, SEGMENTS), expected, atol=1e-6)


def test_reading_takes_one_pass_and_no_output_layer(lm: LanguageModel) -> None:
    with counted(lm) as work:
        lm.attention(PROMPT, SEGMENTS)
        lm.attention_statistics(PROMPT)
    assert (work.passes, work.tokens, work.rows) == (2, 2 * len(lm.tokens(PROMPT)), 0)


def test_no_matrix_is_asked_for_beyond_the_limit(any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = any_lm.attention(PROMPT, SEGMENTS)
    monkeypatch.setattr(module, "TOKEN_LIMIT", 8)
    np.testing.assert_array_equal(any_lm.attention(PROMPT, SEGMENTS), expected)
    assert any_lm.attention_statistics(PROMPT).entropy.shape == expected.shape[:3]
    with pytest.raises(PromptError, match="at most 8 tokens"):
        any_lm.attention(PROMPT)


def test_a_family_beyond_our_kernel_is_read_from_matrices_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_models.tiny("gemma2")
    weights = eager(lm)
    monkeypatch.setattr(module, "_strips_are_exact", lambda *_: False)
    assert_right(lm, weights)
    monkeypatch.setattr(module, "TOKEN_LIMIT", 8)
    with pytest.raises(PromptError, match="at most 8 tokens"):
        lm.attention(PROMPT, SEGMENTS)


def test_a_kernel_that_is_not_exact_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_models.tiny("gpt_oss")
    weights = eager(lm)
    forgetful = watching._scoring
    monkeypatch.setattr(
        watching,
        "_scoring",
        lambda module, query, mask, options: forgetful(module, query, mask, options | {"s_aux": None}),
    )
    assert not module._strips_are_exact(lm, lm.reader.ids(PROMPT))
    assert_right(lm, weights)


def test_blocks_that_do_not_attend_are_told() -> None:
    lm = tiny_models.tiny("mamba")
    for read in (
        lambda: lm.attention(PROMPT),
        lambda: lm.attention(PROMPT, SEGMENTS),
        lambda: lm.attention_statistics(PROMPT),
    ):
        with pytest.raises(UnsupportedModel, match="no attention"):
            read()


def test_the_models_own_implementation_comes_back(any_lm: LanguageModel) -> None:
    before = any_lm.hf.config._attn_implementation
    ids = torch.tensor([any_lm.reader.ids(PROMPT)])
    with torch.no_grad():
        logits = any_lm.hf(ids).logits
        any_lm.attention(PROMPT)
        any_lm.attention(PROMPT, SEGMENTS)
        any_lm.attention_statistics(PROMPT)
        assert torch.equal(any_lm.hf(ids).logits, logits)
    assert any_lm.hf.config._attn_implementation == before


@pytest.mark.parametrize("segment", [(0,), (0, 1, 2), (9, 9), (9, 8), None, 3, "ab", (0.5, 2)])
def test_a_segment_that_is_no_range_of_characters_is_refused(lm: LanguageModel, segment) -> None:
    with pytest.raises(PromptError, match=r"no range of characters.*start before end") as caught:
        lm.attention(PROMPT, [(0, 3), segment])
    assert str(caught.value).endswith(".")


def test_one_segment_goes_into_a_list(lm: LanguageModel) -> None:
    for segments in (3, (0, 3)):
        with pytest.raises(PromptError, match="give pairs"):
            lm.attention(PROMPT, segments)


def test_segments_beside_the_text(lm: LanguageModel) -> None:
    with pytest.raises(PromptError, match="not in this text"):
        lm.attention(PROMPT, segments=[(900, 901)])


_kept: list[LanguageModel] = []


def _llama() -> LanguageModel:
    if not _kept:
        _kept.append(tiny_models.tiny("llama"))
    return _kept[0]
