"""Whatever is shared, the answers are those of a plain loop over the plain model, and nothing is computed twice."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from xllm_widgets.models import batching, sampling, scoring, sharing
from xllm_widgets.models.counting import counted
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.merging import attend, merge, plainly
from xllm_widgets.models.planning import Means
from xllm_widgets.models.structure import after_block, before_block

FEW_SHOTS = "Review: The film was really bright and moving.\nSentiment: positive\n"
LABELS = [" positive", " negative", " really dull"]
FAMILIES = ["llama", "gpt2", "opt", "gemma2", "mistral", "mamba"]
_made: dict[str, LanguageModel] = {}


def model(family: str) -> LanguageModel:
    if family not in _made:
        _made[family] = tiny_models.tiny(family)
    return _made[family]


@contextlib.contextmanager
def by_hand(lm: LanguageModel, edits: list[Steer], prompt: int) -> Iterator[None]:
    """The same edits as plain hooks, for one row with a prompt of that many tokens, run from its first token on."""

    def push(edit: Steer):
        def change(hidden: torch.Tensor) -> torch.Tensor:
            hidden = hidden.clone()
            given = range(hidden.shape[1]) if edit.positions == "all" else np.atleast_1d(edit.positions)
            for p in {int(p) + prompt if p < 0 else int(p) for p in given}:
                if 0 <= p < hidden.shape[1]:
                    hidden[:, p] += edit.strength * torch.as_tensor(edit.vector)
            return hidden

        return change

    blocks = lm.structure.blocks
    handles = [
        before_block(blocks[0], push(edit)) if edit.layers == 0 else after_block(blocks[edit.layers - 1], push(edit))
        for edit in edits
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def loop(lm: LanguageModel, prompts: list[str], continuations: list[str], edits: list[Steer]) -> np.ndarray:
    """One forward pass of the plain model for each pair."""
    out = np.zeros((len(prompts), len(continuations)))
    for (i, j), _ in np.ndenumerate(out):
        before, after = lm.reader.ids(prompts[i]), lm.reader.continuation(prompts[i], continuations[j])
        with torch.no_grad(), by_hand(lm, edits, len(before)):
            logp = lm.hf(torch.tensor([before + after]), use_cache=False).logits.double().log_softmax(-1)[0]
        out[i, j] = sum(float(logp[len(before) - 1 + n, token]) for n, token in enumerate(after))
    return out


def likeliest(lm: LanguageModel, prompt: str, n: int, edits: list[Steer]) -> list[int]:
    """Greedy ids, each from a forward pass over everything before it."""
    ids = lm.reader.ids(prompt)
    row = list(ids)
    for _ in range(n):
        with torch.no_grad(), by_hand(lm, edits, len(ids)):
            row.append(int(lm.hf(torch.tensor([row]), use_cache=False).logits[0, -1].argmax()))
        if row[-1] == lm.tokenizer.eos_token_id:
            return row[len(ids) : -1]
    return row[len(ids) :]


@st.composite
def prompt_sets(draw: st.DrawFn) -> list[str]:
    """Prompts that begin alike, begin each other, or are the same."""
    pieces = st.sampled_from([" The", " film", " was", " dull", "\n", "Review:", " 12"])
    stem = FEW_SHOTS[: draw(st.integers(1, len(FEW_SHOTS)))]
    tails = draw(st.lists(st.lists(pieces, max_size=5).map("".join), min_size=1, max_size=3))
    return [stem + tail for tail in tails] + draw(st.sampled_from([[], ["no"], [stem]]))


@st.composite
def steers(draw: st.DrawFn) -> Steer:
    vector = np.random.default_rng(draw(st.integers(0, 99))).normal(size=32).astype(np.float32)
    positions = draw(st.just("all") | st.integers(-6, 9) | st.lists(st.integers(-6, 9), min_size=1, max_size=3))
    return Steer(vector, draw(st.integers(0, 3)), draw(st.sampled_from([0.5, -2.0])), positions)


@st.composite
def habits(draw: st.DrawFn) -> contextlib.ExitStack:
    """Short rows, small batches and cheap passes, so that small texts go through everything that large ones do."""
    row, gain, budget = draw(st.sampled_from([1, 12, 256])), draw(st.integers(0, 20)), draw(st.sampled_from([8, 64]))
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(Means, "of", lambda _, packs: Means(packs, row, gain)))
    for module in (batching, scoring, sampling):
        stack.enter_context(mock.patch.object(module, "token_budget", return_value=budget))
    return stack


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_nothing_computed_under_one_edit_is_used_under_another(family: str, data: st.DataObject) -> None:
    """Asked before, inside, deeper inside and after random edits, about random prompts."""
    lm, edits = model(family), data.draw(st.lists(steers(), min_size=1, max_size=2))
    prompts, labels = data.draw(prompt_sets()), data.draw(st.lists(st.sampled_from(LABELS), min_size=1, unique=True))

    def expected(active: list[Steer]) -> tuple[np.ndarray, list[list[int]]]:
        return loop(lm, prompts, labels, active), [likeliest(lm, prompt, 3, active) for prompt in prompts[:2]]

    def ask(answer: tuple[np.ndarray, list[list[int]]]) -> None:
        slack = 1e-3 if family == "mamba" else 1e-5  # whose float32 scan depends that much on the width of a batch
        np.testing.assert_allclose(lm.logprobs(prompts, labels), answer[0], atol=slack, rtol=1e-5)
        written = lm.generate(prompts[:2], n=1, max_new_tokens=3, temperature=0)
        assert [row[0].ids for row in written] == answer[1]

    answers = [expected(edits[:deep]) for deep in range(len(edits) + 1)]
    with data.draw(habits()):
        ask(answers[0])
        with contextlib.ExitStack() as nest:
            for edit, answer in zip(edits, answers[1:], strict=True):
                nest.enter_context(lm.edit(edit))
                ask(answer)
        ask(answers[0])


def test_many_queries_behind_one_prompt(any_lm: LanguageModel) -> None:
    prompts = [f"{FEW_SHOTS}Review: {'dull ' * (i % 4)}{i}\nSentiment:" for i in range(9)]
    expected = loop(any_lm, prompts, LABELS, [])
    np.testing.assert_allclose(any_lm.logprobs(prompts, LABELS), expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(any_lm.logprobs(prompts[::-1], LABELS), expected[::-1], atol=1e-5, rtol=1e-5)


def test_a_shared_prompt_is_computed_once_across_queries(lm: LanguageModel) -> None:
    prompts = [f"{FEW_SHOTS}Review: {i}\nSentiment:" for i in range(100, 140)]
    ids = [lm.reader.ids(prompt) for prompt in prompts]
    ends = [lm.reader.continuation(prompts[0], label)[:-1] for label in LABELS]
    with counted(lm) as work:
        lm.logprobs(prompts, LABELS)
    different = {tuple(row[: n + 1]) for row in ids for n in range(len(row))}
    tails = {tuple(end[: n + 1]) for end in ends for n in range(len(end))}
    assert work.tokens <= 1.1 * (len(different) + len(prompts) * len(tails))
    assert work.rows <= len(prompts) * (1 + len(tails)) + 1
    assert work.passes <= 2 + work.tokens // 500


def test_a_shared_prompt_is_read_once_across_generations(lm: LanguageModel) -> None:
    prompts = [FEW_SHOTS + tail for tail in ("The", "The film", "no", "The")]
    with counted(lm) as work:
        lm.generate(prompts, n=5, max_new_tokens=2, temperature=0)
    different = {tuple(row[: n + 1]) for row in map(lm.reader.ids, prompts) for n in range(len(row))}
    assert work.tokens <= len(different) + 4 * 5 + 1  # the repeated prompt's last token is read again


def test_samples_do_not_depend_on_how_the_prompt_is_kept(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    in_place = lm.generate(FEW_SHOTS, n=6, max_new_tokens=8, temperature=0.8, top_p=0.9)
    monkeypatch.setattr(lm, "in_place", 0)
    copied = lm.generate(FEW_SHOTS, n=6, max_new_tokens=8, temperature=0.8, top_p=0.9)
    assert [sample.text for sample in in_place[0]] == [sample.text for sample in copied[0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_are_dropped_leave_the_others_as_they_were(family: str) -> None:
    lm = model(family)
    reading = sampling.Reading(lm, 60)
    with torch.no_grad():
        reading.read(lm.reader.ids(FEW_SHOTS))
        everyone, some = reading.samples(4, 3), reading.samples(4, 3)
        tokens = torch.tensor([7, 8, 9, 10])
        torch.testing.assert_close(everyone.next(tokens), some.next(tokens))
        some.keep([1, 3])
        for _ in range(2):
            torch.testing.assert_close(some.next(tokens[[1, 3]]), everyone.next(tokens)[[1, 3]], atol=1e-5, rtol=1e-5)


def test_families_whose_attention_cannot_be_split_are_known() -> None:
    assert model("llama").in_place == model("llama").context_length
    assert model("gemma2").in_place == model("mistral").in_place == model("mamba").in_place == 0
    wide = tiny_models.FAMILIES["mistral"](360)
    wide.sliding_window = 40
    with mock.patch.dict(tiny_models.FAMILIES, mistral=lambda _: wide):
        assert tiny_models.tiny("mistral").in_place == 40


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("how", [attend, plainly])
def test_partial_results_merge_into_the_whole(dtype: torch.dtype, how) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, n, 8, dtype=dtype) for n in (5, 9, 9))
    mask = torch.zeros(2, 1, 5, 9, dtype=dtype)
    mask[:, :, torch.arange(5)[:, None] < torch.arange(9)[None] - 4] = -torch.inf
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.3)
    before = how(q, k[:, :, :4], v[:, :, :4], scale=0.3)
    own = how(q, k[:, :, 4:], v[:, :, 4:], causal=True, scale=0.3)
    masked = how(q, k[:, :, 4:], v[:, :, 4:], mask=mask[..., 4:], scale=0.3)
    for part in (own, masked):
        torch.testing.assert_close(merge(before, part), whole, atol=1e-6 if dtype == torch.float32 else 2e-2, rtol=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_of_fixed_shape_write_the_same(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, but that nothing can be recorded here."""
    lm = model(family)
    expected = lm.generate(FEW_SHOTS, n=6, max_new_tokens=20, temperature=0.8, stop="e")
    monkeypatch.setattr(sharing, "pays", lambda lm, steps: True)
    got = lm.generate(FEW_SHOTS, n=6, max_new_tokens=20, temperature=0.8, stop="e")
    assert [[s.ids for s in row] for row in got] == [[s.ids for s in row] for row in expected]
    for ours, plain in zip(got[0], expected[0], strict=True):
        np.testing.assert_allclose(ours.logprobs, plain.logprobs, atol=1e-4)
