"""The trimmed last block gives what the whole one does, in every family, and does less."""

import numpy as np
import pytest
import torch

from xllm_widgets.models.attending import attention_by
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.endings import Beginning
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.passes import Prefix, embed, last_logits
from xllm_widgets.models.trimming import last_block_trimmed

IDS = torch.arange(36).view(3, 12) * 7 % 300


def logits(lm: LanguageModel, keep: int, trimmed: bool, start: int = 0) -> torch.Tensor:
    ids = IDS.clone()
    ids[:, :start] = ids[0, :start]
    with torch.no_grad():
        cache = Prefix(lm, ids[:1], 12).behind(start, 3) if start else None
        words = {"prompt_lengths": [12] * 3, "cache": cache}
        if not trimmed:
            return last_logits(lm, ids[:, start:], keep, **words)
        with last_block_trimmed(lm, keep):
            return last_logits(lm, ids[:, start:], keep, **words)


@pytest.mark.parametrize("keep", [1, 4, 12])
def test_logits_are_those_of_the_whole_block(any_lm: LanguageModel, keep: int) -> None:
    torch.testing.assert_close(logits(any_lm, keep, True), logits(any_lm, keep, False), atol=1e-5, rtol=1e-5)


def test_behind_a_cached_prefix_and_under_edits(any_lm: LanguageModel) -> None:
    vector = np.random.default_rng(0).normal(size=any_lm.width)
    places = [(0, "all"), (any_lm.n_layers - 1, [2, -3]), (any_lm.n_layers, -1)]
    with any_lm.edit(*(Steer(vector, layer, 2.0, positions) for layer, positions in places)):
        for start in (0, 5):
            whole = logits(any_lm, 2, False, start)
            torch.testing.assert_close(logits(any_lm, 2, True, start), whole, atol=1e-5, rtol=1e-5)
    assert (logits(any_lm, 2, False) - whole).abs().max() > 0.01


def test_only_read_positions_reach_the_feed_forward_layer(lm: LanguageModel) -> None:
    seen: list[int] = []
    handle = lm.structure.blocks[-1].mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    try:
        logits(lm, 2, True)
        logits(lm, 2, False)
    finally:
        handle.remove()
    assert seen == [2, 12]


def test_the_model_is_whole_again_afterwards(lm: LanguageModel) -> None:
    block = lm.structure.blocks[-1]
    with pytest.raises(KeyboardInterrupt), last_block_trimmed(lm, 1):
        raise KeyboardInterrupt
    assert "forward" not in block.__dict__
    block.forward = own = block.forward  # as accelerate does for models over several devices
    try:
        whole = logits(lm, 1, False)
        torch.testing.assert_close(logits(lm, 1, True), whole, atol=1e-5, rtol=1e-5)
        assert block.forward is own
    finally:
        del block.forward


def test_another_kernel_comes_first(lm: LanguageModel) -> None:
    asked: list[int] = []
    with attention_by(lambda module, query, *_, **__: asked.append(query.shape[2])):
        torch.testing.assert_close(logits(lm, 1, True), logits(lm, 1, False))
    assert set(asked) == {12}


def test_endings_in_place_are_those_of_the_whole_prompt(any_lm: LanguageModel) -> None:
    """Rows that change behind their fourth token, given as embeddings, under edits of every kind of place."""
    changed = torch.cat([IDS[:1, :4].expand(3, -1), IDS[:, 4:]], 1)
    with torch.no_grad():
        x = embed(any_lm, changed)
        vector = np.random.default_rng(1).normal(size=any_lm.width)
        with any_lm.edit(*(Steer(vector, layer, 2.0, p) for layer, p in ((0, [1, 6]), (1, -2), (any_lm.n_layers, -1)))):
            whole = last_logits(any_lm, x, 3, prompt_lengths=[12] * 3)
            ends = Beginning(any_lm, x[:1]).logits(x[:, 4:], 4, 3)
    torch.testing.assert_close(ends, whole, atol=1e-5, rtol=1e-5)


def test_nothing_is_copied_for_endings(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def copied(*_: object) -> None:
        raise AssertionError("the beginning was copied")

    monkeypatch.setattr(Beginning, "behind", copied)
    lm.attribute("The film was really bright", " slow dull", "occlusion")
