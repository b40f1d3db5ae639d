"""Training can be left at any step and taken up again, and ends with the very same weights."""

import json

import numpy as np
import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import Corpus, training
from xllm_widgets.microworld.tokenizer import build

TOKENS = 10 * training.TOKENS_A_STEP


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "state" / "weights.safetensors")


def interrupt_at(step):
    def on_progress(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def same(one, other):
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path):
    whole = training.train("0.1m", tokens=TOKENS, out=tmp_path / "whole")
    for step in (3, 7):
        with pytest.raises(KeyboardInterrupt):
            training.train("0.1m", tokens=TOKENS, out=tmp_path / "parts", on_progress=interrupt_at(step))
    parts = training.train("0.1m", tokens=TOKENS, out=tmp_path / "parts")
    assert same(weights(whole), weights(parts))
    assert json.loads((whole / "recipe.json").read_text()) == json.loads((parts / "recipe.json").read_text())


def test_an_interruption_within_a_step_leaves_the_last_whole_state(tmp_path, monkeypatch):
    whole = training.train("0.1m", tokens=TOKENS, out=tmp_path / "whole")
    real = training.learning_rate

    def tear(plan, step):
        if step == 6:
            raise KeyboardInterrupt
        return real(plan, step)

    monkeypatch.setattr(training, "learning_rate", tear)
    with pytest.raises(KeyboardInterrupt):
        training.train("0.1m", tokens=TOKENS, out=tmp_path / "torn", save_every=4)
    assert json.loads((tmp_path / "torn/pebble-0.1m/state/state.json").read_text())["step"] == 4
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert same(weights(whole), weights(training.train("0.1m", tokens=TOKENS, out=tmp_path / "torn")))


def test_a_finished_model_loads_in_plain_transformers(tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = training.train("0.1m", tokens=TOKENS, out=tmp_path, keep_at=(5 * training.TOKENS_A_STEP,))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model(**tokenizer("Paris", return_tensors="pt")).logits.isfinite().all()
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["0.02048M"]
    card = json.loads((folder / "recipe.json").read_text())
    ids = training.prepare(Corpus(), TOKENS).ids
    assert card["tokens_seen"] == TOKENS
    assert card["documents_seen"] == (ids == 0).sum()


def test_learning_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "WARM_UP", 5)
    losses = []
    training.train(
        "0.1m", tokens=40 * training.TOKENS_A_STEP, out=tmp_path, on_progress=lambda p: losses.append(p.loss)
    )
    assert losses[-1] < losses[0] - 0.5


def test_marks_agree_with_the_obvious_loop():
    encoder = build()
    for document in Corpus().read(0, 60):
        offsets = encoder.encode(document.text).offsets
        obvious = [any(a < end and b > start for start, end in document.learnable) for a, b in offsets]
        assert training.mark(np.array(offsets), document.learnable).tolist() == obvious


def test_the_stream_is_the_documents_one_after_another():
    encoded = training.encode(Corpus(), 5000)
    encoder = build()
    expected = [token for d in Corpus().read(0, 60) for token in encoder.encode(d.text).ids][:5000]
    assert encoded.ids.tolist() == expected
    assert len(encoded.learnable) == 5000
    assert (encoded.ids[encoded.starts[encoded.starts < 5000]] == 0).all()
    assert encoded.documents(5000) == (encoded.ids == 0).sum()


def test_long_windows_come_last():
    plan = training.make_plan("0.1m", "base", 0, TOKENS)
    assert [plan.window(step) for step in range(plan.steps)] == [256] * 9 + [512]


def test_refusals_in_one_sentence(tmp_path):
    with pytest.raises(XllmError, match="no size '9m'"):
        training.train("9m", out=tmp_path)
    with pytest.raises(XllmError, match="no recipe 'x'"):
        training.train("0.1m", recipe="x", out=tmp_path)
    training.train("0.1m", tokens=TOKENS, out=tmp_path)
    with pytest.raises(XllmError, match="holds another run"):
        training.train("0.1m", tokens=2 * TOKENS, out=tmp_path)
    state = tmp_path / "pebble-0.1m/state/weights.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(XllmError, match="damaged"):
        training.train("0.1m", tokens=TOKENS, out=tmp_path)


def test_a_run_says_how_long_it_will_take():
    short, long = (training.estimate_seconds(training.make_plan("0.1m", "base", 0, n * TOKENS)) for n in (1, 100))
    assert 0 < short < long
