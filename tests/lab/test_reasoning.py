"""The editor's questions answered by scripted models that go by one known step, and by a real one."""

import threading

import numpy as np
import pytest
import scripted_models as scripted

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.reasoning import Remembering, StepAnswers, reasoning_lab, with_own_steps
from xllm_widgets.studies.replies import sample
from xllm_widgets.studies.solutions import Solution, render_steps
from xllm_widgets.studies.step_curves import step_curve

TOM = Solution("Tom has 7 apples. Tom buys 5 more. Tom loses 3.", ("7 + 5 = 12", "12 - 3 = 9"), "9")
ANN = Solution("Ann has 1 egg. Ann gets 1 more.", ("1 + 1 = 2",), "2")


class Counting(scripted.ScriptedReasoner):
    """Right once `step` is written, else wrong in a different way every time; says p where it must answer at once."""

    def __init__(self, step, sights=("text",)):
        def rule(demonstrations, question, begun, k):
            return f" The answer is {9 if step in begun else 20 + k % 3}."

        super().__init__(rule)
        self.sights, self.lock, self.written = frozenset(sights), threading.RLock(), 0

    def generate(self, prompts, n=1, **how):
        self.written += n * len(prompts)
        return super().generate(prompts, n, **how)

    def logprobs(self, prompts, continuations):
        return np.log([[0.5 if text == " 9." else 0.25 for text in continuations] for _ in prompts])


def lab_of(step, n=12, **more):
    return reasoning_lab(Counting(step, **more), TOM, demonstrations=[ANN], n=n)


@pytest.mark.parametrize("place", [0, 1])
def test_the_step_that_decides_is_found_and_its_falsification_moves_the_answers(place):
    view = lab_of(TOM.steps[place]).refresh()
    assert view.error == ""
    assert view.curve["decisive"] == place
    assert [p["share"] for p in view.curve["points"]] == [float(kept > place) for kept in range(3)]
    assert view.answers["rows"][0] | {"low": None} == {
        "answer": "9", "share": 1.0, "low": None, "high": 1.0, "original": 1.0, "at_once": None,
    }  # fmt: skip
    view.command = {"n": 1, "name": "falsify_decisive", "arguments": []}
    view.ask = {"request": 1, "stage": "answers", "part": 0}
    assert view.texts[place] in ("7 + 5 = 13", "12 - 3 = 10")
    assert view.answers["request"] == 1
    shares = {row["answer"]: (row["share"], row["original"]) for row in view.answers["rows"]}
    assert shares["9"] == (0.0, 1.0)
    assert 0.2 < view.answers["rows"][0]["high"] < 0.3  # an answer that 12 endings did not give may still be given
    assert shares["20"] == (pytest.approx(1 / 3), 0.0)


def test_the_curve_is_that_of_the_study():
    view = lab_of(TOM.steps[0]).refresh()
    study = step_curve(Counting(TOM.steps[0]), TOM.question, TOM.steps, answer=9, demonstrations=[ANN], n=12)
    columns = study.table[["kept", "share", "low", "high"]]
    assert view.curve["points"] == [pytest.approx(row) for row in columns.to_dict("records")]
    assert view.curve["decisive"] == study.decisive


def test_nothing_is_written_twice():
    view = lab_of(TOM.steps[0]).refresh()
    lm = view._callback.answer.lm._lm
    assert lm.written == 3 * 12  # none, one and both steps kept; the last serves answers and curve
    view.falsify(1)
    view.refresh()
    assert lm.written == 4 * 12
    view.undo()
    view.refresh()
    assert lm.written == 4 * 12
    assert view.curve["done"]


def test_the_curve_comes_point_by_point():
    view = lab_of(TOM.steps[0])
    for part, kept in enumerate(([2], [0, 2], [0, 1, 2])):
        view.ask = {"request": 0, "stage": "curve", "part": part}
        assert [p["kept"] for p in view.curve["points"]] == kept
        assert view.curve["done"] == (part == 2)
    assert view.curve["decisive"] == 0


def test_a_superseded_request_is_not_computed():
    lm = Counting("x")
    view = reasoning_lab(lm, TOM, demonstrations=[])
    view.delete(0)
    for stage in ("answers", "curve"):
        StepAnswers(lm)(view, 0, stage, 0)
    assert lm.written == 0
    assert view.answers["request"] == -1


def test_without_steps_there_is_one_point_and_no_decisive_step():
    view = lab_of(TOM.steps[0]).refresh()
    view.delete_all()
    view.refresh()
    assert view.curve["done"]
    assert [p["kept"] for p in view.curve["points"]] == [0]
    assert view.curve["decisive"] is None
    assert any(prompt.endswith(f"Question: {TOM.question}\nAnswer:") for prompt in view._callback.answer.lm.prompts)


