"""The loss on documents that nobody has read, against a loop over the model's own logits."""

import json

import numpy as np
import pytest
import torch

from xllm_widgets.errors import PromptError
from xllm_widgets.exam import reading
from xllm_widgets.exam.paper import Paper
from xllm_widgets.exam.sitting import education, folder_of
from xllm_widgets.microworld.document import from_marked
from xllm_widgets.models import bundled_models, load


@pytest.fixture(scope="module")
def lm():
    return load("pebble-0.1m")


def one_by_one(lm, document) -> tuple[float, int]:
    """Every token's loss from one pass over the whole text; those count that touch a learnable span."""
    encoded = lm.tokenizer(document.text, return_offsets_mapping=True, return_tensors="pt")
    with torch.inference_mode():
        logp = lm.hf(encoded["input_ids"]).logits[0].log_softmax(-1)
    total, counted = 0.0, 0
    for t, (start, end) in enumerate(encoded["offset_mapping"][0].tolist()):
        if start and any(start < stop and end > begin for begin, stop in document.learnable):
            total -= float(logp[t - 1, encoded["input_ids"][0, t]])
            counted += 1
    return total, counted


def test_losses_are_those_of_a_plain_loop(lm) -> None:
    documents = reading.fresh(lm, 25)
    assert len({document.kind for document in documents}) > 5
    nats, tokens = reading.losses(lm, documents)
    expected = [one_by_one(lm, document) for document in documents]
    assert tokens.tolist() == [counted for _, counted in expected]
    assert nats == pytest.approx([total for total, _ in expected], rel=1e-4)


def test_what_opens_a_text_has_nothing_before_it_and_is_not_counted(lm) -> None:
    nats, tokens = reading.losses(lm, [from_marked("geography", "«Oslo» lies in «Norway».", [])])
    assert tokens.tolist() == [len(lm.prompt_ids("Oslo lies in Norway")) - len(lm.prompt_ids("Oslo lies in"))]
    assert nats[0] > 0


def test_no_bundled_model_has_read_them() -> None:
    read = [corpus for name in bundled_models() for corpus in education(folder_of(name))]
    assert len(read) >= 18
    assert max(corpus.length for corpus in read) < reading.FRESH


def test_they_are_of_the_mix_that_every_base_has_read(lm) -> None:
    bases = [corpus.recipe for name in bundled_models() for corpus in education(folder_of(name))[:1]]
    assert {json.dumps(recipe.phases[0].shares, sort_keys=True) for recipe in bases} == {
        json.dumps(reading.FIRST_MIX.phases[0].shares, sort_keys=True)
    }
    kinds = [document.kind for document in reading.fresh(lm, 300)]
    assert kinds.count("sheets") / 300 > 0.08, "one in seven of the first mix, hardly one in forty of the last"


def test_a_better_model_foretells_them_better(lm) -> None:
    found = {model: reading.measure_fresh(Paper(model, n=60))[""] for model in (lm, load("pebble-3m"))}
    small, large = found.values()
    assert large.high < small.low < small.estimate < small.high < np.log(lm.hf.config.vocab_size)
    assert small.n == large.n == 60


def test_fresh_documents_are_no_two_alike(lm) -> None:
    texts = [document.text for document in reading.fresh(lm, 300)]
    assert len(texts) == len(set(texts)) == 300


def test_a_context_too_short_for_any_is_said_and_not_searched_for_ever(lm, monkeypatch) -> None:
    monkeypatch.setattr(lm.hf.config, "max_position_embeddings", 4)
    assert lm.context_length == 4
    with pytest.raises(PromptError, match="No document fits into 4 tokens"):
        reading.fresh(lm, 3)
