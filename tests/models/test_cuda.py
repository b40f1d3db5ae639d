"""On a GPU every verb answers as on the CPU: with few digits fewer in float32, roughly in bfloat16."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import tiny_models
import torch
import transformers

from xllm_widgets.models import Steer, graphs, sharing
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.passes import last_logits
from xllm_widgets.models.planning import Row
from xllm_widgets.models.tree import Text

pytestmark = pytest.mark.gpu
PROMPTS = [
    "Review: The film was really bright and moving.\nSentiment: positive\nReview: The film was dull.\nSentiment:",
    "Review: The film was really bright and moving.\nSentiment: positive\nReview: slow slow and dull.\nSentiment:",
    "The film",
]
LABELS = [" positive", " negative", " really dull and slow"]
FAMILIES = [*tiny_models.FAMILIES, "gpt_oss"]
recorded = graphs.recorded
WHERE_SPLIT = ["llama", "gpt2", "qwen3", "gpt_neox", "phi"]
_made: dict[tuple[str, str, torch.dtype], LanguageModel] = {}


def model(family: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> LanguageModel:
    """The same weights wherever they lie."""
    key = family, device, dtype
    if key not in _made:
        made = tiny_models.tiny(family, spread=2.0)
        _made[key] = LanguageModel(made.hf.to(device, dtype), made.tokenizer, made.name)
    return _made[key]


@pytest.fixture(autouse=True)
def _every_digit() -> Iterator[None]:
    """No TF32: it keeps ten bits of the factors."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def _statistics(lm: LanguageModel) -> np.ndarray:
    told = lm.attention_statistics(PROMPTS[0])
    return np.stack([told.entropy, told.distance])


def _edited(lm: LanguageModel) -> np.ndarray:
    vector = np.random.default_rng(0).normal(size=lm.width)
    with lm.edit(Steer(vector, 2, 1.0), Steer(vector, 1, 0.5, positions=-1)):
        return lm.logprobs(PROMPTS, LABELS)


Verb = Callable[[LanguageModel], np.ndarray]
ANSWERS: dict[str, Verb] = {
    "logprobs": lambda lm: lm.logprobs(PROMPTS, LABELS),
    "logprobs under edits": _edited,
    "activations": lambda lm: lm.activations(PROMPTS, positions=(0, -1)),
    "attention": lambda lm: lm.attention(PROMPTS[0]),
    "attention mass": lambda lm: lm.attention(PROMPTS[0], [(0, 12), (8, 40)]),
    "attention statistics": _statistics,
}
SCORES: dict[str, Verb] = {
    "gradient_x_input": lambda lm: lm.attribute(PROMPTS[0], LABELS, "gradient_x_input").scores,
    "gradient_norm": lambda lm: lm.attribute(PROMPTS[0], LABELS[0], "gradient_norm").scores,
    "integrated_gradients": lambda lm: lm.attribute(PROMPTS[2], LABELS[0], "integrated_gradients", steps=16).scores,
    "each token": lambda lm: lm.attribute(PROMPTS[2], LABELS[2], "gradient_x_input", each_token=True).scores,
    "occlusion": lambda lm: lm.attribute(PROMPTS[0], LABELS[0], "occlusion").scores,
    "resampling_ablation": lambda lm: (
        lm.attribute(PROMPTS[0], LABELS[2], "resampling_ablation", n_replacements=2).scores
    ),
}


