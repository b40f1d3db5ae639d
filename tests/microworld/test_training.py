"""Training can be left at any step and taken up again, and ends with the very same weights."""

import json

import numpy as np
import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import Corpus, passes, training
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
    cards = [json.loads((folder / "recipe.json").read_text()) for folder in (whole, parts)]
    assert all(card.pop("seconds") >= 0 for card in cards)
    assert cards[0] == cards[1]
    assert cards[0]["trained_on"]
    assert cards[0]["tokens_in_that_time"] == TOKENS


def test_the_time_spent_before_an_interruption_counts(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        training.train("0.1m", tokens=TOKENS, out=tmp_path, on_progress=interrupt_at(3))
    state = tmp_path / "pebble-0.1m/state/state.json"
    saved = json.loads(state.read_text())
    assert saved["seconds"] > 0
    state.write_text(json.dumps(saved | {"seconds": 1000.0}))
    finished = training.train("0.1m", tokens=TOKENS, out=tmp_path)
    assert json.loads((finished / "recipe.json").read_text())["seconds"] >= 1000


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


def test_a_chat_model_goes_on_from_its_base(tmp_path):
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    with pytest.raises(XllmError, match="train that one first"):
        training.Run(training.make_plan("0.1m", "chat", 7), tmp_path / "pebble-0.1m-chat-seed7")
    base = training.train("0.1m", tokens=TOKENS, seed=7, out=tmp_path)
    run = training.Run(training.make_plan("0.1m", "chat", 7, TOKENS), tmp_path / "pebble-0.1m-chat-seed7")
    begun = run.model.state_dict()
    assert all((begun[name].bfloat16() == kept).all() for name, kept in load_file(base / "model.safetensors").items())
    chat = training.train("0.1m", recipe="chat", tokens=TOKENS, seed=7, out=tmp_path)
    assert json.loads((chat / "recipe.json").read_text())["begins_with"] == "base"
    tokenizer = AutoTokenizer.from_pretrained(chat)
    said = [{"role": "user", "content": "Where is Paris?"}, {"role": "assistant", "content": "France"}]
    assert tokenizer.apply_chat_template(said, tokenize=False).endswith("Assistant: France<|endoftext|>")
    assert AutoTokenizer.from_pretrained(base).chat_template is None


def test_only_replies_teach_a_chat_model(tmp_path):
    """Tokens that are not learnable have weight 0: with none learnable there is nothing to learn."""
    training.train("0.1m", tokens=TOKENS, seed=7, out=tmp_path)
    run = training.Run(training.make_plan("0.1m", "chat", 7, TOKENS), tmp_path / "pebble-0.1m-chat-seed7")
    ids = np.arange(training.TOKENS_A_STEP) % 1000
    reply = (ids % 256) == 200
    one = run_gradient(run, ids, reply)
    changed = np.where(np.roll(reply, -1) | reply | (ids % 256 < 200), ids, 5)  # another text behind the reply
    assert np.allclose(one, run_gradient(run, changed, reply), atol=1e-7)
    assert not np.allclose(one, run_gradient(run, ids, np.roll(reply, 1)), atol=1e-7)


def run_gradient(run, ids, learnable):
    """The gradient of the first step's loss at the first layer, without taking the step."""
    kept = {}
    weight = run.model.model.layers[0].mlp.down_proj.weight
    run.optimizer.step = lambda: kept.setdefault("gradient", weight.grad.clone().numpy())
    run.train_step(ids, learnable)
    run.step -= 1
    return kept["gradient"]


def a_batch(model):
    import torch

    tokens = torch.randint(1000, (3, 64), generator=torch.Generator().manual_seed(0)).to(model.device)
    learnable = (tokens[:, 1:] % 5 == 0).flatten()
    weights = torch.where(learnable, 1.0, (tokens[:, 1:].flatten() % 3 == 0) * 0.4)
    return tokens, weights, learnable


def test_what_a_graph_computes_is_the_same_loss():
    """Every token's loss with a mask of our own, against transformers' own loss of each row."""
    import torch

    model = training.build_model(training.make_plan("0.1m", "base", 0))
    tokens, weights, learnable = a_batch(model)
    losses = passes.every_loss(model, tokens, passes.causal_mask(model, 64), torch.arange(64)[None])
    for row, its in zip(tokens, losses.view(3, 63), strict=True):
        assert torch.isclose(its.mean(), model(input_ids=row[None], labels=row[None]).loss, atol=1e-5)
    ((losses * weights).sum() / weights.sum()).backward()
    dense = [p.grad.clone() for p in model.parameters()]
    assert passes.Passes(model)(tokens, weights, learnable) == pytest.approx(losses[learnable].mean().item(), abs=1e-5)
    assert all(torch.allclose(p.grad, grad, atol=1e-6) for p, grad in zip(model.parameters(), dense, strict=True))


@pytest.mark.gpu
def test_a_recorded_pass_leaves_the_gradients_of_a_plain_one():
    import torch

    model = training.build_model(training.make_plan("0.3m", "base", 0)).to("cuda")
    recorded, plain = passes.of(model), passes.Passes(model)
    assert isinstance(recorded, passes.RecordedPasses)
    for width in (64, 32, 64):  # another shape is recorded anew
        tokens, weights, learnable = a_batch(model)
        batch = tokens[:, :width], weights.view(3, 63)[:, : width - 1].flatten(), learnable.view(3, 63)[:, : width - 1]
        batch = batch[0].contiguous(), batch[1], batch[2].flatten()
        loss = plain(*batch)
        expected = [p.grad.clone() for p in model.parameters()]
        for _ in range(2):
            assert recorded(*batch) == pytest.approx(loss, abs=1e-4)
            assert all(torch.allclose(p.grad, e, atol=1e-5) for p, e in zip(model.parameters(), expected, strict=True))


@pytest.mark.gpu
def test_a_gpu_trains_the_model_that_a_cpu_trains(tmp_path):
    from safetensors.torch import load_file

    runs = [training.train("0.1m", tokens=TOKENS, out=tmp_path / name, device=name) for name in ("cpu", "cuda")]
    one, other = (load_file(run / "state/weights.safetensors") for run in runs)
    begun = training.build_model(training.make_plan("0.1m", "base", 0)).state_dict()
    for name in one:
        assert (one[name] - other[name]).norm() < 0.05 * (one[name] - begun[name]).norm()


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


def cycles_of(monkeypatch, first, later):
    monkeypatch.setattr(training, "CYCLES", (first * training.TOKENS_A_STEP, later * training.TOKENS_A_STEP))
    return lambda steps: training.Plan("0.1m", tokens=steps * training.TOKENS_A_STEP)


def test_each_cycle_begins_anew_and_leaves_a_finished_model(monkeypatch):
    plan = cycles_of(monkeypatch, 1000, 500)
    once, twice = plan(1000), plan(1500)
    assert [each.steps for each in (once, twice)] == [1000, 1500]
    assert plan(1700).cycles == ((0, 1000), (1000, 500), (1500, 200))
    for step in range(1000):
        assert training.learning_rate(twice, step) == training.learning_rate(once, step)
        assert twice.window(step) == once.window(step)
    assert training.learning_rate(twice, 999) < 0.06 * once.peak < training.learning_rate(twice, 1250)
    assert training.learning_rate(twice, 1499) < 0.06 * once.peak
    assert (twice.window(1449), twice.window(1450)) == (training.SHORT, training.CONTEXT)


@pytest.mark.parametrize(
    ("longer", "shorter", "is_beginning"),
    [(15, 10, True), (20, 15, True), (17, 15, True), (20, 17, False), (15, 9, False), (10, 10, False), (10, 15, False)],
)
def test_only_whole_cycles_are_a_beginning(longer, shorter, is_beginning, monkeypatch):
    plan = cycles_of(monkeypatch, 10, 5)
    assert plan(longer).carries_on(plan(shorter)) == is_beginning


def test_a_finished_run_is_carried_on_by_another_cycle(tmp_path, monkeypatch):
    cycles_of(monkeypatch, 10, 5)
    longer = TOKENS + TOKENS // 2
    whole = training.train("0.1m", tokens=longer, out=tmp_path / "whole")
    training.train("0.1m", tokens=TOKENS, out=tmp_path / "parts")
    parts = training.train("0.1m", tokens=longer, out=tmp_path / "parts")
    assert same(weights(whole), weights(parts))
    assert json.loads((parts / "recipe.json").read_text())["tokens_seen"] == longer
    with pytest.raises(XllmError, match="holds another run"):
        training.train("0.1m", tokens=TOKENS, out=tmp_path / "parts")


def test_a_bundled_model_is_carried_on_from_its_published_weights(tmp_path, monkeypatch):
    cycles_of(monkeypatch, 10, 5)
    longer = TOKENS + TOKENS // 2
    whole = training.train("0.1m", tokens=longer, out=tmp_path / "whole")
    training.train("0.1m", tokens=TOKENS, out=tmp_path / "bundled")
    monkeypatch.setattr(training, "models_dir", lambda: tmp_path / "bundled")
    steps = []
    parts = training.train("0.1m", tokens=longer, out=tmp_path / "parts", on_progress=lambda p: steps.append(p.step))
    assert steps == list(range(11, 16))
    assert same(weights(whole), weights(parts))
    monkeypatch.setattr(training.Plan, "fingerprint", "of other documents")
    training.train("0.1m", tokens=longer, out=tmp_path / "others", on_progress=lambda p: steps.append(p.step))
    assert 1 in steps  # a model that has read other documents is no beginning of this run


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
    tokens = (training.TOKENS_A_STEP, 100 * TOKENS)
    short, long = (training.estimate_seconds(training.make_plan("0.1m", "base", 0, n)) for n in tokens)
    assert 0 < short < long
    plan = training.make_plan("0.1m", "base", 0, tokens[1])
    assert 0 < training.estimate_seconds(plan, done=plan.steps - 1) < long
    assert training.estimate_seconds(plan, done=plan.steps) == 0
