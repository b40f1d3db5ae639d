"""The layer around transformers changes nothing: same logits, whatever the family, the batch and the shared prefix."""

import copy

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.passes import Prefix, last_logits
from xllm_widgets.models.scoring import plan_tails

PROMPTS = ["The film was", "Review: The film was bright and moving.\nSentiment:", "no", "世界 😀", "Review: dull"]
CONTINUATIONS = [" positive", " negative", " really bright and moving.", " really dull", "?"]


def reference(lm: LanguageModel, prompt: str, continuation: str) -> float:
    """The obviously right way: one forward pass of the plain model over the whole text."""
    before, after = lm.reader.ids(prompt), lm.reader.continuation(prompt, continuation)
    with torch.no_grad():
        logp = lm.hf(torch.tensor([before + after])).logits.double().log_softmax(-1)[0]
    return sum(float(logp[len(before) - 1 + i, token]) for i, token in enumerate(after))


def test_wrapping_leaves_the_logits_bitwise_as_they_were(any_lm: LanguageModel) -> None:
    ids = torch.tensor([any_lm.reader.ids(PROMPTS[1])])
    plain = copy.deepcopy(any_lm.hf)
    wrapped = LanguageModel(copy.deepcopy(any_lm.hf), any_lm.tokenizer, "copy")
    with torch.no_grad():
        expected = plain(ids).logits
        wrapped.logprobs(PROMPTS, CONTINUATIONS)
        wrapped.attention(PROMPTS[0])
        wrapped.activations(PROMPTS)
        assert torch.equal(wrapped.hf(ids).logits, expected)
        assert torch.equal(last_logits(wrapped, ids, ids.shape[1]), expected.float())


def test_a_model_wrapped_again_is_as_fast_as_the_first_time(any_lm: LanguageModel) -> None:
    """What tuning and randomising make is a copy of a model that has been wrapped before."""
    again = LanguageModel(copy.deepcopy(any_lm.hf), any_lm.tokenizer, "copy")
    for path in ("switches_attention", "trims_last_block", "in_place"):
        assert getattr(again, path) == getattr(any_lm, path)


def test_every_family_shares_prefixes(any_lm: LanguageModel) -> None:
    assert any_lm.shares_prefixes


def test_logprobs_are_those_of_one_plain_pass_each(any_lm: LanguageModel) -> None:
    expected = [[reference(any_lm, p, c) for c in CONTINUATIONS] for p in PROMPTS]
    np.testing.assert_allclose(any_lm.logprobs(PROMPTS, CONTINUATIONS), expected, atol=1e-5, rtol=1e-5)


SHOTS = "Review: The film was really bright and moving.\nSentiment: positive\n\nReview: The film was "
BRANCHES = [SHOTS + end for end in ("dull\nSentiment:", "slow\nSentiment:", "really slow\nSentiment:")] + PROMPTS[:1]


@pytest.mark.parametrize("family", ["gpt2", "llama", "mistral"])  # the last one copies what the others share in place
def test_bfloat16_on_the_cpu_is_the_plain_loop_in_bfloat16_and_near_float32(family: str) -> None:
    half = tiny_models.tiny(family, spread=16.0, dtype=torch.bfloat16)
    whole = tiny_models.tiny(family, spread=16.0)
    assert (half.dtype, half.device.type, half.shares_prefixes) == (torch.bfloat16, "cpu", True)
    got = half.logprobs(BRANCHES, CONTINUATIONS)
    loop = np.array([[reference(half, p, c) for c in CONTINUATIONS] for p in BRANCHES])
    largest = np.abs(loop).max()
    np.testing.assert_allclose(got, loop, rtol=0, atol=2e-2 * largest)
    np.testing.assert_allclose(got, whole.logprobs(BRANCHES, CONTINUATIONS), rtol=0, atol=5e-2 * largest)
    assert np.abs(loop - np.roll(loop, 1, 0)).max() > 0.1 * largest  # a prompt taken for another would be noticed


def test_a_continued_prefix_equals_the_whole(any_lm: LanguageModel) -> None:
    """Longer than the sliding windows of the families that have one."""
    ids = torch.tensor([any_lm.reader.ids(PROMPTS[1])])
    with torch.no_grad():
        whole = last_logits(any_lm, ids, 3)
        prefix = Prefix(any_lm, ids)
        for length in (1, 7, ids.shape[1] - 3):
            rows = last_logits(any_lm, ids[:, length:].expand(2, -1), 3, cache=prefix.behind(length, 2))
            torch.testing.assert_close(rows, whole.expand(2, -1, -1), atol=2e-5, rtol=1e-5)


