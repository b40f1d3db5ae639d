"""The five methods do what their formulas say: checked against plain loops and against captum."""

import numpy as np
import pytest
import tiny_models
import torch

from xllm_widgets.errors import PromptError, XllmError
from xllm_widgets.methods import ablation, estimates, paths
from xllm_widgets.methods.ablation import Variation, values_of
from xllm_widgets.methods.attribution import (
    METHODS,
    attribute,
    completeness_error,
    estimate_seconds,
    gauss_legendre,
)
from xllm_widgets.methods.targets import Objective
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.errors import Interrupted
from xllm_widgets.models.language_model import LanguageModel

PROMPT = "Review: The film was bright and moving.\nSentiment:"
PAIR = (" positive", " negative")
LONG = " really bright"


def parts(lm: LanguageModel):
    """ids, embeddings (1, tokens, width), mean embedding (width,), and f = the pair's log-probability difference."""
    ids = torch.tensor([lm.reader.ids(PROMPT)])
    a, b = (lm.reader.continuation(PROMPT, text)[0] for text in PAIR)
    with torch.no_grad():
        x = lm.hf.get_input_embeddings()(ids)
        mean = lm.hf.get_input_embeddings()(torch.arange(len(lm.tokenizer))).mean(0)

    def f(embeddings: torch.Tensor) -> torch.Tensor:
        logp = lm.hf(inputs_embeds=embeddings).logits[:, -1].log_softmax(-1)
        return logp[:, a] - logp[:, b]

    return ids, x, mean, f


