"""Models that reason by a known rule get the verdicts they deserve, in every study of chapter 02."""

import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scripted_models as scripted

from xllm_widgets.errors import MissingSight, PromptError, XllmError
from xllm_widgets.models.text import Tokens
from xllm_widgets.studies import chain_of_thought as cot
from xllm_widgets.studies import chain_of_thought_claims as claims_of
from xllm_widgets.studies import chain_of_thought_training as training
from xllm_widgets.studies.chain_of_thought_asking import results_f1
from xllm_widgets.studies.equations import equations
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.registry import find
from xllm_widgets.studies.scale import over_models
from xllm_widgets.studies.solutions import Solution, render


def verdicts(evidence):
    return [claim.verdict for claim in evidence.claims]


def chance(question, share):
    """Whether a question is among the `share` that a model gets right; the same each time it is asked."""
    return zlib.crc32(question.encode()) % 1000 < 1000 * share


# --- worked against direct -------------------------------------------------------------------------------------------


def thinker(direct, worked):
    """`direct` and `worked` say, from the number of steps, whether that way is right; dummies are the direct way."""

    def rule(demonstrations, question, begun, k):
        if begun:
            return scripted.told(question, right=direct(len(scripted.solve(question)[0])), worked=False)
        return scripted.told(question, right=worked(len(scripted.solve(question)[0])))

    return scripted.ScriptedReasoner(rule)


@pytest.mark.parametrize(
    ("direct", "worked", "expected"),
    [
        (lambda k: k == 1, lambda k: True, ["shown", "shown"]),
        (lambda k: True, lambda k: True, ["not shown", "not shown"]),
        (lambda k: True, lambda k: False, ["reversed", "not shown"]),
        (lambda k: False, lambda k: True, ["shown", "reversed"]),
        (lambda k: False, lambda k: False, ["not shown", "not shown"]),
    ],
)
def test_working_gains_what_the_rule_gives_it(direct, worked, expected):
    evidence = cot.worked_answers(thinker(direct, worked), steps=(1, 3), trials=30)
    assert verdicts(evidence) == expected
    rows = evidence.table
    right = {"direct": direct, "worked": worked}
    assert (rows["correct"] == [right[way](k) for way, k in zip(rows["way"], rows["steps"], strict=True)]).all()
    assert rows.groupby(["way", "steps"]).size().tolist() == [30] * 4
    assert set(evidence.control["way"]) == {"dummy"}


def test_where_empty_steps_help_as_much_nothing_is_shown():
    def rule(demonstrations, question, begun, k):
        return scripted.told(question, right=begun != " The answer is", worked=not begun)

    evidence = cot.worked_answers(scripted.ScriptedReasoner(rule), steps=(3,), trials=20)
    assert evidence.claims[0].control == 1.0
    assert verdicts(evidence) == ["not shown"]


def test_both_ways_meet_the_same_questions_and_demonstrations():
    lm = thinker(lambda k: True, lambda k: True)
    cot.worked_answers(lm, steps=(2,), trials=3, shots=2)
    read = [lm.read(prompt) for prompt in lm.prompts]
    direct = {q: [d[0] for d in shown] for shown, q, begun in read if begun == " The answer is"}
    worked = {q: [d[0] for d in shown] for shown, q, begun in read if begun == ""}
    dummy = {q: begun for _, q, begun in read if "0 = 0" in begun.replace("00", "0")}
    assert direct == worked
    assert set(dummy) == set(direct)
    assert all(not set(begun) & set("123456789") for begun in dummy.values())


# --- counterfactual demonstrations -----------------------------------------------------------------------------------


def reader_of(sees):
    """Right where the demonstrations show what it goes by: `sees([(question, reply), …])`."""
    return scripted.ScriptedReasoner(lambda shown, q, begun, k: scripted.told(q, right=bool(shown) and sees(shown)))


def has_pattern(shown):
    return all("=" in reply for _, reply in shown)


def has_digits(shown):
    return all(any(c.isdigit() for c in reply) for _, reply in shown)


def has_text(shown):
    return all(question.split("How many")[-1].strip().split(" ")[-1] in ("now?", "end?") for question, _ in shown)


