"""Batches hold near lengths, shrink when memory runs out, and stop when told to."""

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import given
from hypothesis import strategies as st

from xllm_widgets.models import batching, passes
from xllm_widgets.models.batching import buckets, in_batches
from xllm_widgets.models.errors import Interrupted, OutOfMemory
from xllm_widgets.models.greedy import greedy
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.models.planning import Means


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 2000))
def test_buckets_hold_everything_once_within_budget_and_with_little_padding(lengths: list[int], budget: int) -> None:
    made = buckets(lengths, budget)
    assert sorted(i for bucket in made for i in bucket) == list(range(len(lengths)))
    for bucket in made:
        longest, shortest = max(lengths[i] for i in bucket), min(lengths[i] for i in bucket)
        assert len(bucket) == 1 or len(bucket) * longest <= budget
        assert longest - shortest <= longest // 8


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    sizes, done = [], []

    def run(batch) -> None:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(batch)

    with pytest.warns(RuntimeWarning, match="smaller batches") as warned:
        in_batches(list(range(10)), 10, run)
    assert done == list(range(10))
    assert sizes == [10, 5, 2, 2, 2, 2, 2]
    assert len(warned) == 1


def test_a_single_row_that_does_not_fit_is_said_in_one_sentence() -> None:
    def run(_) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="not hold even one row"), pytest.warns(RuntimeWarning):
        in_batches([1, 2], 2, run)


def no_room(*_, **__) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_verbs_of_which_a_single_row_does_not_fit_say_so(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs = (
        lambda: lm.generate("The film"),
        lambda: lm.logprobs("The film", [" was"]),
        lambda: lm.activations("The film"),
        lambda: lm.attention("The film"),
        lambda: lm.attention("The film", [(0, 3)]),
        lambda: lm.attention_statistics("The film"),
    )
    with monkeypatch.context() as patch:
        patch.setattr(lm.structure.blocks[1], "forward", no_room)
        for verb in verbs:
            with pytest.raises(OutOfMemory, match=r"^[^\n]* not hold even one row[^\n]*\.$"):
                verb()
    for verb in verbs:
        verb()


MANY = [letter * n for n in (4, 9, 14, 30) for letter in "abcdef"]
"""Batches of several lengths, a token a letter."""
VERBS = {
    "logprobs": lambda lm: lm.logprobs(MANY, [" positive", " really dull"]),
    "activations": lambda lm: lm.activations(MANY),
    "generate": lambda lm: np.concatenate([s.logprobs for row in lm.generate(MANY, 6, 4) for s in row]),
    "greedy": lambda lm: np.array([len(text) for text in greedy(lm, MANY, 4)]),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_call_remembers_what_fits_and_warns_once(lm, monkeypatch: pytest.MonkeyPatch, verb) -> None:
    forward, failed = lm.hf.forward, []

    def short(**words):
        if words["input_ids"].numel() > 50 and len(words["input_ids"]) > 1:
            failed.append(words["input_ids"].shape)
            no_room()
        return forward(**words)

    if verb is not VERBS["greedy"]:
        monkeypatch.setattr(lm, "shares_prefixes", False)  # whole texts, so that it is plain what a pass holds
    expected = verb(lm)
    monkeypatch.setattr(lm.hf, "forward", short)
    with pytest.warns(RuntimeWarning, match="smaller batches") as warned:
        got = verb(lm)
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-4)
    assert len(warned) == 1
    assert len(failed) <= 4


def test_other_errors_are_not_swallowed() -> None:
    def run(_) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_batches([1], 1, run)


def test_the_answer_is_the_same_when_memory_is_short(any_lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, continuations = [f"The film was really {letter}" for letter in "abcdef"], [" positive", " really dull"]
    monkeypatch.setattr(Means, "of", lambda _, packs: Means(packs, row=4, gain=4))
    expected = any_lm.logprobs(prompts, continuations)

    def short(model, ids, *args, **words):
        if ids.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return passes.picked_logits(model, ids, *args, **words)

    monkeypatch.setattr("xllm_widgets.models.sharing.picked_logits", short)
    with pytest.warns(RuntimeWarning):
        got = any_lm.logprobs(prompts, continuations)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_stale_computation_stops_between_batches(lm: LanguageModel) -> None:
    with pytest.raises(Interrupted):
        lm.logprobs(["The film"], [" was"], should_stop=lambda: True)
    assert lm.logprobs(["The film"], [" was"], should_stop=lambda: False).shape == (1, 1)


def test_an_interrupt_leaves_the_model_usable(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    lm.attention("The film")  # transformers puts hooks of its own the first time
    expected, hooks = lm.activations("The film"), _hooks(lm)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lm.structure.blocks[2], "forward", interrupted)
        for verb in (lm.activations, lm.attention, lm.generate):
            with pytest.raises(KeyboardInterrupt):
                verb("The film")
    np.testing.assert_array_equal(lm.activations("The film"), expected)
    assert _hooks(lm) == hooks
    assert lm.lock.acquire(blocking=False)
    lm.lock.release()


def _hooks(lm: LanguageModel) -> int:
    return sum(len(block._forward_hooks) + len(block._forward_pre_hooks) for block in lm.structure.blocks)


def test_estimates_grow_with_the_work(lm: LanguageModel) -> None:
    one = lm.estimate_seconds("The film", [" a"])
    assert 0 < one < lm.estimate_seconds([f"The film {i} was dull" for i in range(500)], [" a", " really"])


@pytest.mark.parametrize("verb", ["logprobs", "generate", "greedy", "ablation"])
def test_copies_of_a_beginning_stay_within_their_bytes(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that looks through a window cannot attend in place: each row has the beginning's keys and values."""
    lm = tiny_models.tiny("mistral")
    beginning = "Review: The film was really bright and moving. " * 2
    prompts = [beginning + word for word in ("dull", "slow", "yes", "no", "bright", "moving", "12", "was")]
    ask = {
        "logprobs": lambda: lm.logprobs(prompts, [" positive", " negative"]),
        "generate": lambda: [draft.ids for draft in lm.generate(prompts[0], n=8, max_new_tokens=3)[0]],
        "greedy": lambda: greedy(lm, prompts, 3, until=""),
        "ablation": lambda: lm.attribute(prompts[0], " yes", "resampling_ablation", n_replacements=4).scores,
    }[verb]
    longest = max(len(lm.prompt_ids(prompt)) for prompt in prompts) + 4
    assert lm.in_place < longest
    whole, rows = ask(), []

    def watch(_: torch.nn.Module, args: tuple, words: dict) -> None:
        cache = words.get("past_key_values")
        if cache is not None and cache.get_seq_length():
            rows.append(len(words["input_ids"] if words.get("input_ids") is not None else words["inputs_embeds"]))

    monkeypatch.setattr(batching, "COPIED_BYTES", 3 * longest * 2 * lm.n_layers * lm.width * 4)
    handle = lm.hf.model.register_forward_pre_hook(watch, with_kwargs=True)
    try:
        kept = ask()
    finally:
        handle.remove()
    assert 1 < max(rows) <= 4  # three of the longest, or one more of shorter ones
    if verb in ("logprobs", "ablation"):
        np.testing.assert_allclose(kept, whole, rtol=1e-4, atol=1e-5)
    else:
        assert kept == whole
