"""The curve finds the step that a scripted model really goes by, and none where there is none."""

import numpy as np
import pytest
import scripted_models as scripted

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import progress
from xllm_widgets.studies.problems import load_problems
from xllm_widgets.studies.replies import distribution
from xllm_widgets.studies.solutions import Solution, render_steps, truncate
from xllm_widgets.studies.step_curves import answer_logprobs, answers_after, commonest, step_curve

STEPS = ("7 + 5 = 12", "12 - 3 = 9", "9 + 1 = 10")


def goes_by(step, else_right=0):
    """Right once `step` is written; before that, right in the first `else_right` samples of any prompt."""

    def rule(demonstrations, question, begun, k):
        right = step in begun or k < else_right
        return f" The answer is {10 if right else 20 + k}."

    return scripted.ScriptedReasoner(rule)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_step_that_decides_is_found(place):
    curve = step_curve(goes_by(STEPS[place]), "?", STEPS, n=12)
    assert curve.decisive == place
    assert curve.answer == 10
    assert curve.table["share"].tolist() == [float(kept > place) for kept in range(4)]
    assert curve.table["step"].tolist() == ["", *STEPS]
    assert STEPS[place] in curve.describe()
    assert (curve.table["low"] <= curve.table["share"]).all()
    assert (curve.table["high"] >= curve.table["share"]).all()


def test_without_a_decisive_step_none_is_named():
    curve = step_curve(goes_by("never", else_right=6), "?", STEPS, n=12, answer=10)
    assert curve.decisive is None
    assert curve.table["share"].tolist() == [0.5] * 4
    assert "No step" in curve.describe()


def test_a_step_can_speak_against_the_answer():
    lm = scripted.ScriptedReasoner(lambda d, q, begun, k: f" The answer is {4 if STEPS[1] in begun else 10}.")
    curve = step_curve(lm, "?", STEPS, answer=10, n=10)
    assert curve.decisive == 1
    assert curve.table["change"].iloc[2] == -1


def test_chance_alone_seldom_names_a_step():
    rng = np.random.default_rng(0)
    lm = scripted.ScriptedReasoner(lambda d, q, begun, k: f" The answer is {10 if rng.random() < 0.5 else 3}.")
    named = [step_curve(lm, "?", STEPS, answer=10, n=20).decisive for _ in range(40)]
    assert sum(one is not None for one in named) <= 5


def test_the_endings_are_those_of_the_prompts():
    lm = goes_by(STEPS[0])
    demonstration = Solution("Is it?", ("1 + 1 = 2",), "2")
    step_curve(lm, "?", STEPS, n=2, demonstrations=[demonstration])
    whole = Solution("?", STEPS, "")
    expected = [render_steps([demonstration], truncate(whole, kept)) for kept in range(4)]
    assert sorted(lm.prompts) == sorted(expected)


def test_what_cannot_be_asked_is_said_in_a_sentence():
    with pytest.raises(XllmError, match="at least one step"):
        step_curve(goes_by("x"), "?", ())
    with pytest.raises(XllmError, match="at least one step and two endings"):
        step_curve(goes_by("x"), "?", STEPS, n=1)
    with pytest.raises(XllmError, match="no number"):
        step_curve(scripted.ScriptedReasoner(lambda *a: " who knows"), "?", STEPS)


def test_a_stop_keeps_the_finished_points():
    asked = []
    with progress.watch(lambda *told: asked.append(told), lambda: len(asked) == 2):
        curve = step_curve(goes_by(STEPS[0]), "?", STEPS, n=4)
    assert curve.table["kept"].tolist() == [0, 3]


def test_answers_after_an_edit_are_counted():
    lm = scripted.ScriptedReasoner(
        lambda d, q, begun, k: " 9." if "The answer is" in begun else f" 12 - 3 = {9 + k % 2}."
    )
    free = answers_after(lm, Solution("?", STEPS[:1], "9"), n=10)
    assert free["answer"].tolist() == ["10", "9"]
    assert free["count"].tolist() == [5, 5]
    at_once = answers_after(lm, Solution("?", STEPS[:1], "9"), n=10, concluding=True)
    assert at_once[["answer", "share"]].to_numpy().tolist() == [["9", 1.0]]
    assert distribution([" I do not know", " The answer is 1."])["answer"].tolist() == ["1", "none"]
    assert commonest([" 3.", " 4.", " 4."]) == 4
    assert commonest([]) is None


def test_a_real_model_answers_for_every_edit(pebble):
    one = load_problems(pebble, steps=2, trials=1).test[0]
    logprobs = answer_logprobs(pebble, one, [one.answer, int(one.answer) + 1])
    expected = pebble.logprobs([render_steps([], one, concluding=True)], [f" {one.answer}."])[0, 0]
    assert logprobs[0] == pytest.approx(expected, abs=1e-3)
    curve = step_curve(pebble, one.question, one.steps, answer=one.number, n=2)
    assert curve.table["n"].tolist() == [2, 2, 2]
