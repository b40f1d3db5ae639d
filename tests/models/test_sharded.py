"""A model spread over several devices, or kept on the disk, answers every verb as it does in one piece."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch

from xllm_widgets.errors import XllmError
from xllm_widgets.methods.tuning import tune
from xllm_widgets.models import Steer, load, loading, structure
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.studies import registry

accelerate = pytest.importorskip("accelerate")
PROMPTS = ["Review: The film was really bright and moving. Sentiment:", "The film was dull"]


def on_disk(whole: LanguageModel, folder: Path, kept: int) -> LanguageModel:
    """The same weights, the first `kept` modules in memory, the others read from the disk whenever they are called."""
    copy = tiny_models.tiny(whole.name.removeprefix("tiny-")).hf
    parts = ["model.embed_tokens", *(f"model.layers.{i}" for i in range(3)), "model.rotary_emb", "model.norm"]
    place = {part: "cpu" if i < kept else "disk" for i, part in enumerate([*parts, "lm_head"])}
    return LanguageModel(accelerate.dispatch_model(copy, place, offload_dir=folder), whole.tokenizer, "spread")


@pytest.fixture(scope="module")
def whole() -> LanguageModel:
    return tiny_models.tiny("qwen2")


@pytest.fixture(scope="module", params=[2, 0], ids=["later blocks on disk", "all on disk"])
def spread(request: pytest.FixtureRequest, whole: LanguageModel, tmp_path_factory) -> LanguageModel:
    return on_disk(whole, tmp_path_factory.mktemp("weights"), request.param)


def assert_same_answers(spread: LanguageModel, whole: LanguageModel, within: float = 1e-5) -> None:
    def agree(ask) -> None:
        np.testing.assert_allclose(ask(spread), ask(whole), rtol=within, atol=within)

    vector = np.random.default_rng(0).normal(size=whole.width)
    agree(lambda lm: lm.logprobs(PROMPTS, [" positive", " negative and slow"]))
    agree(lambda lm: lm.activations(PROMPTS, positions=(0, -1)))
    agree(lambda lm: lm.attention(PROMPTS[0], [(0, 6), (8, 20)]))
    agree(lambda lm: lm.attribute(PROMPTS[1], " positive", method="gradient_x_input").scores)
    agree(lambda lm: lm.generate(PROMPTS[0], n=3, max_new_tokens=5)[0][2].logprobs)
    for layers in (0, 1, 3):
        with spread.edit(Steer(vector, layers, 2.0)), whole.edit(Steer(vector, layers, 2.0)):
            agree(lambda lm: lm.logprobs(PROMPTS, [" positive", " negative and slow"]))


def test_every_verb_answers_as_in_one_piece(spread: LanguageModel, whole: LanguageModel) -> None:
    assert any(parameter.is_meta for parameter in spread.hf.parameters())
    assert spread.device.type == "cpu"
    assert spread.n_parameters == whole.n_parameters
    assert_same_answers(spread, whole)


def test_it_says_where_it_lies(spread: LanguageModel, whole: LanguageModel) -> None:
    assert "float32 on " in spread.describe()
    assert spread.describe().endswith("disk.")
    assert whole.describe().endswith("on cpu.")
    assert structure.places(whole.hf) == ["cpu"]


def test_weights_that_are_elsewhere_are_not_hashed(spread: LanguageModel, whole: LanguageModel) -> None:
    assert registry.weights_hash(spread) == "not hashed"
    assert registry.weights_hash(whole) != "not hashed"


def test_a_spread_model_is_not_tuned(spread: LanguageModel) -> None:
    with pytest.raises(XllmError, match="larger than one device"):
        tune(spread, [("The film", " was dull")])


@pytest.fixture
def saved(whole: LanguageModel, tmp_path: Path) -> Path:
    whole.hf.save_pretrained(tmp_path)
    whole.tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU, auto chooses it")
def test_auto_is_the_cpu_where_there_is_nothing_else(saved: Path, whole: LanguageModel) -> None:
    lm = load(saved, device="auto")
    assert (lm.device.type, lm.dtype) == ("cpu", torch.float32)
    np.testing.assert_allclose(lm.logprobs(PROMPTS, [" yes"]), whole.logprobs(PROMPTS, [" yes"]), rtol=1e-5)


def test_auto_without_its_package_says_what_to_install(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(XllmError, match=r'device="auto" needs accelerate; run `pip install accelerate`'):
        load(saved, device="auto")


def test_what_the_loader_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(loading, "_bits", lambda *about: about)
    assert loading._options(None, "bfloat16", None) == {"dtype": "auto"}
    assert loading._options("auto", "bfloat16", None) == {"dtype": torch.bfloat16, "device_map": "auto"}
    assert loading._options("cpu", None, "4bit")["device_map"] == {"": "cpu"}
    four = loading._options("auto", "float16", "4bit")
    assert four == {"dtype": torch.float16, "device_map": "auto", "quantization_config": ("4bit", torch.float16)}


def test_four_bits_compute_in_sixteen() -> None:
    bits = loading._bits("4bit", torch.bfloat16)
    assert (bits.bnb_4bit_quant_type, bits.bnb_4bit_compute_dtype) == ("nf4", torch.bfloat16)
    assert loading._bits("8bit", torch.bfloat16).load_in_8bit


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            'does not fit on its device; try .*"auto"',
        ),
        (RuntimeError("None of the devices are supported by the bitsandbytes version"), "leave quantization out"),
    ],
)
def test_what_can_be_put_right_is_no_damage(error: Exception, words: str) -> None:
    sentence = loading._sentence("somewhere", "big", error)
    assert type(sentence) is XllmError
    with pytest.raises(XllmError, match=words):
        raise sentence


@pytest.mark.gpu
def test_blocks_on_two_devices_answer_as_in_one_piece(whole: LanguageModel) -> None:
    """One card is enough: the second block computes on the CPU, those around it on the card."""
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    hf = tiny_models.tiny("qwen2").hf.to("cuda")
    block = hf.model.layers[1].to("cpu")
    add_hook_to_module(block, AlignDevicesHook(execution_device="cpu"))
    for after in (hf.model.layers[2], hf.model.norm):
        add_hook_to_module(after, AlignDevicesHook(execution_device="cuda:0"))
    assert_same_answers(LanguageModel(hf, whole.tokenizer, "spread"), whole, within=1e-3)


@pytest.mark.gpu
def test_auto_takes_the_card_in_sixteen_bits(saved: Path, whole: LanguageModel) -> None:
    lm = load(saved, device="auto")
    assert (lm.device.type, lm.dtype) == ("cuda", loading._half())
    assert lm.switches_attention
    np.testing.assert_allclose(lm.logprobs(PROMPTS, [" yes"]), whole.logprobs(PROMPTS, [" yes"]), atol=0.2)


@pytest.mark.gpu
@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_a_quantized_model_answers_every_verb(saved: Path, quantization: str) -> None:
    pytest.importorskip("bitsandbytes")
    lm = load(saved, quantization=quantization)
    assert lm.hf.is_quantized
    assert np.isfinite(lm.logprobs(PROMPTS, [" yes", " no"])).all()
    assert np.isfinite(lm.activations(PROMPTS)).all()
    assert np.isfinite(lm.attribute(PROMPTS[1], " yes", method="gradient_x_input").scores).all()
