"""Two readings of one text in; the difference, where it is largest, and whose it is, in words."""

import json

import pytest

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.model_diff import ModelDiff

STEPS = [
    {"token": "Is", "logprobs": [None, None]},
    {"token": " it", "logprobs": [-1.0, -3.0], "top": [{"token": " it", "p": [0.37, 0.05]}]},
    {"token": " so?\n", "logprobs": [-2.0, -1.5]},
]
NEXT = [{"token": " no", "p": [0.2, 0.05]}, {"token": " yes", "p": [0.1, 0.9]}, {"token": " maybe", "p": [0.3, None]}]


def test_the_difference_its_place_and_both_next_tokens_are_said() -> None:
    assert ModelDiff(STEPS, NEXT, [" no.", " yes!"]).describe() == (
        "base beside chat\n"
        "base expected this text more, by 1.50 nats over 2 tokens; they part most at “ it” (base by 2.00).\n"
        "Next token (base / chat): ' yes' 10 % / 90 %, ' maybe' 30 % / –, ' no' 20 % / 5.0 %\n"
        "base goes on: ' no.'\nchat goes on: ' yes!'"
    )


def test_differences_are_second_less_first_and_none_where_none_is() -> None:
    assert ModelDiff(STEPS).differences == [None, -2.0, 0.5]
    assert ModelDiff([{"token": "a", "logprobs": [float("nan"), -1]}]).differences == [None]


def test_alike_and_empty_are_said() -> None:
    same = [{"token": "a", "logprobs": [-1.0, -1.001]}]
    assert ModelDiff(same, names=["one", "other"]).said == "one and other read these 1 tokens alike."
    assert "Nothing was read" in ModelDiff().describe()


def test_the_state_is_plain_json_and_comes_back_as_it_was() -> None:
    state = json.loads(json.dumps(ModelDiff(STEPS, NEXT, ["a", "b"]).to_dict(), allow_nan=False))
    again = ModelDiff(state["steps"], state["following"], state["continuations"], names=state["names"])
    assert again.to_dict() == state
    assert [row["token"] for row in again.following] == [" yes", " maybe", " no"], "the likeliest first"


def test_new_steps_and_names_are_said_anew_and_the_choice_is_taken_back() -> None:
    view, heard = ModelDiff(STEPS), []
    view.on_select(heard.append)
    view.selected = 1
    view.names = ["small", "large"]
    assert view.said.startswith("small expected")
    view.steps = STEPS[2:]
    assert (view.differences, view.selected, heard) == ([0.5], -1, [1, -1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": [{"token": "a"}]}, "A step lacks logprobs"),
        ({"steps": [{"token": "a", "logprobs": [-1.0]}]}, "Two models have two log-probabilities, not 1"),
        ({"steps": [{"token": "a", "logprobs": [0.5, -1.0]}]}, "are no log-probabilities"),
        ({"following": [{"token": "a", "p": [0.5, 50]}]}, "are no probabilities"),
        ({"continuations": ["only one"]}, "Two models have two continuations, not 1"),
        ({"names": ["base"]}, "Two models have two names, not 1"),
        ({"steps": [STEPS[1]] * 2001}, "pass a slice"),
    ],
)
def test_what_is_no_pair_is_refused(given, said) -> None:
    with pytest.raises(ViewError, match=said):
        ModelDiff(**given)
