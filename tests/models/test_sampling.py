"""Generated text is the model's, reproducible, and independent of what else is asked for."""

import numpy as np
import pytest
import tiny_models
import torch

from xllm_widgets.errors import PromptError, XllmError
from xllm_widgets.models.choosing import Knobs, choose
from xllm_widgets.models.errors import Interrupted
from xllm_widgets.models.language_model import LanguageModel

PROMPTS = ["The film was", "Review: The film was bright and moving.", "世"]


def test_greedy_is_what_transformers_generates(any_lm: LanguageModel) -> None:
    ids = torch.tensor([any_lm.reader.ids(PROMPTS[0])])
    expected = any_lm.hf.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0
    )[0, ids.shape[1] :]
    got = any_lm.generate(PROMPTS[0], max_new_tokens=8, temperature=0)[0][0]
    assert got.ids == [i for i in expected.tolist() if i != any_lm.tokenizer.eos_token_id]


def test_logprobs_are_those_of_the_text(any_lm: LanguageModel) -> None:
    for sample in any_lm.generate(PROMPTS[0], n=2, max_new_tokens=5, temperature=0.7, top_p=0.9)[0]:
        row, before = any_lm.reader.ids(PROMPTS[0]), len(any_lm.reader.ids(PROMPTS[0]))
        with torch.no_grad():
            logp = any_lm.hf(torch.tensor([row + sample.ids])).logits.log_softmax(-1)[0]
        expected = [float(logp[before - 1 + i, token]) for i, token in enumerate(sample.ids)]
        np.testing.assert_allclose(sample.logprobs, expected, atol=1e-4)
        assert len(sample.tokens) == len(sample.ids) == len(sample.logprobs)


def test_a_sample_depends_on_seed_prompt_and_its_number_alone(lm: LanguageModel) -> None:
    together = lm.generate(PROMPTS, n=3, max_new_tokens=6, seed=5)
    assert together == lm.generate(PROMPTS, n=3, max_new_tokens=6, seed=5)
    alone = lm.generate(PROMPTS[1], n=2, max_new_tokens=6, seed=5)[0]
    assert [sample.ids for sample in together[1][:2]] == [sample.ids for sample in alone]
    assert together != lm.generate(PROMPTS, n=3, max_new_tokens=6, seed=6)
    assert len({sample.text for sample in together[1]}) > 1


def test_global_generators_are_left_alone(lm: LanguageModel) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    lm.generate("The", max_new_tokens=3)
    assert torch.equal(torch.rand(3), expected)


def test_a_model_without_a_cache_writes_the_same_way(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lm.generate(PROMPTS, n=2, max_new_tokens=5)
    monkeypatch.setattr(lm, "shares_prefixes", False)
    got = lm.generate(PROMPTS, n=2, max_new_tokens=5)
    assert [[s.text for s in row] for row in got] == [[s.text for s in row] for row in expected]
    assert tiny_models.tiny("mamba").generate("The", max_new_tokens=3)[0][0].ended in ("length", "end of text")


def test_text_ends_before_the_stop_string(lm: LanguageModel) -> None:
    free = lm.generate("The film was", max_new_tokens=12, temperature=0)[0][0]
    stop = free.tokens[3]
    cut = lm.generate("The film was", max_new_tokens=12, temperature=0, stop=stop)[0][0]
    assert cut.ended == "stop"
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.ids == free.ids[: len(cut.ids)]
    assert len(cut.ids) <= 3


def test_the_end_mark_ends_the_text(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    free = lm.generate("The film was", max_new_tokens=4, temperature=0)[0][0]
    monkeypatch.setattr(lm.hf.generation_config, "eos_token_id", free.ids[2])
    ended = lm.generate("The film was", max_new_tokens=4, temperature=0)[0][0]
    assert ended.ended == "end of text"
    assert ended.ids == free.ids[: free.ids.index(free.ids[2])]


def test_the_context_ends_the_text(lm: LanguageModel) -> None:
    prompt = "x" * (lm.context_length - 4)
    sample = lm.generate(prompt, max_new_tokens=50, temperature=0)[0][0]
    assert len(sample.ids) <= 3
    with pytest.raises(PromptError, match="leave room"):
        lm.generate(prompt + "xxx")


def test_frequencies_follow_temperature_and_top_p() -> None:
    p = np.array([0.5, 0.3, 0.15, 0.05])
    draws = (np.arange(10_000) + 0.5) / 10_000

    def shares(temperature: float, top_p: float) -> np.ndarray:
        knobs = Knobs(1, 1, temperature, top_p, 0, ())
        chosen = choose(torch.tensor(np.log(p)).expand(len(draws), -1), torch.tensor(draws), knobs)
        return np.bincount(chosen.numpy(), minlength=4) / len(draws)

    np.testing.assert_allclose(shares(1.0, 1.0), p, atol=1e-3)
    np.testing.assert_allclose(shares(2.0, 1.0), np.sqrt(p) / np.sqrt(p).sum(), atol=1e-3)
    np.testing.assert_allclose(shares(1.0, 0.8), [0.625, 0.375, 0, 0], atol=1e-3)
    np.testing.assert_allclose(shares(1.0, 0.79), [0.625, 0.375, 0, 0], atol=1e-3)
    for tiny in (1e-6, 1e-12):
        np.testing.assert_array_equal(shares(1.0, tiny), [1, 0, 0, 0])


OUT_OF_RANGE = [{"n": 0}, {"temperature": -1}, {"top_p": 0}, {"stop": [""]}, {"max_new_tokens": 0}, {"n": 1.5}]


@pytest.mark.parametrize("knobs", [*OUT_OF_RANGE, {"seed": -3}, {"seed": None}])
def test_knobs_out_of_range(lm: LanguageModel, knobs: dict) -> None:
    with pytest.raises(XllmError) as caught:
        lm.generate("The", **knobs)
    assert str(caught.value).endswith(".")


def test_prompts_that_are_none_are_refused(lm: LanguageModel) -> None:
    with pytest.raises(PromptError, match="Prompts must be a string or several, not NoneType"):
        lm.generate(None)


def test_numbers_of_numpy_are_numbers(lm: LanguageModel) -> None:
    assert lm.generate("The", max_new_tokens=np.int64(3), seed=np.int32(4)) == lm.generate("The", 1, 3, seed=4)


def test_generation_can_be_stopped(lm: LanguageModel) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        lm.generate("The", max_new_tokens=20, should_stop=lambda: next(asked))
