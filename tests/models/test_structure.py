"""The parts are found, and the residual stream read off them is the one the logits come from."""

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from xllm_widgets.models.errors import HookDidNotFire, UnsupportedModel
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.structure import find_structure

PROMPT = "Review: The film was bright and moving."


def test_three_blocks_are_found(any_lm: LanguageModel) -> None:
    assert any_lm.n_layers == 3
    assert any_lm.width == 32


def test_final_norm_and_unembedding_of_the_last_layer_give_the_logits(any_lm: LanguageModel) -> None:
    stream = torch.tensor(any_lm.activations(PROMPT, layers=-1, positions="all")[0, 0])
    with torch.no_grad():
        logits = any_lm.structure.unembedding(any_lm.structure.final_norm(stream))
        expected = any_lm.hf(torch.tensor([any_lm.reader.ids(PROMPT)])).logits[0]
    cap = getattr(any_lm.hf.config, "final_logit_softcapping", None)
    torch.testing.assert_close(torch.tanh(logits / cap) * cap if cap else logits, expected, atol=2e-5, rtol=1e-5)


def test_layers_are_what_transformers_calls_hidden_states(any_lm: LanguageModel) -> None:
    """All but the last, which transformers gives after the final norm."""
    with torch.no_grad():
        out = any_lm.hf(torch.tensor([any_lm.reader.ids(PROMPT)]), output_hidden_states=True)
    got = any_lm.activations(PROMPT, positions="all")[0]
    assert got.shape[0] == 4
    for k in range(3):
        np.testing.assert_allclose(got[k], out.hidden_states[k][0].numpy(), atol=1e-6)


def test_positions_layers_and_padding(lm: LanguageModel) -> None:
    prompts = [PROMPT, "no"]
    everything = lm.activations(prompts, positions="all")
    lengths = [len(lm.tokens(p)) for p in prompts]
    assert everything.shape == (2, 4, max(lengths), 32)
    assert np.isnan(everything[1, :, lengths[1] :]).all()
    some = lm.activations(prompts, layers=[2, 0], positions=[0, -1])
    np.testing.assert_allclose(some[0, 0], everything[0, 2, [0, lengths[0] - 1]], atol=1e-6)
    np.testing.assert_allclose(some[1, 1], everything[1, 0, [0, lengths[1] - 1]], atol=1e-6)


def test_a_layer_or_position_that_is_not_there(lm: LanguageModel) -> None:
    with pytest.raises(UnsupportedModel, match="no layer 4"):
        lm.activations("no", layers=4)
    with pytest.raises(Exception, match="no position 50"):
        lm.activations("no", positions=50)


def test_a_skipped_block_is_an_error(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm.structure.blocks[1], "_call_impl", lambda hidden, *_, **__: hidden)
    with pytest.raises(HookDidNotFire, match="Layer 2"):
        lm.activations("no")


def test_what_is_no_causal_transformer_is_refused() -> None:
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=50, d_model=16, d_ff=16, num_layers=2, num_heads=2, d_kv=8)
    )
    with pytest.raises(UnsupportedModel, match="not a causal language model"):
        find_structure(t5)


def test_a_decoy_list_of_the_same_length_is_not_taken_for_the_blocks(lm: LanguageModel) -> None:
    decoy = nn.ModuleList(nn.Linear(2, 2) for _ in range(lm.n_layers))
    lm.hf.decoy = decoy
    try:
        assert find_structure(lm.hf).blocks is lm.structure.blocks
    finally:
        del lm.hf.decoy
