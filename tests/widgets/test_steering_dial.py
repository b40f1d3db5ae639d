"""The dial holds a setting that can be, takes answers that belong to it, and says what they mean."""

import json
import re

import pytest

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.steering_dial import SteeringDial, coherence


def answered(dial: SteeringDial, request: int, stage: str) -> None:
    """A scripted model whose yes follows the push, and whose text falls apart with its size."""
    push = dial.signed_strength
    if stage == "probabilities":
        dial.answer_probabilities(request, [" yes", " no"], [0.5, 0.5], [0.5 + push / 4, 0.5 - push / 4])
    else:
        texts = ({"text": "So it is.", "perplexity": 10.0}, {"text": "So.", "perplexity": 10.0 * (1 + abs(push))})
        dial.answer_text(request, *texts)


@pytest.fixture
def dial() -> SteeringDial:
    made = SteeringDial(["honesty", "warmth"], [1, 2, 3], "Is it true?", title="Dial")
    made.on_ask(answered)
    return made


def test_it_starts_unsteered_at_the_middle_layer_on_every_token(dial) -> None:
    assert dial.tokens == ["Is", " it", " true?"]
    assert dial.setting == {
        "concept": "honesty", "layers": [2], "strength": 0.0, "direction": "concept", "seed": 0, "positions": [],
        "prompt": "Is it true?",
    }  # fmt: skip
    given = SteeringDial(["a"], [4], "x", layers=[4], strength=1.5, direction="random", positions=[0]).setting
    assert (given["layers"], given["strength"], given["direction"], given["positions"]) == ([4], 1.5, "random", [0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"concept": "anger"}, "no concept 'anger'; choose one of honesty, warmth"),
        ({"layers": []}, "one layer or more of 1, 2, 3, not []"),
        ({"layers": [1, 9]}, "not [1, 9]"),
        ({"strength": 2.5}, "from -2 to 2 residual norms, not 2.5"),
        ({"strength": float("nan")}, "not nan"),
        ({"direction": "up"}, "one of concept, reversed, random"),
        ({"positions": [3]}, "tokens 0 to 2"),
        ({"colour": "red"}, "no 'colour'; it has concept"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(dial, change, said) -> None:
    before = dict(dial.setting)
    with pytest.raises(ViewError, match=re.escape(said)):
        dial.set(**change)
    assert (dial.setting, dial.request) == (before, 0)


def test_nothing_to_steer_is_refused() -> None:
    with pytest.raises(ViewError, match="a concept and a layer"):
        SteeringDial([], [1])


def test_a_new_prompt_forgets_the_positions_of_the_old_one(dial) -> None:
    dial.set(positions=[2, 0, 0])
    assert dial.setting["positions"] == [0, 2]
    dial.set(prompt="Well?")
    assert (dial.tokens, dial.setting["positions"]) == (["Well?"], [])


def test_a_move_in_the_browser_comes_back_with_its_probabilities_and_text_follows(dial) -> None:
    dial.command = {"n": 1, "change": {"strength": 1.0}}
    assert (dial.request, dial.obeyed) == (1, 1)
    assert dial.current("probabilities")["steered"] == [0.75, 0.25]
    assert dial.current("texts") is None
    dial.ask = {"request": 1, "stage": "text"}
    assert dial.current("texts")["ratio"] == 2.0
    dial.command = {"n": 2, "change": {"direction": "reversed"}}
    assert dial.current("probabilities")["steered"] == [0.25, 0.75]


def test_what_the_browser_asks_in_vain_is_said_and_counted_as_heard(dial) -> None:
    dial.command = {"n": 1, "change": {"layers": []}}
    assert "one layer or more" in dial.error
    assert (dial.request, dial.obeyed) == (0, 1)
    dial.command = {"n": 2, "change": {"layers": [3]}}
    assert dial.error == ""


def test_answers_to_an_earlier_setting_are_dropped(dial) -> None:
    dial.set(strength=1)
    answered(dial, 0, "probabilities")
    answered(dial, 0, "text")
    assert dial.current("probabilities") is dial.current("texts") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((["a"], [0.1], [0.1, 0.2]), "1 words need as many"), ((["a"], [0.1], [1.2]), "between 0 and 1")],
)
def test_probabilities_that_are_none_are_refused(dial, arguments, said) -> None:
    with pytest.raises(ViewError, match=said):
        dial.answer_probabilities(0, *arguments)


def test_an_impossible_perplexity_is_refused_and_an_infinite_one_stays_json(dial) -> None:
    good, bad = {"text": "a", "perplexity": 2.0}, {"text": "b", "perplexity": 0.0}
    with pytest.raises(ViewError, match="above zero"):
        dial.answer_text(0, good, bad)
    dial.answer_text(0, good, {"text": "b", "perplexity": float("inf")})
    assert dial.texts["verdict"] == "broken"
    json.dumps(dial.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("ratio", "word"), [(0.5, "coherent"), (1.1, "coherent"), (1.11, "strained"), (2, "strained"), (2.01, "broken")]
)
def test_coherence_has_three_words(ratio, word) -> None:
    assert coherence(ratio) == word


def test_words_hold_the_setting_and_both_sides(dial) -> None:
    dial.set(strength=0.5, direction="random", positions=[2], layers=[1, 3]).refresh()
    assert dial.describe() == (
        "Dial: random 0 × +0.50 residual norms, layers 1, 3, on ' true?'. "
        "Next token: ' yes' 50.0% → 62.5%, ' no' 50.0% → 37.5%. Unsteered: 'So it is.'. Steered: 'So.'. "
        "Perplexity 10 → 15 (× 1.50), strained."
    )


def test_a_failing_model_is_said_in_the_view_and_in_words(dial) -> None:
    def fails(dial, request, stage):
        raise ZeroDivisionError("nothing")

    dial.on_ask(fails)
    assert "could not be computed" in dial.refresh().describe()


def test_the_picture_is_answered_first(dial) -> None:
    dial.set(strength=1.0)
    data, _ = dial._repr_mimebundle_()
    assert "Perplexity 10 → 20" in data["text/plain"]
    assert dial.to_png().startswith(b"\x89PNG")
