"""Answers and their clusters in, semantic entropy out: by share and by probability, in nats, in pieces."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.sample_clusters import SampleClusters


def answer(text: str, cluster: object, p: float | None = 0.1) -> dict:
    return {"text": text, "logprob": None if p is None else math.log(p), "cluster": cluster}


FOUR = [answer("Paris", 0, 0.4), answer("It is Paris", 0, 0.2), answer("Paris", 0, 0.4), answer("Lyon", 1, 0.2)]


def test_the_message_the_pieces_and_every_wording_are_said() -> None:
    assert SampleClusters(FOUR, "Capital?", title="What is meant").describe() == (
        "What is meant: Capital?\n"
        "4 answers, 3 wordings, 2 meanings: semantic entropy 0.56 nats, as unsure as between 1.8 equally likely "
        "meanings.\n"
        "−Σ p ln p = 0.22 (A) + 0.35 (B) = 0.56 nats\n"
        "  A 75 % (3 answers): 'Paris' × 2 ln p −0.92; 'It is Paris' × 1 ln p −1.61\n"
        "  B 25 % (1 answer): 'Lyon' × 1 ln p −1.61"
    )


def test_probability_counts_each_wording_once() -> None:
    view = SampleClusters(FOUR, weigh="probability")
    assert [one["probability"] for one in view.clusters] == pytest.approx([0.75, 0.25])
    assert [one["share"] for one in view.clusters] == [0.75, 0.25]
    tiny = SampleClusters([answer("a", 0) | {"logprob": -2000.0}, answer("b", 1) | {"logprob": -2000.0}])
    assert tiny.entropy["probability"] == pytest.approx(math.log(2)), "long answers do not underflow"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), min_size=1, max_size=30))
def test_entropy_is_scipys_and_lies_between_nothing_and_the_wordings(drawn) -> None:
    view = SampleClusters([answer(text + str(cluster), cluster) for text, cluster in drawn])
    counts = np.unique([cluster for _, cluster in drawn], return_counts=True)[1]
    assert view.entropy["share"] == pytest.approx(entropy(counts), abs=1e-12)
    assert -1e-12 <= view.entropy["share"] <= view.entropy["wordings"] + 1e-12 <= view.entropy["most"] + 2e-12


def test_one_meaning_is_certainty_and_no_answer_is_said() -> None:
    assert "sure of what it means" in SampleClusters([answer("yes", 0), answer("Yes!", 0)]).describe()
    assert "No answers yet" in SampleClusters().describe()


def test_without_log_probabilities_answers_are_counted_only() -> None:
    view = SampleClusters([answer("yes", 0, None), answer("no", 1)], names={1: "denial"})
    assert view.entropy["probability"] is None
    assert [one["name"] for one in view.clusters] == ["yes", "denial"]
    with pytest.raises(ViewError, match="needs the `logprob` of every answer"):
        view.weigh = "probability"


def test_new_samples_are_weighed_as_they_can_be_and_the_choice_is_taken_back() -> None:
    view, heard = SampleClusters(FOUR, weigh="probability"), []
    view.on_select(heard.append)
    view.selected = 1
    view.samples = [answer("yes", "y", None)]
    assert (view.weigh, view.selected, heard) == ("share", -1, [1, -1])
    assert [one["cluster"] for one in view.clusters] == ["y"]


def test_the_state_is_plain_json_and_comes_back_as_it_was() -> None:
    state = json.loads(json.dumps(SampleClusters(FOUR, "Capital?").to_dict(), allow_nan=False))
    assert SampleClusters(state["samples"], state["prompt"]).clusters == state["clusters"]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([{"text": "x"}], "A sample lacks logprob, cluster"),
        ([{"text": "x", "logprob": 0.4, "cluster": 0}], "0.4 is no log-probability"),
        (FOUR * 101, "pass fewer"),
    ],
)
def test_what_is_no_sample_is_refused(samples, said) -> None:
    with pytest.raises(ViewError, match=said):
        SampleClusters(samples)
