"""The student's curve is the journal's, the model's is that of its own probabilities."""

import numpy as np
import pytest

from xllm_widgets import classroom
from xllm_widgets.errors import XllmError
from xllm_widgets.lab import reliability_lab
from xllm_widgets.methods.calibration import reliability
from xllm_widgets.studies.representation_items import draw_facts


@pytest.fixture
def journal(tmp_path):
    made = classroom.Journal("Ada", tmp_path)
    for number, (sure, right) in enumerate(((0.9, True), (0.9, True), (0.9, False), (0.55, False))):
        about = {"card": str(number), "question": "?", "prediction": "a", "confidence": sure}
        made.add("prediction", **about)
        made.add("outcome", card=str(number), outcome="a", correct=right)
    made.add("prediction", card="open", question="?", prediction="a", confidence=1.0)
    return made


def test_you_beside_the_model(pebble, journal):
    view = reliability_lab(pebble, journal=journal, trials=12)
    yours, theirs = view.series
    assert [yours["name"], theirs["name"]] == ["you", pebble.name]
    assert (yours["n"], yours["accuracy"]) == (4, 0.5)  # the open one has not come out
    assert yours["brier"] == pytest.approx(np.mean([0.01, 0.01, 0.81, 0.3025]))
    assert theirs["n"] == 12


def test_the_models_curve_is_that_of_its_own_probabilities(pebble):
    facts = draw_facts(pebble, 12, "test", "test", 0)
    sure, right = [], []
    for fact in facts:
        p = np.exp(pebble.logprobs([fact.stem], list(fact.endings))[0])
        sure.append(p.max() / p.sum())
        right.append(p.argmax() == 0)
    expected = reliability(sure, right, 5)
    (found,) = reliability_lab(pebble, trials=12, journal=None).series[-1:]
    assert found["confidence"] == pytest.approx(expected["confidence"], rel=1e-4)
    assert found["accuracy"] == expected["accuracy"]


def test_without_predictions_and_without_a_model_it_says_what_to_do(tmp_path):
    with pytest.raises(XllmError, match="lock one and score it"):
        reliability_lab(journal=classroom.Journal("Nobody", tmp_path))