@pytest.mark.parametrize(
    ("lm", "expected", "noted"),
    [
        # used, letters hardly matter, false equations hardly matter, patterns matter, text matters
        (reader_of(has_pattern), ["shown", "shown", "shown", "shown", "not shown"], False),
        (reader_of(has_digits), ["shown", "reversed", "shown", "not shown", "not shown"], False),
        (reader_of(has_text), ["shown", "shown", "shown", "not shown", "shown"], False),
        (reader_of(lambda shown: False), ["not shown"] * 5, True),
        (scripted.ScriptedReasoner(lambda s, q, b, k: scripted.told(q)), ["not shown"] * 5, True),
        (scripted.ScriptedReasoner(lambda s, q, b, k: scripted.told(q, right=not s)),
         ["reversed", "shown", "shown", "not shown", "not shown"], True),
    ],
)  # fmt: skip
def test_what_the_demonstrations_are_read_for_is_found(lm, expected, noted):
    evidence = cot.counterfactual_prompts(lm, trials=40)
    assert verdicts(evidence) == expected
    assert ("not in-context" in " ".join(evidence.notes)) == noted
    assert evidence.table.groupby(["symbols", "patterns", "text"]).size().tolist() == [40] * 12
    assert len(evidence.control) == 40


def test_a_part_of_the_grid_can_be_asked_and_its_original_must():
    evidence = cot.counterfactual_prompts(reader_of(has_pattern), patterns=("true", "none"), text=("kept",), trials=12)
    assert len(evidence.table) == 12 * 4
    assert [claim.statement.split(" (")[0] for claim in evidence.claims[1:]] == [
        "Letters instead of numbers in the demonstrations hardly matter",
        "Removing the patterns costs at least 20 points",
    ]  # fmt: skip
    for knob in ({"symbols": ("letters",)}, {"patterns": ("true", "odd")}, {"text": ()}):
        with pytest.raises(XllmError, match=r"must be some of .* among them"):
            cot.counterfactual_prompts(reader_of(has_pattern), **knob)


# --- faulty reasoning ------------------------------------------------------------------------------------------------


def fault_of(question, reply):
    steps = equations(reply)
    if not steps:
        return "direct"
    if [f"{e.a} {e.op} {e.b} = {e.c}" for e in steps] == scripted.solve(question)[0]:
        return "valid"
    if not all(e.is_true for e in steps):
        return "incoherent"
    first = question.split(" has ")[1].split(" ")[0]
    return "invalid" if first in (steps[0].a, steps[0].b) else "irrelevant"


def heeds(shares):
    """Right in a share of the questions that depends on the worst fault shown; "none" without demonstrations."""

    def rule(shown, question, begun, k):
        kinds = [fault_of(*one) for one in shown] or ["none"]
        worst = min(kinds, key=lambda kind: shares[kind])
        return scripted.told(question, right=chance(question, shares[worst]), worked=not begun)

    return scripted.ScriptedReasoner(rule)


LADDER = {"valid": 1, "invalid": 0.99, "incoherent": 0.55, "irrelevant": 0.05, "direct": 0.5, "none": 0.8}
UPSIDE_DOWN = {"valid": 0.5, "invalid": 0.05, "incoherent": 0.5, "irrelevant": 0.9, "direct": 0.2, "none": 0.9}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (LADDER, ["shown"] * 5),
        (UPSIDE_DOWN, ["reversed", "reversed", "reversed", "reversed", "reversed"]),
        (dict.fromkeys(LADDER, 0.5), ["not shown"] * 5),
    ],
)
def test_the_order_of_faults_is_judged(shares, expected):
    evidence = cot.faulty_reasoning(heeds(shares), trials=120, shots=1)
    assert verdicts(evidence) == expected
    assert set(evidence.table["steps shown"]) == {"valid", "invalid", "incoherent", "irrelevant", "direct"}
    assert bool(evidence.notes) == (expected[0] != "shown")


def test_f1_compares_the_results_that_are_written():
    one = Solution("?", ("7 + 5 = 12", "12 - 3 = 9"), "9")
    assert results_f1(" 7 + 5 = 12. 12 - 3 = 9. The answer is 9.", one) == 1
    assert results_f1(" 7 + 5 = 12. 12 + 3 = 15.", one) == pytest.approx(0.5)
    assert results_f1(" no idea", one) == 0
    assert np.isnan(results_f1("1 + 1 = 2", Solution("?", ("just so",), "9")))


