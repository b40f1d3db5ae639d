"""Tuning: only replies are learnt, the original stays as it was, the same seed gives the same weights."""

import copy
from types import SimpleNamespace

import pytest
import tiny_models
import torch

from xllm_widgets.errors import MissingSight, PromptError, XllmError
from xllm_widgets.methods import tuning
from xllm_widgets.methods.supervision import rows
from xllm_widgets.methods.tuning import estimate_seconds, tune
from xllm_widgets.microworld.assistant.layout import converse, prompt
from xllm_widgets.microworld.document import from_marked
from xllm_widgets.models import Steer, load
from xllm_widgets.models.language_model import LanguageModel

WORDS = "bright moving dull slow film The really no".split()
PAIRS = [(f"Review: {word}", f" {word[::-1]}") for word in WORDS]
TALK = converse("talk", [("Is it dull?", "no, bright"), ("Really?", "yes")], "Be bright.")
# Qwen's, with shorter marks for a tokenizer that spells them letter by letter.
CHATML = (
    "{% for m in messages %}<{{ m['role'] }}\n{{ m['content'] }}>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant\n{% endif %}"
)
# As Qwen3's and DeepSeek-R1's do, it shows a thought in the last reply and leaves it out of earlier ones.
FORGETFUL = (
    "{% for m in messages %}{{ m['role'] + ':' }}{% if m['role'] == 'assistant' and loop.last %} (thinking){% endif %}"
    "{{ ' ' + m['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
REFUSING = "{{ raise_exception('the roles must alternate') }}"


def weights(lm):
    return {name: p.detach().clone() for name, p in lm.hf.named_parameters()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def with_template(lm, template):
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = template
    return LanguageModel(lm.hf, tokenizer, lm.name)


def learnt(lm, example):
    """The learnable text of each row of an example."""
    chosen = [[i for i, is_ in zip(row.ids, row.learnable, strict=True) if is_] for row in rows(lm, [example])]
    return [lm.reader.decode(ids) for ids in chosen]


def test_replies_are_learnt_and_the_original_stays(lm):
    before, said = weights(lm), []
    with torch.inference_mode():  # a caller's mode neither disturbs nor is disturbed
        result = tune(lm, PAIRS, steps=60, batch=4, rate=1e-2, on_progress=said.append)
        assert torch.is_inference_mode_enabled()
    assert same(before, weights(lm))
    assert lm.hf is not result.model.hf
    assert [g[0].text for g in result.model.generate([p for p, _ in PAIRS], max_new_tokens=8, temperature=0)] == [
        reply for _, reply in PAIRS
    ]
    assert result.losses[-1] < 0.2 < 3 < result.losses[0]
    assert [now.step for now in said] == list(range(1, 61))
    assert said[-1].tokens == result.tokens == 30 * sum(len(row.ids) for row in rows(lm, PAIRS))
    assert said[-1].loss == pytest.approx(sum(result.losses[-10:]) / 10)
    assert result.model.name == "tiny-llama, tuned on 8 examples"
    assert f"{result.tokens} tokens" in result.describe()


@pytest.mark.parametrize("keeps_logits", [True, False])
def test_only_replies_count_in_the_loss(lm, keeps_logits):
    """Compared with one token after another, each row by itself and nothing to its right."""
    learner = tuning._Learner(lm, tuning.Plan(1, 2, 1e-3, None, 0))
    learner.keeps_logits = keeps_logits
    terms = []
    for before, reply in PAIRS[:3]:
        prompt_ids = lm.reader.ids(before)
        read = prompt_ids + lm.reader.ids(before + reply)[len(prompt_ids) :] + [lm.tokenizer.eos_token_id]
        for place in range(len(prompt_ids), len(read)):
            with torch.no_grad():
                logits = lm.hf(input_ids=torch.tensor([read[:place]])).logits[0, -1]
            terms.append(-logits.log_softmax(-1)[read[place]].item())
    assert len({len(row.ids) for row in rows(lm, PAIRS[:3])}) > 1
    assert learner.loss(rows(lm, PAIRS[:3])).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_the_seed_decides(lm):
    knobs = {"steps": 3, "batch": 3, "adapter": 2, "rate": 1e-2}
    state = torch.get_rng_state()
    first, again, other = (weights(tune(lm, PAIRS, **knobs, seed=seed).model) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)
    assert torch.equal(state, torch.get_rng_state()), "the global generator is the caller's"


def test_batches_read_every_example_once_a_round(lm):
    work = rows(lm, PAIRS)
    batches = list(tuning.Plan(6, 3, 1e-3, None, 0).batches(work))
    assert [len(batch) for batch in batches] == [3, 3, 2] * 2
    first, second = ([id(row) for batch in part for row in batch] for part in (batches[:3], batches[3:]))
    assert sorted(first) == sorted(second) == sorted(map(id, work))
    assert first != second


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_adapters_change_linear_layers_by_low_rank_and_merge_exactly(family):
    lm = tiny_models.tiny(family)
    learner = tuning._Learner(lm, tuning.Plan(3, 8, 1e-2, 2, 0))
    work = rows(lm, PAIRS)
    for _ in range(3):
        learner.step(work)
    ids = torch.tensor([lm.reader.ids("The film was really bright and moving.")])
    with torch.no_grad():
        unmerged = learner.hf(input_ids=ids).logits
        tuned = LanguageModel(learner.finished(), lm.tokenizer, "tuned")
        assert torch.allclose(unmerged, tuned.hf(input_ids=ids).logits, atol=1e-4)
        assert not torch.allclose(unmerged, lm.hf(input_ids=ids).logits, atol=1e-2)
    before, after = weights(lm), weights(tuned)
    assert before.keys() == after.keys(), "peft leaves no layers of its own behind"
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    for name in changed:
        strengths = torch.linalg.svdvals(after[name].double() - before[name].double())
        assert strengths[2] < 1e-4 * strengths[0], name
    assert not [name for name in changed if "embed" in name or "norm" in name or "ln_" in name or "wte" in name]


def test_a_bundled_model_learns_a_reply_in_conversation():
    lm = load("pebble-0.1m")
    talks = [converse("t", [(f"Say {word}", f"{word} {word}")]) for word in ("yes", "no", "good", "bad")]
    model = tune(lm, talks, steps=40, batch=4, rate=1e-2).model
    ask = [{"role": "user", "content": "Say good"}]
    text = model.tokenizer.apply_chat_template(ask, tokenize=False, add_generation_prompt=True)
    assert text.endswith(prompt("Say good")), "the tuned model knows the layout that it was tuned in"
    assert model.generate(prompt("Say good"), max_new_tokens=16, temperature=0)[0][0].text == " good good"


def test_conversations_in_the_layout_of_the_pebbles(lm):
    ends = lm.tokenizer.eos_token
    assert learnt(lm, TALK) == learnt(lm, TALK.messages) == [f" no, bright{ends} yes{ends}"]
    assert lm.tokenizer.chat_template is None


def test_conversations_in_the_models_own_layout(lm):
    assert learnt(with_template(lm, CHATML), TALK) == ["no, bright>yes>"]


def test_a_template_that_forgets_gives_a_row_for_each_reply(lm):
    (first, second), found = rows(with_template(lm, FORGETFUL), [TALK]), learnt(with_template(lm, FORGETFUL), TALK)
    assert found == [" (thinking) no, bright", " (thinking) yes"]
    assert "(thinking) no" in lm.reader.decode(first.ids)
    assert "(thinking) no" not in lm.reader.decode(second.ids)


def test_a_document_has_its_own_learnable_spans(lm):
    assert learnt(lm, from_marked("review", "The film was «bright».", [])) == [" bright"]


@pytest.mark.parametrize(
    ("examples", "says"),
    [
        ([], "nothing to learn from"),
        ("yes", "nothing to learn from"),
        ([*PAIRS, ("Is it?", "")], "Example 9 has no reply"),
        ([[{"role": "user", "content": "Is it?"}]], "Example 1 is a conversation without a reply"),
        ([[{"role": "assistant", "content": "It is."}]], "Example 1 begins with the reply"),
        ([{"role": "user", "content": "Is it?"}], "Example 1 is neither"),
        ([("one", "two", "three")], "Example 1 is neither"),
        ([from_marked("review", "The film was bright.", [])], "Example 1 holds no reply"),
        ([("yes " * 200, "no")], "reads at most 96"),
    ],
)
def test_bad_examples_are_refused_in_a_sentence(lm, examples, says):
    with pytest.raises(XllmError, match=says) as told:
        tune(lm, examples)
    assert str(told.value).endswith(".")
    assert isinstance(told.value, PromptError) == ("at most" in says)


def test_other_refusals(lm):
    with pytest.raises(XllmError, match=r"example 1 \(the roles must alternate\)"):
        tune(with_template(lm, REFUSING), [TALK])
    with pytest.raises(MissingSight, match="far away shows no gradients"):
        tune(SimpleNamespace(name="far away", sights={"text"}), PAIRS)
    with pytest.raises(XllmError, match="batch=0 is not possible"):
        tune(lm, PAIRS, batch=0)
    with lm.edit(Steer(torch.zeros(32), 1)), pytest.raises(XllmError, match="is being edited"):
        tune(lm, PAIRS)


def test_an_interruption_leaves_nothing_behind(lm):
    before = weights(lm)

    def interrupt(now):
        if now.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(lm, PAIRS, steps=5, on_progress=interrupt)
    assert same(before, weights(lm))


def test_the_cost_is_told_beforehand(lm):
    before = weights(lm)
    short, long = (estimate_seconds(lm, PAIRS, steps=steps, batch=4) for steps in (3, 3000))
    assert 0 < 20 * short < long
    assert same(before, weights(lm))


def test_large_models_learn_in_smaller_steps():
    assert tuning._usual_rate(SimpleNamespace(n_parameters=1_000_000), None) == 1e-3
    assert tuning._usual_rate(SimpleNamespace(n_parameters=124_000_000), None) == pytest.approx(8e-5, rel=0.02)
    assert tuning._usual_rate(SimpleNamespace(n_parameters=124_000_000), 8) == 1e-3


def test_a_batch_beyond_memory_is_read_in_parts_and_gives_the_same_weights(lm, monkeypatch):
    whole = tune(lm, PAIRS, steps=6, batch=7, rate=1e-2)
    loss = tuning._Learner.loss

    def small_memory(self, batch):
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return loss(self, batch)

    monkeypatch.setattr(tuning._Learner, "loss", small_memory)
    with pytest.warns(RuntimeWarning, match="smaller batches"):
        parts = tune(lm, PAIRS, steps=6, batch=7, rate=1e-2)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-3)
    for name, p in parts.model.hf.named_parameters():
        torch.testing.assert_close(p, whole.model.hf.get_parameter(name), rtol=1e-2, atol=2e-3)


def test_an_example_beyond_memory_is_refused_in_a_sentence(lm, monkeypatch):
    def no_memory(self, batch):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(tuning._Learner, "loss", no_memory)
    with pytest.raises(XllmError, match="memory"), pytest.warns(RuntimeWarning):
        tune(lm, PAIRS, steps=2, batch=4)