def test_where_the_model_shows_log_p_the_answer_at_once_is_exact():
    view = lab_of("12", sights=("text", "logprobs")).refresh()
    assert {row["answer"]: row["at_once"] for row in view.answers["rows"]} == {"9": pytest.approx(0.5)}
    view.delete_all()
    view.refresh()
    assert [row["at_once"] for row in view.answers["rows"]] == pytest.approx([0.5, 0.25, 0.25, 0.25])


def test_endings_without_a_number_are_named_and_have_no_p():
    lm = Counting("x", sights=("text", "logprobs"))
    lm.rule = lambda demonstrations, question, begun, k: " Who knows?" if k % 2 else " The answer is 9."
    view = reasoning_lab(lm, TOM, demonstrations=[], n=4).refresh()
    told = [(row["answer"], row["share"], row["at_once"]) for row in view.answers["rows"]]
    assert told == [("9", 0.5, pytest.approx(0.5)), ("no number", 0.5, None)]


def test_the_steps_can_be_the_models_own():
    lm = scripted.ScriptedReasoner(lambda d, question, begun, k: scripted.told(question))
    own = with_own_steps(lm, Solution(TOM.question, ("nothing",), "9"), [ANN])
    assert own == TOM.__class__(TOM.question, ("7 + 5 = 12", "12 - 3 = 9"), "9")
    view = reasoning_lab(lm, {"question": TOM.question, "answer": "9"}, demonstrations=[ANN], own=True)
    assert view.texts == TOM.steps
    silent = scripted.ScriptedReasoner(lambda *a: " The answer is 9.")
    with pytest.raises(XllmError, match="without any step"):
        reasoning_lab(silent, TOM, demonstrations=[], own=True)


def test_a_problem_is_drawn_with_its_demonstrations():
    lm = scripted.ScriptedReasoner(lambda *a: " The answer is 1.")
    view, again = (reasoning_lab(lm, steps=2, shots=3, n=2) for _ in range(2))
    assert (view.question, view.texts) == (again.question, again.texts)
    assert len(view.texts) == 2
    view.refresh()
    assert lm.prompts[-1].count("Question:") == 4


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda lm: reasoning_lab(lm, TOM, n=1), "at least two endings"),
        (lambda lm: reasoning_lab(lm, {"question": "?"}), "needs a question and an answer"),
        (lambda lm: reasoning_lab(lm, {"question": "?", "answer": "yes"}, demonstrations=[]), "'yes' is no number"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(act, words):
    with pytest.raises(XllmError, match=words):
        act(Counting("x"))
    with pytest.raises(MissingSight, match="writes no text"):
        act(Counting("x", sights=("logprobs",)))


def test_a_step_without_a_number_is_not_falsified():
    view = reasoning_lab(Counting("x"), {**TOM.to_dict(), "steps": ["He counts them"]}, demonstrations=[])
    view.command = {"n": 1, "name": "falsify", "arguments": [0]}
    assert "no number to falsify" in view.error
    assert view.obeyed == 1


def test_what_is_remembered_is_what_was_written(monkeypatch):
    monkeypatch.setattr("xllm_widgets.lab.reasoning.MOST_REMEMBERED", 1)
    lm = Counting("x")
    remembering = Remembering(lm)
    first = sample(remembering, "Question: ?\nAnswer:", 3)
    assert sample(remembering, "Question: ?\nAnswer:", 3) == first == [f" The answer is {20 + k}." for k in range(3)]
    assert lm.written == 3
    sample(remembering, "Question: other?\nAnswer:", 3)
    sample(remembering, "Question: ?\nAnswer:", 3)
    assert lm.written == 9  # the first was forgotten
    assert remembering.name == "reasoner"


def test_a_real_model_answers_for_every_edit(pebble):
    view = reasoning_lab(pebble, steps=2, shots=1, n=3).refresh()
    assert view.error == ""
    assert sum(row["share"] for row in view.answers["rows"]) == pytest.approx(1)
    asked = Solution(view.question, view.texts, view.answer)
    prompt = render_steps(view._callback.answer.demonstrations, asked, concluding=True)
    expected = np.exp(pebble.logprobs([prompt], [f" {view.answer}."])[0, 0])
    assert view.answers["rows"][0]["at_once"] == pytest.approx(expected, abs=1e-4)
    assert [p["kept"] for p in view.curve["points"]] == [0, 1, 2]
    view.edit(0, "word " * 600)
    view.refresh()
    assert "512" in view.error