def test_occlusion_is_the_plain_loop(any_lm: LanguageModel) -> None:
    _, x, mean, f = parts(any_lm)
    with torch.no_grad():
        whole, expected = f(x), []
        for i in range(x.shape[1]):
            changed = x.clone()
            changed[0, i] = mean
            expected.append(float(whole - f(changed)))
    got = any_lm.attribute(PROMPT, PAIR, "occlusion")
    np.testing.assert_allclose(got.scores[0], expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(got.values, whole, atol=1e-5)


def test_occlusion_is_the_same_without_shared_prefixes(any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [PAIR, LONG, (LONG, " dull slow"), " no"]
    shared = any_lm.attribute(PROMPT, targets, "occlusion").scores
    monkeypatch.setattr(any_lm, "shares_prefixes", False)
    np.testing.assert_allclose(any_lm.attribute(PROMPT, targets, "occlusion").scores, shared, atol=2e-5, rtol=1e-4)


def test_occlusion_on_a_model_without_a_cache() -> None:
    scores = tiny_models.tiny("mamba").attribute(PROMPT, PAIR, "occlusion").scores
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() > 0


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_the_size_of_batches_does_not_matter(lm: LanguageModel, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = lm.attribute(PROMPT, PAIR, "occlusion").scores
    monkeypatch.setattr(ablation, "token_budget", lambda device: budget)
    np.testing.assert_allclose(lm.attribute(PROMPT, PAIR, "occlusion").scores, expected, atol=1e-5)


def test_variations_anywhere_in_the_prompt(lm: LanguageModel) -> None:
    """Several positions at once, in any order, as deletion curves need them."""
    objective = Objective(lm, PROMPT, [PAIR, LONG])
    _, x, mean, _ = parts(lm)
    sets = [[9, 3], [0], [2, 5, 11], [11], [1, 2]]
    got = values_of(objective, x, [Variation(s, mean.expand(len(s), -1)) for s in sets])
    for positions, row in zip(sets, got, strict=True):
        changed = x.clone()
        changed[0, positions] = mean
        with torch.no_grad():
            np.testing.assert_allclose(row, objective.value(changed)[0], atol=1e-5)


def test_resampling_is_the_plain_loop(lm: LanguageModel) -> None:
    ids, x, _, f = parts(lm)
    rng = np.random.default_rng(7)
    ordinary = [i for i in range(len(lm.tokenizer)) if i not in lm.tokenizer.all_special_ids]
    expected = []
    with torch.no_grad():
        whole = f(x)
        for i in range(ids.shape[1]):
            drops = []
            for _ in range(3):
                changed = ids.clone()
                changed[0, i] = int(rng.choice(ordinary, 1)[0])
                drops.append(float(whole - f(lm.hf.get_input_embeddings()(changed))))
            expected.append(np.mean(drops))
    got = lm.attribute(PROMPT, PAIR, "resampling_ablation", n_replacements=3, seed=7)
    np.testing.assert_allclose(got.scores[0], expected, atol=1e-5)


def test_gradients_agree_with_captum(any_lm: LanguageModel) -> None:
    attr = pytest.importorskip("captum.attr")
    _, x, mean, f = parts(any_lm)
    times_input = attr.InputXGradient(f).attribute(x.clone().requires_grad_()).sum(-1)[0].detach().numpy()
    norm = attr.Saliency(f).attribute(x.clone().requires_grad_(), abs=False).norm(dim=-1)[0].detach().numpy()
    path = attr.IntegratedGradients(f, multiply_by_inputs=True).attribute(
        x.clone(), baselines=mean.expand_as(x), n_steps=20, method="gausslegendre"
    )
    for method, expected in (
        ("gradient_x_input", times_input),
        ("gradient_norm", norm),
        ("integrated_gradients", path.sum(-1)[0].detach().numpy()),
    ):
        got = any_lm.attribute(
            PROMPT, PAIR, method, **({"steps": 20} if method.startswith("integrated") else {})
        ).scores[0]
        assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max(), method


def test_a_zero_baseline_agrees_with_captum_too(lm: LanguageModel) -> None:
    attr = pytest.importorskip("captum.attr")
    _, x, _, f = parts(lm)
    path = attr.IntegratedGradients(f).attribute(x.clone(), n_steps=12, method="gausslegendre").sum(-1)[0].detach()
    got = lm.attribute(PROMPT, PAIR, baseline="zero", steps=12).scores[0]
    assert np.abs(got - path.numpy()).max() <= 1e-4 * np.abs(path.numpy()).max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("any_lm", ["gpt2", "llama", "gemma2"], indirect=True)
def test_targets_are_differences_and_lists_of_continuations(any_lm: LanguageModel, method: str) -> None:
    """Of one token or of several, alone or together: the same numbers."""
    targets = [" positive", " negative", PAIR, LONG, (LONG, " dull")]
    together = any_lm.attribute(PROMPT, targets, method)
    assert together.scores.shape == (5, len(any_lm.tokens(PROMPT)))
    for row, target in zip(together.scores, targets, strict=True):
        alone = any_lm.attribute(PROMPT, target, method).scores[0]
        assert np.abs(row - alone).max() <= 1e-4 * max(1, np.abs(alone).max())
    values = any_lm.logprobs(PROMPT, [" positive", " negative", LONG, " dull"])[0]
    np.testing.assert_allclose(
        together.values, [values[0], values[1], values[0] - values[1], values[2], values[2] - values[3]], atol=1e-4
    )
    if method != "gradient_norm":
        np.testing.assert_allclose(together.scores[0] - together.scores[1], together.scores[2], atol=2e-3)


def test_integrated_gradients_add_up(lm: LanguageModel) -> None:
    errors = [lm.attribute(PROMPT, PAIR, steps=n).completeness_error for n in (2, 200)]
    assert errors[1] < 0.01 < errors[0]
    rough, fine = (lm.attribute(PROMPT, PAIR, steps=n).describe() for n in (2, 200))
    assert "do not read this picture" in rough
    assert "add up to the change they explain." in fine
    assert lm.attribute(PROMPT, PAIR, "occlusion").completeness_error is None


def test_steps_are_doubled_until_the_scores_add_up(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "FEWEST_STEPS", 2)
    assert (
        lm.attribute(PROMPT, PAIR, steps=2).completeness_error > 0.05 >= lm.attribute(PROMPT, PAIR).completeness_error
    )
    monkeypatch.setattr(paths, "MOST_STEPS", 2)
    assert lm.attribute(PROMPT, PAIR).completeness_error == lm.attribute(PROMPT, PAIR, steps=2).completeness_error


def test_plain_functions_on_arrays() -> None:
    nodes, weights = gauss_legendre(3)
    assert (weights * nodes**5).sum() == pytest.approx(1 / 6)
    assert completeness_error(np.array([[1.0, 2.0], [1.0, 1.0]]), np.array([4.0, 3.0]), np.array([1.0, 1.0])) == 0
    assert completeness_error(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([4.0, 3.0]), np.array([1.0, 1.0])) == 0.5


@pytest.mark.parametrize("method", METHODS)
def test_groups_are_scored_as_wholes(lm: LanguageModel, method: str) -> None:
    groups = [(1, 4), (6, 7)]
    grouped, single = lm.attribute(PROMPT, PAIR, method, groups=groups), lm.attribute(PROMPT, PAIR, method)
    assert grouped.group_scores.shape == (1, 2)
    assert grouped.scores.shape == single.scores.shape
    np.testing.assert_allclose(grouped.scores[0, 1:4], grouped.group_scores[0, 0] / 3, atol=1e-9)
    assert grouped.scores[0, [0, 4, 5, 7]].tolist() == [0, 0, 0, 0]
    if method.startswith(("gradient", "integrated")):
        np.testing.assert_allclose(
            grouped.group_scores[0], [single.scores[0, 1:4].sum(), single.scores[0, 6]], atol=1e-6
        )
    if method == "occlusion":
        _, x, mean, f = parts(lm)
        changed = x.clone()
        changed[0, 1:4] = mean
        with torch.no_grad():
            assert grouped.group_scores[0, 0] == pytest.approx(float(f(x) - f(changed)), abs=1e-5)
        assert grouped.group_scores[0, 1] == pytest.approx(single.scores[0, 6], abs=1e-5)


def test_edits_are_attributed_too(lm: LanguageModel) -> None:
    vector = np.random.default_rng(0).normal(size=32)
    with lm.edit(Steer(vector, 2, 3.0, positions=-1)):
        edited = lm.attribute(PROMPT, PAIR, "occlusion")
        lm.shares_prefixes = False
        try:
            np.testing.assert_allclose(lm.attribute(PROMPT, PAIR, "occlusion").scores, edited.scores, atol=1e-5)
        finally:
            lm.shares_prefixes = True
    assert np.abs(edited.scores - lm.attribute(PROMPT, PAIR, "occlusion").scores).max() > 0.01


@pytest.mark.parametrize("method", ["occlusion", "resampling_ablation", "integrated_gradients"])
def test_progress_is_told_and_stale_work_stops(lm: LanguageModel, method: str) -> None:
    seen: list[float] = []
    lm.attribute(PROMPT, PAIR, method, progress=seen.append, steps=32)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    with pytest.raises(Interrupted):
        lm.attribute(PROMPT, PAIR, method, should_stop=lambda: True)


@pytest.mark.parametrize(("most", "tolerated", "ends_early"), [(16, np.inf, True), (16, -1.0, False), (2, -1.0, False)])
def test_progress_goes_on_where_steps_are_doubled(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch, most: int, tolerated: float, ends_early: bool
) -> None:
    monkeypatch.setattr(paths, "FEWEST_STEPS", 2)
    monkeypatch.setattr(paths, "MOST_STEPS", most)
    monkeypatch.setattr(paths, "TOLERATED_ERROR", tolerated)
    monkeypatch.setattr(paths.Gradients, "rows", lambda self, tokens: 1)
    seen: list[float] = []
    lm.attribute(PROMPT, PAIR, progress=seen.append)
    assert seen == sorted(set(seen))
    assert seen[-1] == 1
    assert (len(seen) < paths.nodes_at_most(None)) == ends_early


def test_progress_does_not_go_back_where_memory_runs_out(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that fails in its last backward pass has told of the others, and is done again in halves."""
    really = paths.Gradients.at

    def at(self, x, along, done):
        if len(x) > 1:
            done(0.9)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return really(self, x, along, done)

    monkeypatch.setattr(paths.Gradients, "at", at)
    seen: list[float] = []
    with pytest.warns(RuntimeWarning, match="smaller batches"):
        lm.attribute(PROMPT, PAIR, steps=9, progress=seen.append)
    assert seen == sorted(set(seen))
    assert seen[-1] == 1


def test_weights_and_their_gradients_are_left_alone(lm: LanguageModel) -> None:
    lm.attribute(PROMPT, PAIR)
    assert all(p.grad is None and p.requires_grad for p in lm.hf.parameters())


@pytest.mark.parametrize(
    ("target", "method", "options", "error", "words"),
    [
        (PAIR, "magic", {}, XllmError, "choose one of occlusion"),
        ("", "occlusion", {}, PromptError, "empty"),
        ([], "occlusion", {}, PromptError, "at least one target"),
        (("a", "b", "c"), "occlusion", {}, PromptError, "a pair of two"),
        ([" a", (" b", 3)], "occlusion", {}, PromptError, r"a pair of two, not \(' b', 3\)"),
        ((" a", " a"), "occlusion", {}, PromptError, "with itself is nothing"),
        ([" a", 3], "occlusion", {}, PromptError, "a pair of two, not 3"),
        (PAIR, "occlusion", {"groups": [(3, 3)]}, PromptError, "no range"),
        (PAIR, "occlusion", {"groups": [(0, 900)]}, PromptError, "no range"),
        (PAIR, "occlusion", {"groups": [(0, 1, 2)]}, PromptError, "no range"),
        (PAIR, "occlusion", {"groups": [3]}, PromptError, "no range"),
        (PAIR, "occlusion", {"groups": []}, PromptError, "at least one group"),
        (PAIR, "integrated_gradients", {"baseline": "median"}, XllmError, "no baseline"),
        (PAIR, "integrated_gradients", {"baseline": np.zeros(3)}, XllmError, "shape"),
        (PAIR, "integrated_gradients", {"steps": 0}, XllmError, "steps"),
        (PAIR, "resampling_ablation", {"n_replacements": 0}, XllmError, "n_replacements"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(lm, target, method, options, error, words) -> None:
    with pytest.raises(error, match=words) as caught:
        attribute(lm, PROMPT, target, method, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_the_last_token_of_a_target_needs_no_room(lm: LanguageModel, method: str) -> None:
    """What `logprobs` can score can be explained: to the last token of the context, and no further."""
    prompt = PROMPT + " yes" * (lm.context_length - len(lm.tokens(PROMPT)))
    assert len(lm.tokens(prompt)) == lm.context_length
    got = lm.attribute(prompt, " no", method, steps=2, n_replacements=1)
    np.testing.assert_allclose(got.values, lm.logprobs(prompt, [" no"])[0], atol=1e-4)
    with pytest.raises(PromptError, match="shorten it by 1"):
        lm.attribute(prompt, " no yes", method)


def test_estimates_follow_the_work(lm: LanguageModel) -> None:
    few, many = (estimate_seconds(lm, PROMPT, "resampling_ablation", n_replacements=n) for n in (1, 50))
    assert 0 < few < many
    assert estimate_seconds(lm, PROMPT, "occlusion", groups=[(20, 21)]) < estimate_seconds(
        lm, PROMPT, "integrated_gradients"
    )


def test_what_will_be_long_says_so_before_it_starts(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimates, "seconds_per_token", lambda lm: 0.5)
    lm.attribute(PROMPT, " yes", "occlusion")
    assert capsys.readouterr().err == ""  # too little work for it to matter how slow a machine is
    monkeypatch.setattr(estimates, "SURELY_SHORT", 0)
    lm.attribute(PROMPT, " yes", "occlusion")
    seconds = estimate_seconds(lm, PROMPT, "occlusion", target=" yes")
    assert capsys.readouterr().err == f"occlusion: about {seconds:.0f} s here; an interrupt stops it.\n"
    lm.attribute(PROMPT, " yes", "occlusion", progress=lambda share: None)
    assert capsys.readouterr().err == ""  # who is shown the progress needs no other words
    monkeypatch.setattr(estimates, "seconds_per_token", lambda lm: 1e-6)
    lm.attribute(PROMPT, " yes", "occlusion")
    assert capsys.readouterr().err == ""


def test_estimates_of_a_path_tell_how_long_it_may_become(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xllm_widgets.methods.estimates.seconds_per_token", lambda lm: 1.0)
    least, most = (estimate_seconds(lm, PROMPT, most=most) for most in (False, True))
    assert most == least / 32 * 480
    assert estimate_seconds(lm, PROMPT, steps=7, most=True) == estimate_seconds(lm, PROMPT, steps=7)
    assert estimate_seconds(lm, PROMPT, "occlusion", most=True) == estimate_seconds(lm, PROMPT, "occlusion")
