"""The fast ways stay fast: counted in passes, tokens, rows and bytes, which are the same on every machine.

The expected numbers are what the work cannot do without: each beginning of a text once, each row that is read, nothing
twice. Bytes are held to how they grow, since their exact number is torch's business.
"""

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from live_memory import LiveMemory

from xllm_widgets.methods import ablation
from xllm_widgets.models.counting import Work, counted
from xllm_widgets.models.greedy import SPREAD, greedy
from xllm_widgets.models.language_model import LanguageModel
from xllm_widgets.widgets.attention_bytes import attention_bytes

PROMPT = "Review: The film was really bright and moving. Sentiment:"
ANSWER = " positive yes no slow"
QUERIES = [" dull", " slow", " yes no", " no yes"]
LABELS = [" positive yes", " negative no"]


def counting(lm: LanguageModel, action: Callable[[], Any]) -> Work:
    with counted(lm) as work:
        action()
    return work


def peak(action: Callable[[], Any]) -> int:
    """Most bytes alive at once; the second time, when what is kept for good is kept already."""
    action()
    with LiveMemory() as memory:
        action()
    return memory.peak


def length(lm: LanguageModel, text: str) -> int:
    return len(lm.prompt_ids(text))


def added(lm: LanguageModel, prompt: str, continuation: str) -> list[int]:
    return lm.reader.continuation(prompt, continuation)


def test_every_beginning_is_computed_once_and_every_read_once(lm: LanguageModel) -> None:
    prompts = [PROMPT + query for query in QUERIES]
    rows = [(lm.prompt_ids(p), added(lm, p, label)) for p in prompts for label in LABELS]
    texts = {(*before, *after[:-1]) for before, after in rows}
    beginnings = {text[:end] for text in texts for end in range(1, len(text) + 1)}
    reads = {(*before, *after[:end]) for before, after in rows for end in range(len(after))}
    work = counting(lm, lambda: lm.logprobs(prompts, LABELS))
    assert (work.tokens, work.rows) == (len(beginnings), len(reads))


def test_a_shared_prefix_is_not_copied_to_its_branches(lm: LanguageModel) -> None:
    few, many = 4, 24
    prefix = PROMPT + " yes no" * 30
    heads, width = lm.hf.config.num_key_value_heads, lm.width // lm.hf.config.num_attention_heads
    one_copy = 2 * heads * width * length(lm, prefix) * 4  # of one layer's keys and values, bytes

    def bytes_for(queries: int) -> int:
        words = [f" {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"[:queries]]
        return peak(lambda: lm.logprobs([prefix + word for word in words], [" yes"]))

    grown = (bytes_for(many) - bytes_for(few)) / (many - few)
    assert grown < one_copy * lm.n_layers


def test_replies_to_prompts_that_begin_alike_read_the_beginning_once(lm: LanguageModel) -> None:
    prompts, new = [PROMPT + query for query in QUERIES], 3
    lengths = [length(lm, prompt) for prompt in prompts]
    assert max(lengths) - min(lengths) <= SPREAD
    work = counting(lm, lambda: greedy(lm, prompts, new, until=""))
    assert work.tokens <= length(lm, PROMPT) + sum(n + new - length(lm, PROMPT) + 1 for n in lengths)


def test_samples_read_their_prompt_once_and_their_own_tokens_once(lm: LanguageModel) -> None:
    samples, new = 5, 6
    work = counting(lm, lambda: lm.generate(PROMPT, n=samples, max_new_tokens=new))
    again = samples * (new - 1)
    assert work == Work(passes=new, tokens=length(lm, PROMPT) + again, rows=1 + again)


def test_attention_mass_costs_one_pass_and_no_square(lm: LanguageModel) -> None:
    def text(pairs: int) -> str:
        return PROMPT + " yes no" * pairs

    def look(pairs: int) -> np.ndarray:
        return lm.attention(text(pairs), [(0, 10), (10, 30)])

    assert counting(lm, lambda: look(0)) == Work(passes=1, tokens=length(lm, PROMPT), rows=0)
    growth = length(lm, text(38)) / length(lm, text(13))
    assert growth > 2
    assert peak(lambda: look(38)) < 1.1 * growth * peak(lambda: look(13))


def test_hidden_states_pad_nothing_and_predict_nothing(lm: LanguageModel) -> None:
    texts = [PROMPT + " yes", PROMPT + " no", "The film", "A dull film", " slow"]
    work = counting(lm, lambda: lm.activations(texts))
    assert (work.tokens, work.rows) == (sum(length(lm, text) for text in texts), 0)