def test_taught_faults_are_compared_on_copies_and_the_model_stays(pebble, monkeypatch):
    before = {name: value.clone() for name, value in pebble.hf.state_dict().items()}
    evidence = training.taught_reasoning(pebble, examples=4, epochs=1, trials=2)
    assert sorted(evidence.table["steps shown"].unique()) == ["direct", "incoherent", "invalid", "irrelevant", "valid"]
    assert set(evidence.control["steps shown"]) == {"nothing taught"}
    assert len(evidence.claims) == 4
    assert all((value == before[name]).all() for name, value in pebble.hf.state_dict().items())
    assert evidence.to_png().startswith(b"\x89PNG")
    with pytest.raises(MissingSight):
        training.taught_reasoning(heeds(LADDER))
    with pytest.raises(XllmError, match="at least two examples"):
        training.taught_reasoning(pebble, examples=1)


def test_a_lesson_is_the_question_with_the_faulty_reply():
    one = Solution("Tom has 7. Tom buys 5 more.", ("7 + 5 = 12",), "12")
    rng = np.random.default_rng(0)
    assert training.lesson(one, "valid", [one], rng) == (render([], one.question), " 7 + 5 = 12. The answer is 12.\n")
    assert training.lesson(one, "direct", [one], rng)[1] == " The answer is 12.\n"
    assert training.lesson(one, "invalid", [one], rng)[1] == " 7 - 5 = 2. The answer is 12.\n"


# --- saliency --------------------------------------------------------------------------------------------------------


class Glowing:
    """Its numbers glow as `glow(arm, paraphrase's hash)` says; everything else glows 1."""

    name, recipe, sights = (
        "glowing",
        {"recipe": "scripted"},
        frozenset({"text", "logprobs", "activations", "gradients"}),
    )
    device, dtype, hf, n_parameters = "cpu", "float32", None, 1000

    def __init__(self, glow):
        self.glow = glow

    def attribute(self, prompt, target, method):
        question = prompt.split("Question: ")[-1]
        begun = question.split("\nAnswer: ")[1]
        arm = "direct" if begun == "The answer is" else "dummy" if not set(begun) & set("123456789") else "worked"
        offsets = [(i, i + 1) for i in range(len(prompt))]
        tokens = Tokens(prompt, list(prompt), [0] * len(prompt), offsets, [False] * len(prompt))
        glow = self.glow(arm, zlib.crc32(question.split("\n")[0].encode()) % 100 / 100)
        asked = range(prompt.rindex("Question: "), prompt.rindex("\nAnswer:"))
        scores = [-glow if c.isdigit() and i in asked else 1.0 for i, c in enumerate(prompt)]
        return SimpleNamespace(scores=np.array([scores]), tokens=tokens, values=np.array([-1.0]))


@pytest.mark.parametrize(
    ("glow", "expected"),
    [
        (lambda arm, x: {"direct": 20 + 30 * x, "worked": 5, "dummy": 20 + 30 * x}[arm], ["shown"] * 4),
        (lambda arm, x: {"direct": 5, "worked": 6 + 30 * x, "dummy": 5}[arm], ["reversed"] * 4),
        (lambda arm, x: {"direct": 20 + 30 * x, "worked": 5, "dummy": 5}[arm], ["not shown"] * 4),
        (lambda arm, x: 10 + x, ["not shown", None, None, None]),
    ],
)
def test_saliency_verdicts_follow_the_glow(glow, expected, monkeypatch):
    monkeypatch.setattr(cot, "randomised", lambda lm, seed: lm)
    evidence = cot.cot_saliency(Glowing(glow), trials=30, paraphrases=4, shots=0)
    for found, wanted in zip(verdicts(evidence), expected, strict=True):
        assert wanted is None or found == wanted
    assert set(evidence.table["arm"]) == {"direct", "worked"}
    assert set(evidence.control["arm"]) == {"dummy", "untaught direct", "untaught worked"}
    first = evidence.table[(evidence.table["arm"] == "direct") & (evidence.table["item"] == 0)]
    assert first["paraphrase"].nunique() == 4


def test_variation_is_the_coefficient_over_paraphrases():
    rows = [(0, p, "worked", n, share) for n, shares in (("7", (0.1, 0.3)), ("5", (0.2, 0.2))) for p, share in
            enumerate(shares)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["item", "paraphrase", "arm", "number", "share"])
    assert claims_of.variation(table, "worked").loc[0] == pytest.approx((np.sqrt(0.02) / 0.2 + 0) / 2)


