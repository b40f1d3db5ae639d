"""Steering is seen by every verb while it lasts, adds up, and leaves nothing behind."""

import threading

import numpy as np
import pytest
import torch

from xllm_widgets.models.edits import Steer
from xllm_widgets.models.errors import HookDidNotFire, UnsupportedModel
from xllm_widgets.models.language_model import LanguageModel

PROMPT = "Review: The film was bright"
RNG = np.random.default_rng(0)
V, W = RNG.normal(size=(2, 32)).astype(np.float32)


def logits(lm: LanguageModel) -> torch.Tensor:
    with torch.no_grad():
        return lm.hf(torch.tensor([lm.reader.ids(PROMPT)])).logits


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_the_stream_moves_by_the_vector_and_comes_back_bitwise(any_lm: LanguageModel, layer: int) -> None:
    before, plain = logits(any_lm), any_lm.activations(PROMPT, layers=layer, positions="all")
    with any_lm.edit(Steer(V, layer, 2.0)):
        moved = any_lm.activations(PROMPT, layers=layer, positions="all")
        assert not torch.allclose(logits(any_lm), before)
    np.testing.assert_allclose(moved - plain, np.broadcast_to(2 * V, plain.shape), atol=1e-4)
    assert torch.equal(logits(any_lm), before)


def test_positions_count_from_the_prompts_start_and_end(lm: LanguageModel) -> None:
    plain = lm.activations(PROMPT, layers=2, positions="all")[0, 0]
    with lm.edit(Steer(V, 2, 1.0, positions=[1, -1])):
        moved = lm.activations([PROMPT, "no"], layers=2, positions="all")[0, 0]
    changed = [i for i, (a, b) in enumerate(zip(plain, moved, strict=True)) if not np.allclose(a, b, atol=1e-5)]
    assert changed == [1, len(plain) - 1]


def test_the_prompts_last_token_stays_the_same_one_in_every_verb(lm: LanguageModel) -> None:
    """With continuations of several tokens, behind a shared prefix, and while generating."""
    ids = lm.reader.ids(PROMPT)
    continuations = [" really dull", " slow", " bright and moving"]
    with lm.edit(Steer(V, 1, 3.0, positions=-1)):
        got = lm.logprobs(PROMPT, continuations)[0]
        text = lm.generate(PROMPT, max_new_tokens=6, temperature=0)[0][0]
    with lm.edit(Steer(V, 1, 3.0, positions=len(ids) - 1)):
        for value, continuation in zip(got, continuations, strict=True):
            after = lm.reader.continuation(PROMPT, continuation)
            with torch.no_grad():
                logp = lm.hf(torch.tensor([ids + after])).logits.log_softmax(-1)[0]
            assert value == pytest.approx(sum(float(logp[len(ids) - 1 + i, t]) for i, t in enumerate(after)), abs=1e-4)
        with torch.no_grad():
            row = list(ids)
            for _ in range(6):
                row.append(int(lm.hf(torch.tensor([row])).logits[0, -1].argmax()))
        assert text.ids == row[len(ids) :][: len(text.ids)]


def test_nested_edits_add(lm: LanguageModel) -> None:
    with lm.edit(Steer(V, 1)), lm.edit(Steer(W, 1, 0.5)):
        nested = lm.logprobs(PROMPT, [" positive"])
    with lm.edit(Steer(V + 0.5 * W, 1)):
        together = lm.logprobs(PROMPT, [" positive"])
    np.testing.assert_allclose(nested, together, atol=1e-5)


def test_one_vector_a_layer(lm: LanguageModel) -> None:
    with lm.edit(Steer(np.stack([V, W]), [1, 2])):
        both = lm.logprobs(PROMPT, [" positive"])
    with lm.edit(Steer(V, 1), Steer(W, 2)):
        np.testing.assert_allclose(lm.logprobs(PROMPT, [" positive"]), both, atol=1e-6)


def test_an_exception_removes_the_edit(lm: LanguageModel) -> None:
    before = logits(lm)
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), lm.edit(Steer(V, "all")):
            raise error
    with pytest.raises(UnsupportedModel), lm.edit(Steer(V, 1), Steer(V[:3], 2)):
        pass
    assert torch.equal(logits(lm), before)
    assert lm.active_edits == []


def test_a_skipped_layer_is_an_error(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm.structure.blocks[1], "_call_impl", lambda hidden, *_, **__: hidden)
    with lm.edit(Steer(V, 2)), pytest.raises(HookDidNotFire, match="layer 2"):
        lm.logprobs(PROMPT, [" positive"])


@pytest.mark.parametrize(
    ("steer", "words"),
    [
        (Steer(V[:5], 1), "shape"),
        (Steer(V, 9), "no layer 9"),
        (Steer(V, "top"), "not understood"),
        (Steer(V, 1, positions="last"), "not understood"),
        (Steer(V, 1, positions=None), "positions=None is not understood"),
        (Steer(V, None), "layers=None is not understood"),
    ],
)
def test_what_does_not_fit_is_refused(lm: LanguageModel, steer: Steer, words: str) -> None:
    with pytest.raises(UnsupportedModel, match=words), lm.edit(steer):
        pass


def test_another_thread_never_meets_the_edited_model(lm: LanguageModel) -> None:
    plain, seen = lm.logprobs(PROMPT, [" positive"]), []
    other = threading.Thread(target=lambda: seen.append(lm.logprobs(PROMPT, [" positive"])))
    with lm.edit(Steer(V, 1, 5.0)):
        other.start()
        other.join(0.2)
        assert seen == []
    other.join()
    np.testing.assert_array_equal(seen[0], plain)


def test_verbs_set_their_own_gradient_mode(lm: LanguageModel) -> None:
    with torch.inference_mode():
        inside = lm.attribute(PROMPT, " positive", "gradient_x_input").scores
    with torch.enable_grad():
        outside = lm.attribute(PROMPT, " positive", "gradient_x_input").scores
        assert not isinstance(lm.activations(PROMPT), torch.Tensor)
    np.testing.assert_allclose(inside, outside)