def test_hidden_states_of_more_texts_need_no_more_room(lm: LanguageModel) -> None:
    texts = [PROMPT + ending for ending in (" yes", " no", " dull", " slow")]
    some, more = peak(lambda: lm.activations(texts * 40)), peak(lambda: lm.activations(texts * 120))
    assert more < 1.1 * some


@pytest.mark.parametrize("each_token", [True, False])
def test_all_tokens_of_an_answer_are_explained_from_one_pass(lm: LanguageModel, each_token: bool) -> None:
    answer = len(added(lm, PROMPT, ANSWER))
    work = counting(lm, lambda: lm.attribute(PROMPT, ANSWER, "gradient_x_input", each_token=each_token))
    assert work == Work(passes=1, tokens=length(lm, PROMPT) + answer - 1, rows=answer)


def test_a_whole_answer_is_explained_by_one_pass_back(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    really = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: asked.append(1) or really(*a, **k))
    lm.attribute(PROMPT, ANSWER, "gradient_x_input")
    assert len(asked) == 1


def test_a_path_costs_its_steps_and_its_two_ends(lm: LanguageModel) -> None:
    steps, answer = 8, len(added(lm, PROMPT, ANSWER))
    work = counting(lm, lambda: lm.attribute(PROMPT, ANSWER, "integrated_gradients", steps=steps, each_token=True))
    whole = length(lm, PROMPT) + answer - 1
    assert (work.tokens, work.rows) == ((steps + 2) * whole, (steps + 2) * answer)


def test_a_longer_path_needs_no_more_room(lm: LanguageModel) -> None:
    def walk(steps: int) -> int:
        return peak(lambda: lm.attribute(PROMPT, " yes", "integrated_gradients", steps=steps))

    assert walk(400) < 1.1 * walk(200)


@pytest.mark.parametrize("method", ["occlusion", "resampling_ablation"])
def test_a_replaced_token_costs_what_stands_behind_it(
    lm: LanguageModel, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt once; then each replacement from its token on, in rows of their own; and the last token for f(x)."""
    monkeypatch.setattr(ablation, "token_budget", lambda device: 1)
    tokens, n = length(lm, PROMPT), 3 if method == "resampling_ablation" else 1
    suffixes = sum(tokens - first for first in range(tokens))
    work = counting(lm, lambda: lm.attribute(PROMPT, " yes", method, n_replacements=n))
    assert (work.passes, work.tokens) == (2 + n * tokens, tokens + n * suffixes + 1)


def test_replacements_in_batches_cost_little_more(lm: LanguageModel) -> None:
    """A batch starts at its earliest change, so its other rows compute a few tokens more than they need."""
    prompt, n = PROMPT + " yes no" * 30, 8
    tokens = length(lm, prompt)
    suffixes = n * sum(tokens - first for first in range(tokens))
    work = counting(lm, lambda: lm.attribute(prompt, " yes", "resampling_ablation", n_replacements=n))
    budget = ablation.token_budget(lm.device)
    assert work.passes <= 1 + math.ceil(suffixes / (budget - tokens))
    assert work.tokens < 1.1 * (tokens + suffixes + 1)


def test_an_explanation_is_tested_behind_one_beginning(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    really = ablation.Beginning
    monkeypatch.setattr(ablation, "Beginning", lambda *a: made.append(1) or really(*a))
    attribution = lm.attribute(PROMPT, " yes", "occlusion")
    assert len(made) == 1
    attribution.faithfulness(n_replacements=2)
    assert len(made) == 2


@pytest.mark.parametrize("tokens", [1, 5, 31, 32, 33, 70])
def test_a_page_gets_a_byte_a_weight_and_nothing_above_the_diagonal(tokens) -> None:
    weights = np.tril(np.random.default_rng(0).random((2, tokens, tokens), dtype=np.float32))
    seen = np.frombuffer(base64.b64decode(attention_bytes(weights)), dtype=np.uint8)
    wanted = [round(255 * float(w)) for head in weights for q, row in enumerate(head) for w in row[: q + 1]]
    assert seen.tolist() == wanted


def test_a_page_refuses_what_is_no_square() -> None:
    with pytest.raises(ValueError, match="no square"):
        attention_bytes(np.ones((2, 3, 4)))