def test_saliency_on_a_real_model_is_that_of_its_attribution(pebble):
    evidence = cot.cot_saliency(pebble, method="gradient_norm", trials=3, paraphrases=2, shots=1)
    assert (evidence.table["share"] < 1).all()
    assert (evidence.table.groupby(["item", "paraphrase", "arm"])["share"].sum() < 1).all()
    assert (evidence.table["logp"] < 0).all()
    assert not np.allclose(evidence.table["nats"].iloc[0], evidence.control["nats"].iloc[-1])
    assert evidence.to_png().startswith(b"\x89PNG")
    assert evidence.claims[0].study == "cot_saliency"


# --- what all of them share ------------------------------------------------------------------------------------------


def test_chapter_and_section():
    for name in ("worked_answers", "cot_saliency", "counterfactual_prompts", "faulty_reasoning"):
        assert (find(name).chapter, find(name).section) == ("02", "4.1.2")


def test_own_problems_are_asked_and_plain_ones_without_a_bundled_model():
    rows = [{"question": f"Ann has {i}. Ann finds 2 more.", "steps": [f"{i} + 2 = {i + 2}"], "answer": i + 2}
            for i in range(20)]  # fmt: skip
    lm = thinker(lambda k: True, lambda k: True)
    evidence = cot.worked_answers(lm, trials=10, data=rows)
    assert evidence.table["correct"].all()
    assert evidence.notes == ["no problems that take 2, 3, 4 steps: not asked"]
    with pytest.raises(XllmError, match="no problem with 7 or 8 steps; choose others"):
        cot.worked_answers(lm, steps=(8, 7), data=rows)
    lm.recipe = None
    assert len(cot.worked_answers(lm, steps=(2,), trials=10).table) == 20
    with pytest.raises(XllmError, match="whole and 1 or more"):
        cot.worked_answers(lm, steps=(0, 1))
    with pytest.raises(XllmError, match="whole and 1 or more"):
        cot.faulty_reasoning(lm, steps=())
    with pytest.raises(MissingSight, match="activations and gradients and logprobs"):
        cot.cot_saliency(lm)


def test_demonstrations_beyond_the_context_are_refused_in_a_sentence(pebble):
    rows = [{"question": "word " * 200 + str(i), "steps": ["1 + 1 = 2"], "answer": 2} for i in range(20)]
    with pytest.raises(PromptError, match=r"reads at most 512; shorten"):
        cot.worked_answers(pebble, steps=(1,), shots=8, data=rows)


def test_each_picture_can_be_drawn_for_one_model_and_for_several(monkeypatch):
    family = {"smaller": heeds(LADDER), "larger": heeds(LADDER)}
    for size, (name, lm) in enumerate(family.items(), 1):
        lm.name, lm.n_parameters = name, 1000 * size
    monkeypatch.setattr("xllm_widgets.studies.scale.load", family.get)
    grid = {"symbols": ("digits", "letters"), "patterns": ("true", "none"), "text": "kept"}
    for study, knobs in ((cot.worked_answers, {"steps": (1, 3)}), (cot.faulty_reasoning, {"shots": 1}),
                         (cot.counterfactual_prompts, grid)):  # fmt: skip
        both = over_models(study, list(family), trials=10, **knobs)
        assert Evidence.from_json(both.to_json()).to_png().startswith(b"\x89PNG")
    one = cot.counterfactual_prompts(reader_of(has_pattern), trials=10)
    assert one.to_png().startswith(b"\x89PNG")


def test_several_models_are_drawn_side_by_side_on_one_scale():
    from matplotlib.figure import Figure

    from xllm_widgets.studies.chain_of_thought_pictures import _panels, _short

    figure = Figure()
    (alone,) = figure.subplots(1, 1, squeeze=False)[0]
    assert _panels(alone, 1) == [alone]
    panels = _panels(alone, 3)
    panels[0].set_ylim(0, 2)
    assert [panel.get_ylim() for panel in panels] == [(0, 2)] * 3
    assert _short(["pebble-1m", "pebble-3m"]) == ["1m", "3m"]
    assert _short(["pebble-1m", "gpt2"]) == ["pebble-1m", "gpt2"]