def distance(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value; another shape, or a NaN that is new, is an error."""
    assert got.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    return float(np.nanmax(np.abs(got - expected)) / np.nanmax(np.abs(expected)))


@pytest.mark.parametrize("verb", ANSWERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_float32_is_the_same(family: str, verb: str) -> None:
    ask = ANSWERS[verb]
    assert distance(ask(model(family, "cuda")), ask(model(family))) < 2e-4


@pytest.mark.parametrize("method", SCORES)
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gpt_neox"])
def test_scores_in_float32_are_the_same(family: str, method: str) -> None:
    ask = SCORES[method]
    assert distance(ask(model(family, "cuda")), ask(model(family))) < 2e-3


@pytest.mark.parametrize("verb", ANSWERS)
@pytest.mark.parametrize("family", tiny_models.FAMILIES)  # experts are chosen by few digits
def test_bfloat16_is_roughly_the_same(family: str, verb: str) -> None:
    ask = ANSWERS[verb]
    assert distance(ask(model(family, "cuda", torch.bfloat16)), ask(model(family))) < 0.12


@pytest.mark.parametrize("method", SCORES)
def test_scores_in_bfloat16_point_the_same_way(method: str) -> None:
    ask = SCORES[method]
    got, expected = ask(model("llama", "cuda", torch.bfloat16)).ravel(), ask(model("llama")).ravel()
    assert got @ expected > 0.9 * np.linalg.norm(got) * np.linalg.norm(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_engine_can_do_it_can_do_on_the_card(family: str, dtype: torch.dtype) -> None:
    here, there = model(family), model(family, "cuda", dtype)
    for trait in ("in_place", "shares_prefixes", "switches_attention", "trims_last_block"):
        assert getattr(there, trait) == getattr(here, trait), trait


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_is_the_same(family: str) -> None:
    ask = {"max_new_tokens": 16, "temperature": 0}
    got, expected = (model(family, device).generate(PROMPTS, **ask) for device in ("cuda", "cpu"))
    assert [row[0].ids for row in got] == [row[0].ids for row in expected]
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a[0].logprobs, b[0].logprobs, atol=2e-3)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_samples_are_the_same(family: str) -> None:
    ask = {"n": 5, "max_new_tokens": 16, "temperature": 0.8, "top_p": 0.9, "seed": 3, "stop": "dull"}
    got, expected = (model(family, device).generate(PROMPTS, **ask) for device in ("cuda", "cpu"))
    assert [[s.ids for s in row] for row in got] == [[s.ids for s in row] for row in expected]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", WHERE_SPLIT)
def test_a_recorded_step_writes_what_single_steps_write(
    family: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, replayed = model(family, "cuda", dtype), []
    ask = {"n": 4, "max_new_tokens": 24, "temperature": 0 if dtype == torch.float32 else 1.0, "stop": "zz"}
    monkeypatch.setattr(graphs, "WORTH_IT", graphs.NEVER)
    expected = lm.generate(PROMPTS, **ask)
    monkeypatch.setattr(graphs, "WORTH_IT", 8)
    monkeypatch.setattr(graphs, "recorded", lambda *about: replayed.append(made := recorded(*about)) or made)
    got = lm.generate(PROMPTS, **ask)
    assert len(replayed) == len(PROMPTS), "nothing was recorded"
    if dtype == torch.float32:
        assert [[s.ids for s in row] for row in got] == [[s.ids for s in row] for row in expected]
    for a, b in zip(got, expected, strict=True):
        same = min(len(a[0].logprobs), len(b[0].logprobs), 3)  # in bfloat16 texts may part at any token
        np.testing.assert_allclose(a[0].logprobs[:same], b[0].logprobs[:same], atol=1e-3 if dtype.itemsize > 2 else 0.5)


def test_a_step_that_cannot_be_recorded_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_models.tiny("llama")
    lm = LanguageModel(lm.hf.to("cuda"), lm.tokenizer, lm.name)
    expected = lm.generate(PROMPTS, n=3, max_new_tokens=12)

    def asks_the_cpu(step, device):
        return recorded(lambda: step()[: int(step().argmax().item() > -1)], device)

    monkeypatch.setattr(graphs, "recorded", asks_the_cpu)
    got = lm.generate(PROMPTS, n=3, max_new_tokens=12)
    assert lm in graphs._refused
    assert [[s.ids for s in row] for row in got] == [[s.ids for s in row] for row in expected]
    assert torch.ones(3, device="cuda").sum().item() == 3  # the device is none the worse
    torch.rand(3, device="cuda")


def test_no_step_is_recorded_under_an_edit_or_a_hook() -> None:
    lm = model("llama", "cuda")
    assert graphs.pays(lm, 50)
    assert not graphs.pays(lm, 3)
    with lm.edit(Steer(np.ones(lm.width), 1)):
        assert not graphs.pays(lm, 50)
    handle = lm.hf.model.layers[1].register_forward_hook(lambda *_: None)
    assert not graphs.pays(lm, 50)
    handle.remove()
    assert graphs.pays(lm, 50)
    assert not graphs.pays(model("llama"), 50)


@pytest.fixture(scope="module")
def broad() -> LanguageModel:
    """Wide enough for a full batch to weigh hundreds of megabytes."""
    tokenizer = tiny_models.byte_level()
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=512, num_hidden_layers=2, num_attention_heads=8, intermediate_size=4096,
        max_position_embeddings=96, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    return LanguageModel(transformers.AutoModelForCausalLM.from_config(config).to("cuda"), tokenizer, "broad")


@pytest.mark.parametrize("verb", ["activations", "logprobs"])
def test_a_card_that_is_full_halves_the_batch_and_says_so_once(broad: LanguageModel, verb: str) -> None:
    texts = [f"{i} Review: The film was really bright and moving and dull and slow {i}" for i in range(1200)]
    ask: dict[str, Verb] = {
        "activations": lambda lm: lm.activations(texts),
        "logprobs": lambda lm: lm.logprobs(texts, [" dull"]),
    }
    expected = ask[verb](broad)
    whole = torch.cuda.get_device_properties(0).total_memory
    for megabytes in (400, 200, 100, 50, 25):  # beyond the model; the first that is too little for a full batch
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + megabytes * 2**20) / whole)
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                got = ask[verb](broad)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        if warned := [str(w.message) for w in seen if w.category is RuntimeWarning]:
            break
    assert warned == ["Memory ran out; going on with smaller batches."]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", WHERE_SPLIT)
def test_rows_that_look_back_on_unequal_lengths(
    family: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hides the path from them is made on the card, once for all layers but the last, which has fewer queries."""
    made, mask = [], sharing._Uneven.mask
    monkeypatch.setattr(sharing._Uneven, "mask", lambda *about: made.append(out := mask(*about)) or out)
    lm, starts = model(family, "cuda", dtype), (0, 5, 12)
    ids = lm.reader.ids(PROMPTS[0])
    rows, text, path = [Row(start) for start in (0, *starts)], Text(ids, len(ids)), sharing.InPlacePath(lm)
    for row, end in zip(rows, (12, *(start + 6 for start in starts)), strict=True):
        row.add(text, row.start, end)
    with torch.inference_mode():
        path.logits(rows[:1], torch.tensor([11]), trunk=True)
        got = path.logits(rows[1:], torch.tensor([5, 11, 17]))
        expected = torch.cat(
            [last_logits(model(family), torch.tensor([ids[: start + 6]]), 1)[:, 0] for start in starts]
        )
    assert distance(got.cpu().numpy(), expected.numpy()) < (2e-4 if dtype == torch.float32 else 0.12)
    assert len({id(x) for x in made}) <= 2
    assert all(x.device.type == "cuda" for x in made)
