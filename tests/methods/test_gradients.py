"""All targets from one forward pass: the numbers of the plain loop, with the passes one should need."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.methods import gradients, paths
from xllm_widgets.methods.attribution import METHODS, estimate_seconds
from xllm_widgets.methods.gradients import Gradients
from xllm_widgets.methods.stepwise import StepwiseOcclusion
from xllm_widgets.methods.targets import Objective
from xllm_widgets.models.counting import counted
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.errors import Interrupted, OutOfMemory
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.passes import embed

PROMPT = "Review: The film was bright.\nSentiment:"
ANSWER = " really dull and slow"


def plain(lm: LanguageModel, prompt: str, answer: str) -> tuple[np.ndarray, np.ndarray]:
    """log p of each token, and gradient × input of the prompt: a forward and a backward pass for each, nothing shared.

    Under edits counted from the prompt's end the model has to be told where that is.
    """
    ids = lm.reader.ids(prompt)
    tokens = lm.reader.continuation(prompt, answer)
    values, rows = [], []
    for i, token in enumerate(tokens):
        x = embed(lm, [*ids, *tokens[:i]])[None].requires_grad_()
        lm.running.prompt_lengths = [len(ids)]
        logp = lm.hf(inputs_embeds=x, use_cache=False).logits[0, -1].log_softmax(-1)[token]
        lm.running.prompt_lengths = None
        rows.append((torch.autograd.grad(logp, x)[0] * x).sum(-1)[0, : len(ids)].detach().numpy())
        values.append(float(logp.detach()))
    return np.array(values), np.array(rows)


def close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * max(1, np.abs(expected).max()))


def test_each_token_is_the_plain_loop(any_lm: LanguageModel) -> None:
    got = any_lm.attribute(PROMPT, ANSWER, "gradient_x_input", each_token=True)
    values, scores = plain(any_lm, PROMPT, ANSWER)
    close(got.values, values)
    close(got.scores, scores)
    assert len(got.targets) == len(scores) >= 4


def test_and_under_edits(any_lm: LanguageModel) -> None:
    vector = np.random.default_rng(0).normal(size=any_lm.width)
    edits = [Steer(vector, layer, 1.0, where) for layer, where in ((0, -2), (1, "all"), (any_lm.n_layers, [-1, 3]))]
    with any_lm.edit(*edits):
        got = any_lm.attribute(PROMPT, ANSWER, "gradient_x_input", each_token=True)
        close(got.scores, plain(any_lm, PROMPT, ANSWER)[1])
    assert np.abs(got.scores - plain(any_lm, PROMPT, ANSWER)[1]).max() > 0.01


@settings(max_examples=12, deadline=None)
@given(
    prompt=st.lists(st.sampled_from(["The", " film", " was", " bright", ":", "\n", " 世"]), min_size=1, max_size=7),
    answer=st.lists(st.sampled_from([" dull", " yes", " slow", ".", " no"]), min_size=1, max_size=5),
    budget=st.sampled_from([1, 30, 5000]),
)
def test_any_text_and_any_budget(prompt: list[str], answer: list[str], budget: int) -> None:
    lm = _shared()
    text, after = "".join(prompt), "".join(answer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradients, "token_budget", lambda device: budget)
        got = lm.attribute(text, after, "gradient_x_input", each_token=True)
    close(got.scores, plain(lm, text, after)[1])


def _shared(made: list = []) -> LanguageModel:  # noqa: B006 (made once)
    import tiny_models

    if not made:
        made.append(tiny_models.tiny("llama"))
    return made[0]


@pytest.mark.parametrize("any_lm", ["gpt2", "llama", "gemma2"], indirect=True)
@pytest.mark.parametrize("method", METHODS)
def test_the_tokens_add_up_to_the_whole(any_lm: LanguageModel, method: str) -> None:
    each = any_lm.attribute(PROMPT, [ANSWER, " no"], method, each_token=True, steps=4)
    whole = any_lm.attribute(PROMPT, [ANSWER, " no"], method, steps=4)
    n = len(each.targets) - 1
    close(each.values[:n].sum(), whole.values[0])
    close(each.scores[n], whole.scores[1])
    if method != "gradient_norm":
        np.testing.assert_allclose(each.scores[:n].sum(0), whole.scores[0], atol=1e-4 * np.abs(whole.scores).max())


def test_each_token_of_sixteen_is_one_pass_forward_and_few_back(lm: LanguageModel, backwards: list[int]) -> None:
    with counted(lm) as work:
        each = lm.attribute("The film", ANSWER * 4, "gradient_x_input", each_token=True)
    assert work.passes == 1
    assert sum(backwards) == len(each.targets) >= 16
    assert len(backwards) <= 2
    backwards.clear()
    with counted(lm) as work:
        lm.attribute("The film", ANSWER * 4, "gradient_x_input")
    assert (work.passes, backwards) == (1, [1])


def test_nodes_share_a_pass_as_far_as_memory_allows(
    lm: LanguageModel, backwards: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = Objective(lm, PROMPT, " positive")
    probe = Gradients(objective)
    probe.at(embed(lm, objective.tokens.ids)[None])
    results = []
    for nodes in (1, 4):
        monkeypatch.setattr(gradients, "GRAPH_BYTES", nodes * probe.graph_bytes)
        with counted(lm) as work:
            results.append(lm.attribute(PROMPT, " positive", steps=9).scores)
        assert work.passes == 1 + 1 + 8 // nodes  # both ends; the first node alone; the others
    close(*results)
    assert probe.rows(10**9) == 1


def test_a_graph_costs_about_as_much_for_each_row(lm: LanguageModel) -> None:
    objective = Objective(lm, PROMPT, " positive")
    x = embed(lm, objective.tokens.ids)[None]
    sizes = []
    for rows in (1, 6):
        found = Gradients(objective)
        found.at(x.expand(rows, -1, -1))
        sizes.append(found.graph_bytes)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)
    assert sizes[0] > 4 * x.nbytes * lm.n_layers


@pytest.mark.parametrize("any_lm", ["llama", "gemma2"], indirect=True)
def test_a_kernel_that_vmap_refuses_is_walked_back_target_by_target(
    any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = any_lm.attribute(PROMPT, ANSWER, "gradient_x_input", each_token=True).scores
    really, tried = torch.autograd.grad, []

    def refusing(*args, is_grads_batched: bool = False, **words):
        tried.append(is_grads_batched)
        if is_grads_batched:
            raise RuntimeError("Batching rule not implemented for aten::some_attention")
        return really(*args, **words)

    monkeypatch.setattr(torch.autograd, "grad", refusing)
    try:
        for _ in range(2):
            close(any_lm.attribute(PROMPT, ANSWER, "gradient_x_input", each_token=True).scores, expected)
        assert tried.count(True) == 1
    finally:
        gradients._one_by_one.discard(any_lm)


def test_when_memory_runs_out_batches_are_halved(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lm.attribute(PROMPT, ANSWER, each_token=True, steps=6).scores
    share, backward = Objective.share, gradients._backward

    def few_rows(self: Objective, x: torch.Tensor, *rest):
        if x.shape[0] > 2 and x.requires_grad:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return share(self, x, *rest)

    def few_targets(lm, totals, x, batch, retain):
        if len(batch) > 1 or x.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return backward(lm, totals, x, batch, retain)

    monkeypatch.setattr(Objective, "share", few_rows)
    monkeypatch.setattr(gradients, "_backward", few_targets)
    with pytest.warns(RuntimeWarning, match="smaller batches"):
        close(lm.attribute(PROMPT, ANSWER, each_token=True, steps=6).scores, expected)
    monkeypatch.setattr(gradients, "_backward", lambda *_, **__: few_rows(None, torch.ones(9, requires_grad=True)))
    with pytest.raises(OutOfMemory):
        lm.attribute(PROMPT, ANSWER, steps=6)
    assert all(p.requires_grad for p in lm.hf.parameters())


@pytest.mark.filterwarnings("ignore:Memory ran out")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("each_token", [True, False])
def test_a_row_that_does_not_fit_is_said_in_our_own_words(
    lm: LanguageModel, method: str, each_token: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args, **words):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(lm.hf, "forward", full)
    with pytest.raises(OutOfMemory, match="shorter prompt or a smaller model"):
        lm.attribute(PROMPT, ANSWER, method, each_token=each_token)
    with pytest.raises(OutOfMemory, match="shorter prompt or a smaller model"):
        StepwiseOcclusion(lm, PROMPT, ANSWER)
    assert all(p.requires_grad for p in lm.hf.parameters())


def test_the_ends_of_a_path_go_one_by_one_where_two_do_not_fit(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lm.attribute(PROMPT, ANSWER, steps=3)
    value = Objective.value

    def one_row(self: Objective, x: torch.Tensor, *rest):
        if x.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return value(self, x, *rest)

    monkeypatch.setattr(Objective, "value", one_row)
    with pytest.warns(RuntimeWarning, match="smaller batches"):
        got = lm.attribute(PROMPT, ANSWER, steps=3)
    close(got.scores, expected.scores)
    close(got.values, expected.values)


def test_other_errors_are_left_as_they_are(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args, **words):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(lm.hf, "forward", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        lm.attribute(PROMPT, ANSWER, "gradient_x_input")


def test_captum_agrees_token_by_token(any_lm: LanguageModel) -> None:
    attr = pytest.importorskip("captum.attr")
    objective = Objective(any_lm, PROMPT, ANSWER, each_token=True)
    x = embed(any_lm, objective.tokens.ids)[None]
    after = embed(any_lm, any_lm.reader.continuation(PROMPT, ANSWER))[None]
    baseline = torch.full_like(x, 0.01)
    got = any_lm.attribute(PROMPT, ANSWER, each_token=True, steps=8, baseline=baseline[0].numpy()).scores
    for i in (0, len(got) - 1):
        token = any_lm.reader.continuation(PROMPT, ANSWER)[i]

        def f(prompt: torch.Tensor, i: int = i, token: int = token) -> torch.Tensor:
            whole = torch.cat([prompt, after[:, :i].expand(len(prompt), -1, -1)], 1)
            return any_lm.hf(inputs_embeds=whole, use_cache=False).logits[:, -1].log_softmax(-1)[:, token]

        found = attr.IntegratedGradients(f).attribute(x, baselines=baseline, n_steps=8, method="gausslegendre")
        close(got[i], found.sum(-1)[0].detach().numpy())


@pytest.mark.parametrize("method", ["gradient_x_input", "integrated_gradients"])
def test_progress_and_stopping_between_targets(lm: LanguageModel, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "token_budget", lambda device: 1)
    seen: list[float] = []
    each = lm.attribute(PROMPT, ANSWER, method, each_token=True, steps=3, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert len(seen) == len(each.targets) * (3 if method.startswith("integrated") else 1)
    with pytest.raises(Interrupted):
        lm.attribute(PROMPT, ANSWER, method, each_token=True, should_stop=lambda: len(seen) > 0)
    seen.clear()
    with pytest.raises(Interrupted):
        lm.attribute(PROMPT, ANSWER, method, each_token=True, progress=seen.append, should_stop=lambda: len(seen) > 1)
    assert len(seen) == 2


def test_a_difference_has_no_single_tokens(lm: LanguageModel) -> None:
    with pytest.raises(PromptError, match="give continuations"):
        lm.attribute(PROMPT, (" yes", " no"), each_token=True)


def test_estimates_know_what_each_token_costs(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xllm_widgets.methods.estimates.seconds_per_token", lambda lm: 1.0)
    whole, each = (
        estimate_seconds(lm, PROMPT, "gradient_x_input", target=ANSWER, each_token=each) for each in (False, True)
    )
    assert 2 < each / whole < len(lm.reader.continuation(PROMPT, ANSWER))
    steps = [estimate_seconds(lm, PROMPT, target=ANSWER, steps=n) for n in (1, paths.FEWEST_STEPS)]
    assert steps[1] == paths.FEWEST_STEPS * steps[0] == estimate_seconds(lm, PROMPT, target=ANSWER)
    assert whole == steps[0]


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many targets each backward pass walked back from."""
    sizes: list[int] = []
    really = gradients._backward

    def noting(lm, totals, x, batch, retain):
        sizes.append(len(batch))
        return really(lm, totals, x, batch, retain)

    monkeypatch.setattr(gradients, "_backward", noting)
    return sizes