def test_a_model_without_keys_and_values_is_run_whole() -> None:
    lm = tiny_models.tiny("mamba")
    assert not lm.shares_prefixes
    expected = [[reference(lm, p, c) for c in CONTINUATIONS] for p in PROMPTS]
    np.testing.assert_allclose(lm.logprobs(PROMPTS, CONTINUATIONS), expected, atol=1e-5, rtol=1e-5)


TEXT = st.text(st.sampled_from("Review: film 12世😀\n"), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6), st.lists(TEXT, min_size=1, max_size=4))
def test_a_batch_equals_the_loop(prompts: list[str], continuations: list[str]) -> None:
    lm = _llama()
    loop = [lm.logprobs(p, [c])[0, 0] for p in prompts for c in continuations]
    np.testing.assert_allclose(lm.logprobs(prompts, continuations).ravel(), loop, atol=1e-5, rtol=1e-5)
    stacked = lm.activations(prompts)
    for prompt, row in zip(prompts, stacked, strict=True):
        np.testing.assert_allclose(row, lm.activations(prompt)[0], atol=1e-5, rtol=1e-4)


def test_ragged_continuations_are_filled_with_nan(lm: LanguageModel) -> None:
    got = lm.logprobs(["The film", "no"], [[" positive", " slow"], ["?"]])
    assert got.shape == (2, 2)
    assert np.isnan(got).tolist() == [[False, False], [False, True]]
    np.testing.assert_allclose(got[1, 0], reference(lm, "no", "?"), atol=1e-5)


def test_single_tokens_need_one_pass_only(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    really = lm.hf.forward
    monkeypatch.setattr(lm.hf, "forward", lambda **words: calls.append(words) or really(**words))
    lm.logprobs("Review: The film was bright", [" positive", " negative", "?", "1"])
    assert len(calls) == 1
    assert calls[0]["input_ids"].shape[0] == 1


def test_tails_are_as_few_as_can_be() -> None:
    tails = plan_tails([(5,), (6,), (7, 8, 9), (7, 8, 4), (7, 3)])
    assert [tail.ids for tail in tails] == [(7, 8)]
    reads = sorted((r.index, r.after, r.token) for r in tails[0].reads)
    assert reads == [
        (0, 0, 5),
        (1, 0, 6),
        (2, 0, 7),
        (2, 1, 8),
        (2, 2, 9),
        (3, 0, 7),
        (3, 1, 8),
        (3, 2, 4),
        (4, 0, 7),
        (4, 1, 3),
    ]
    assert sorted(t.ids for t in plan_tails([(1, 2), (3, 4), (5,)])) == [(1,), (3,)]


def test_probabilities_of_all_next_tokens_add_up_to_one(lm: LanguageModel) -> None:
    logp = lm.logprobs("The film was", [lm.reader.decode([i]) for i in range(33, 80)])
    assert np.exp(logp).sum() < 1
    assert np.isfinite(logp).all()


@pytest.mark.parametrize(
    ("prompts", "continuations", "words"),
    [
        ("", ["a"], "empty"),
        (["fine", ""], ["a"], "empty"),
        ("fine", [""], "continuation is empty"),
        ("x" * 200, ["a"], "at most 96"),
        ("x" * 94, ["abcdefg"], "at most 96"),
        ("half \ud83d", ["a"], "lone surrogate"),
        (["a", "b"], [["x"]], "2 prompts but 1 list"),
        ([3], ["a"], "must be a string, not int"),
        (None, ["a"], "Prompts must be a string or several, not NoneType"),
        ("fine", None, "Continuations must be a string or several, not NoneType"),
        (["a", "b"], [1, 2], "Continuations must be a string or several, not int"),
        (["a", "b"], [["x"], None], "Continuations must be a string or several, not NoneType"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(lm: LanguageModel, prompts, continuations, words: str) -> None:
    with pytest.raises(PromptError, match=words) as caught:
        lm.logprobs(prompts, continuations)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


_kept: list[LanguageModel] = []


def _llama() -> LanguageModel:
    if not _kept:
        _kept.append(tiny_models.tiny("llama"))
    return _kept[0]
