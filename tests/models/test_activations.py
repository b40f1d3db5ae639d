"""Activations: only what was asked for is computed and kept, wherever the answer is to lie."""

from pathlib import Path

import numpy as np
import pytest
import torch

from xllm_widgets.errors import PromptError, XllmError
from xllm_widgets.models import activations as module
from xllm_widgets.models import partway
from xllm_widgets.models.counting import counted
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.errors import HookDidNotFire, Interrupted
from xllm_widgets.models.language_model import LanguageModel

PROMPTS = ["The film was", "Review: The film was bright and moving.\nSentiment:", "no", "世界 😀", "The film is"]


@pytest.mark.parametrize("positions", [-1, [0, -1], "all"])
def test_one_by_one_and_together(any_lm: LanguageModel, positions) -> None:
    got = any_lm.activations(PROMPTS, [0, 2, -1], positions)
    for prompt, row in zip(PROMPTS, got, strict=True):
        alone = any_lm.activations(prompt, positions=positions)[0, [0, 2, 3]]
        np.testing.assert_allclose(row[:, : alone.shape[1]], alone, atol=2e-5, rtol=1e-4)
        assert np.isnan(row[:, alone.shape[1] :]).all()


def test_the_last_block_gives_at_some_places_what_it_gives_at_all(any_lm: LanguageModel) -> None:
    some, every = any_lm.activations(PROMPTS, positions=[-2, -1]), any_lm.activations(PROMPTS, positions="all")
    for few, row in zip(some, every, strict=True):
        length = int(np.isfinite(row[0, :, 0]).sum())
        np.testing.assert_allclose(few, row[:, length - 2 : length], atol=2e-5, rtol=1e-4)


def test_nothing_beyond_the_highest_layer_is_computed(any_lm: LanguageModel) -> None:
    ran = []
    handles = [
        block.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, block in enumerate(any_lm.structure.blocks)
    ]
    try:
        with counted(any_lm) as work:
            any_lm.activations(PROMPTS[0], layers=[2, 0, 2])
            any_lm.activations(PROMPTS[0], layers=0)
            any_lm.activations(PROMPTS[0])
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [0, 1, 0, 1, 2]
    assert (work.passes, work.rows) == (3, 0)


def test_layers_in_any_order_and_more_than_once(lm: LanguageModel) -> None:
    every = lm.activations(PROMPTS[:2])
    np.testing.assert_array_equal(lm.activations(PROMPTS[:2], layers=[3, 1, 3]), every[:, [3, 1, 3]])


@pytest.mark.parametrize(("prompts", "layers", "positions"), [([], "all", -1), (PROMPTS, [], -1), (PROMPTS, "all", [])])
def test_nothing_asked_nothing_computed(lm: LanguageModel, prompts, layers, positions) -> None:
    with counted(lm) as work:
        assert lm.activations(prompts, layers, positions).size == 0
    assert work.passes == 0


def test_edits_act_up_to_the_highest_layer(lm: LanguageModel) -> None:
    plain, push = lm.activations(PROMPTS, layers=1), np.ones(32)
    with lm.edit(Steer(push, 2), Steer(push, "all", 0.5, positions=[0])):
        edited = lm.activations(PROMPTS, layers=1, positions=0)
        whole = lm.activations(PROMPTS, positions=0)
    np.testing.assert_allclose(edited[:, 0], whole[:, 1], atol=1e-6)
    assert not np.allclose(edited, lm.activations(PROMPTS, layers=1, positions=0), atol=0.1)
    with lm.edit(Steer(push, 2)):
        np.testing.assert_array_equal(lm.activations(PROMPTS, layers=1), plain)
        np.testing.assert_allclose(lm.logprobs("no", ["?"]), lm.logprobs("no", ["?"]))


def test_a_skipped_block_is_an_error(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lm.structure.blocks[1], "_call_impl", lambda hidden, *_, **__: hidden)
        for layers in ([2], [2, 3]):
            with pytest.raises(HookDidNotFire, match="Layer 2"):
                lm.activations("no", layers=layers)
        with lm.edit(Steer(np.ones(32), 2)), pytest.raises(HookDidNotFire, match="layer 2"):
            lm.activations("no", layers=3)
    lm.activations("no")


def test_the_answer_goes_where_it_is_wanted(lm: LanguageModel, tmp_path: Path) -> None:
    expected = lm.activations(PROMPTS, positions="all")
    mapped = lm.activations(PROMPTS, positions="all", out=tmp_path / "streams.npy")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(np.load(tmp_path / "streams.npy"), expected)
    for dtype in (np.float32, np.float64, np.float16):
        mine = np.empty(expected.shape, dtype)
        assert lm.activations(PROMPTS, positions="all", out=mine) is mine
        np.testing.assert_allclose(mine, expected, rtol=1e-3 if dtype == np.float16 else 0)


@pytest.mark.parametrize("wrong", [np.empty((5, 4, 2, 32), np.float32), np.empty((5, 4, 1, 32), int)])
def test_an_array_that_does_not_fit_is_refused(lm: LanguageModel, wrong: np.ndarray) -> None:
    with pytest.raises(PromptError, match=r"give one of floats of shape \(5, 4, 1, 32\)"):
        lm.activations(PROMPTS, out=wrong)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"out": "/no/such/x.npy"}, "cannot be written to /no/such/x.npy: No such file"),
        ({"out": "."}, r"cannot be written to [.]: Is a directory"),
        ({"out": 3}, "cannot be written to 3: "),
        ({"positions": None}, "positions=None is not understood"),
        ({"positions": [0, None]}, "positions=.0, None. is not understood"),
        ({"positions": 0.5}, "positions=0.5 is not understood"),
        ({"positions": "last"}, "positions='last' is not understood"),
        ({"layers": None}, "layers=None is not understood"),
        ({"layers": [1.5]}, "layers=.1.5. is not understood"),
        ({"layers": "top"}, "layers='top' is not understood"),
        ({"prompts": None}, "Prompts must be a string or several, not NoneType"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(lm: LanguageModel, words: dict, said: str) -> None:
    with pytest.raises(XllmError, match=said) as caught:
        lm.activations(**{"prompts": PROMPTS, **words})
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "numbers", [np.int64(-1), [np.int32(0), -1], np.array([0, -1]), torch.tensor([0, -1]), range(2)]
)
def test_whole_numbers_of_any_kind_are_understood(lm: LanguageModel, numbers) -> None:
    plain = int(numbers) if isinstance(numbers, np.integer) else [int(k) for k in numbers]
    np.testing.assert_array_equal(lm.activations(PROMPTS, numbers, numbers), lm.activations(PROMPTS, plain, plain))


def test_what_waits_on_the_device_is_bounded(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lm.activations(PROMPTS, positions="all")
    monkeypatch.setattr(module, "HELD", 0)
    np.testing.assert_array_equal(lm.activations(PROMPTS, positions="all"), expected)


def test_the_answer_is_the_same_when_memory_is_short(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [*["The film was"] * 3, "no"]
    expected = lm.activations(prompts)

    def short(model, ids, *args):
        partway.run_up_to(model, ids, *args)
        if ids.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "run_up_to", short)
    with pytest.warns(RuntimeWarning, match="smaller batches"):
        np.testing.assert_allclose(lm.activations(prompts), expected, atol=1e-5)


def test_a_stale_computation_stops(lm: LanguageModel) -> None:
    with pytest.raises(Interrupted):
        lm.activations(PROMPTS, should_stop=lambda: True)
