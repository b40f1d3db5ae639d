"""`load` finds what there is, and says in one sentence why it cannot have the rest."""

import json
import logging
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
import transformers
from safetensors.torch import load_file, save_file

from xllm_widgets.errors import CorruptModel, ModelNotFound, XllmError
from xllm_widgets.models import bundled_models, catalogue, checkpoints, load, loading, recipe


def save(folder: Path, seed: int = 0) -> Path:
    lm = tiny_models.tiny("llama", seed=seed)
    lm.hf.to(torch.bfloat16).save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "damaged"))


@pytest.fixture
def bundle(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder like the bundled one."""
    for name in ("pebble-3m", "pebble-0.3m", "pebble-0.3m-noflip", "pebble-1m"):
        shutil.copytree(saved, tmp_path / name)
    for amount in ("10M", "0.5M", "2M"):
        shutil.copytree(saved, tmp_path / "pebble-1m" / "checkpoints" / amount)
    (tmp_path / "pebble-1m" / "recipe.json").write_text('{"seed": 0}')
    (tmp_path / "notes").mkdir()
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path)
    return tmp_path


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert text.endswith("."), text
    assert "\n" not in text
    assert "Traceback" not in text
    assert error.__suppress_context__ or error.__context__ is None
    return text


def test_a_folder_loads_in_float32_on_the_cpu_and_says_so(saved: Path) -> None:
    lm = load(saved, device="cpu")
    assert (lm.device.type, lm.dtype, lm.name, lm.context_length) == ("cpu", torch.float32, "tiny", 96)
    assert "float32 (stored as bfloat16) on cpu" in lm.describe()
    assert lm.describe() == repr(lm)
    plain = transformers.AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32)
    ids = torch.tensor([lm.tokens("The film was").ids])
    with torch.no_grad():
        assert torch.equal(lm.hf(ids).logits, plain(ids).logits)
    assert lm.sights == {"text", "logprobs", "activations", "gradients"}


def test_dtype_can_be_chosen(saved: Path) -> None:
    lm = load(str(saved), dtype="bfloat16")
    assert lm.dtype == torch.bfloat16
    assert np.isfinite(lm.logprobs("The film", [" was"])).all()
    assert load(saved, dtype=torch.float64).dtype == torch.float64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float33"}, "float33"),
        ({"dtype": "int8"}, "int8"),
        ({"device": "toaster"}, "no device 'toaster'"),
        ({"quantization": "3bit"}, "8bit"),
    ],
)
def test_options_that_do_not_exist(saved: Path, options: dict, words: str) -> None:
    with pytest.raises(XllmError, match=words) as caught:
        load(saved, **options)
    one_sentence(caught.value)


def test_quantization_without_its_package_says_what_to_install(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(XllmError, match="pip install bitsandbytes") as caught:
        load(saved, quantization="8bit")
    one_sentence(caught.value)


def test_bundled_names_come_from_the_disk(bundle: Path) -> None:
    assert bundled_models() == ["pebble-0.3m", "pebble-0.3m-noflip", "pebble-1m", "pebble-3m"]
    assert checkpoints("pebble-1m") == ["0.5M", "2M", "10M"]
    assert checkpoints("pebble-3m") == []
    assert recipe("pebble-1m") == {"seed": 0}
    assert recipe("pebble-3m") is None


def test_bundled_models_and_checkpoints_load(bundle: Path) -> None:
    assert load("pebble-1m").recipe == {"seed": 0}
    assert load("pebble-1m@0.5M").name == "pebble-1m@0.5M"
    with pytest.raises(ModelNotFound, match=r"0\.5M, 2M, 10M") as caught:
        load("pebble-1m@7M")
    one_sentence(caught.value)


@pytest.mark.parametrize("name", ["pebble-3", "peble-3m", "Pebble-3M"])
def test_a_misspelt_bundled_name_is_answered_without_asking_the_hub(
    bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_ask_hub", lambda name: pytest.fail("asked the hub"))
    with pytest.raises(ModelNotFound, match="pebble-3m") as caught:
        load(name)
    listed = one_sentence(caught.value).split(": ")[1]
    assert listed.startswith("pebble-")


@pytest.mark.parametrize("name", ["gpt2", "Qwen/Qwen2.5-0.5B", "no such/place at all", "../nowhere/model", ""])
def test_a_model_out_of_reach_names_the_bundled_ones(bundle: Path, name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"pebble-0\.3m, pebble-0\.3m-noflip, pebble-1m, pebble-3m") as caught:
        load(name)
    one_sentence(caught.value)


def test_of_many_bundled_ones_a_sentence_names_a_few_the_closest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "bundled_models", lambda: [f"pebble-{i}m" for i in range(30)])
    with pytest.raises(ModelNotFound) as caught:
        load("pebble-23")
    listed = one_sentence(caught.value).split(": ")[1]
    assert listed.startswith("pebble-23m, ")
    assert listed.count("pebble-") == 6
    assert listed.endswith(" and 24 more, which `xllm models` lists.")


def test_a_hub_that_does_not_answer(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the hub switched on, a network that refuses ends in the same sentence."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def refuse(self: socket.socket, address: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ModelNotFound, match=r"cannot be reached.*pebble-3m") as caught:
        load("gpt2")
    one_sentence(caught.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("GatedRepoError", "licence"), ("RepositoryNotFoundError", "no public model")],
)
def test_what_the_hub_refuses(bundle: Path, kind: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import errors

    failure = getattr(errors, kind)

    def refuse(*_, **__):
        raise failure.__new__(failure)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    with pytest.raises(ModelNotFound, match=words) as caught:
        load("meta-llama/Llama-3.1-8B")
    assert "pebble-3m" in one_sentence(caught.value)


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _scramble(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 5000)


def _drop_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _reshape_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = torch.ones(7)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _only_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def _half_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _config(text: str):
    return lambda folder: (folder / "config.json").write_text(text)


def _own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModelForCausalLM": "mine.Model", "AutoConfig": "mine.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('this code must never run')")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut, "model.safetensors of damaged is damaged or cut short"),
        (_scramble, "damaged or cut short"),
        (_drop_weight, "1 of the weights of damaged are missing"),
        (_reshape_weight, "wrong shape .model.norm.weight first"),
        (_only_pickle, "no .safetensors file"),
        (_no_tokenizer, "no tokenizer.json"),
        (_half_a_tokenizer, "tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer of damaged cannot be read"),
        (_config("not json"), "cannot be read as a model's configuration"),
        (_config("[1, 2]"), "cannot be read as a model's configuration"),
        (_config('{"model_type": "no-such-thing"}'), "cannot be loaded"),
        (_config('{"model_type": "llama", "hidden_size": "wide"}'), "cannot be loaded"),
        (_own_code, "code of its own, which is never run"),
    ],
)
def test_damage_is_named_in_one_sentence(folder: Path, damage, words: str, capfd: pytest.CaptureFixture) -> None:
    damage(folder)
    with pytest.raises(CorruptModel, match=words) as caught:
        load(folder)
    one_sentence(caught.value)
    assert "%|" not in capfd.readouterr().err


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no config\.json") as caught:
        load(tmp_path)
    one_sentence(caught.value)


@pytest.mark.parametrize("bars", [True, False])
def test_loading_is_silent_and_leaves_transformers_settings_alone(
    saved: Path, bars: bool, capfd: pytest.CaptureFixture
) -> None:
    from transformers.utils import logging as theirs

    level, enabled = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    switch = {True: theirs.enable_progress_bar, False: theirs.disable_progress_bar}
    theirs.set_verbosity(logging.INFO)
    switch[bars]()
    try:
        load(saved)
        assert theirs.get_verbosity() == logging.INFO
        assert theirs.is_progress_bar_enabled() == bars
    finally:
        theirs.set_verbosity(level)
        switch[enabled]()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "it/s" not in captured.err
