"""A panel for every study, built from its signature; what it shows is what the study returns."""

import asyncio
import json
import threading

import ipywidgets
import pandas as pd
import pytest
import scripted_models as scripted

from xllm_widgets.classroom import journal
from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab import Lab, lab
from xllm_widgets.studies import registry
from xllm_widgets.studies.evidence import judge
from xllm_widgets.studies.in_context_learning import flipped_labels, unrelated_labels
from xllm_widgets.widgets.prediction_card import PredictionCard

TINY = {"shots": 2, "trials": 10}
CHEAP = {"shots": 2, "method": "gradient_norm", "draws": 1, "shuffles": 2, "randoms": 1}


def box(panel, name):
    return next(each.input for each in panel.controls if each.name == name)


def quick(info):
    """The cheapest settings of those that a study has."""
    lowest = {knob.name: int(knob.between.low) for knob in info.knobs if knob.name == "trials"}
    return lowest | {knob.name: CHEAP[knob.name] for knob in info.knobs if knob.name in CHEAP}


@pytest.mark.parametrize("info", registry.all_studies(), ids=lambda info: info.name)
def test_every_study_has_a_panel_that_runs(info, pebble):
    knobs = quick(info)
    panel = lab(info.name, pebble, **knobs)
    assert [each.name for each in panel.controls] == [knob.name for knob in info.knobs]
    assert panel.cost.value.startswith("about ")
    evidence = panel.run()
    assert panel.said == " · ".join(evidence.notes)
    assert [claim["statement"] for claim in panel.cards.claims] == [claim.statement for claim in evidence.claims]
    assert bytes(panel.picture.value).startswith(b"\x89PNG")
    assert evidence.knobs == registry.check_call(info, pebble, knobs)
    for c in evidence.claims:  # a verdict can be found again, as pooling over seeds does
        again = judge(c.estimate, c.low, c.high, threshold=c.threshold, null=c.null, control=c.control, claim=c.kind)
        assert again == c.verdict
    scope: dict = {}
    exec(panel.cards.code, scope)
    assert scope["evidence"].to_json() == evidence.to_json()


def test_the_study_with_an_editor_begins_with_it(pebble):
    from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor

    panel = lab("contrastive_demonstrations", pebble, method="gradient_norm", **TINY)
    assert isinstance(panel.children[0], DemonstrationEditor)
    assert panel.children[0].refresh().error == ""


def test_controls_follow_the_signature(follower):
    panel = lab(flipped_labels, follower)
    shots = box(panel, "shots")
    assert isinstance(shots, ipywidgets.BoundedIntText)
    assert (shots.min, shots.max, shots.step, shots.value) == (2, 16, 2, 8)
    assert box(panel, "flipped").value == "0, 0.25, 0.5, 0.75, 1"
    box(panel, "flipped").value = "0, 1"
    assert panel.run().knobs["flipped"] == (0, 1)
    assert "flipped=(0, 1)" in panel.cards.code


@pytest.mark.parametrize(("typed", "read"), [("", None), (" yes , no", ("yes", "no"))])
def test_lists_of_words_may_be_left_empty(follower, typed, read):
    panel = lab(unrelated_labels, follower, **TINY)
    box(panel, "label_words").value = typed
    assert panel.run().knobs["label_words"] == read


def test_a_table_is_kept_and_named(follower):
    rows = pd.DataFrame({"text": [f"{w} film {i}" for i in range(20) for w in ("great", "dull")], "label": [1, 0] * 20})
    panel = lab(flipped_labels, follower, data=rows, draws=1, **TINY)
    assert "DataFrame" in box(panel, "data").value
    assert panel.run().knobs["data"] is rows
    assert "data=data" in panel.cards.code


def test_errors_are_sentences_and_the_panel_goes_on(follower):
    panel = lab(flipped_labels, follower, draws=1, **TINY)
    box(panel, "flipped").value = "0, half"
    assert panel.said == "flipped takes numbers separated by commas, not '0, half'."
    assert panel.run() is None
    box(panel, "flipped").value = "0, 1"
    assert panel.said == ""
    box(panel, "data").value = "nowhere.tsv"
    assert "neither a readable file" in panel.said
    assert panel.run() is None
    box(panel, "data").value = ""
    assert panel.run() is not None
    assert not panel.run_button.disabled


def test_even_a_bug_is_said_in_a_sentence():
    def rule(demonstrations, question):
        raise ZeroDivisionError("by nothing")

    panel = lab(flipped_labels, scripted.ScriptedLM(lambda d, q: "positive"), **TINY)
    panel.lm.rule = rule
    panel.run()
    assert panel.said.startswith("This could not be computed (ZeroDivisionError: by nothing).")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("flip",), r"No study is called 'flip'"),
        ((flipped_labels, {"shot": 1}), r"no setting 'shot'"),
        ((flipped_labels, {"shots": 99}), r"shots = 99 is outside 2 to 16"),
    ],
)
def test_what_does_not_exist_is_refused(follower, arguments, error):
    study, *knobs = arguments
    with pytest.raises(XllmError, match=error):
        lab(study, follower, **(knobs[0] if knobs else {}))


def test_a_model_without_the_sight_is_refused(follower):
    with pytest.raises(MissingSight):
        lab("contrastive_demonstrations", follower)


def test_the_null_control_can_be_hidden_and_shown(follower):
    panel = lab(flipped_labels, follower, **TINY)
    panel.run()
    assert panel.cards.claims[1]["control"] == 0.0
    panel.shows_control.value = False
    assert [claim["control"] for claim in panel.cards.claims] == [None, None]
    panel.shows_control.value = True
    assert panel.cards.claims[1]["control"] == 0.0


def test_the_cost_follows_the_trials_without_measuring_again(follower):
    panel = lab(flipped_labels, follower, **TINY)
    asked = len(follower.prompts)
    assert asked > 0
    box(panel, "trials").value = 1000
    assert panel.cost.value.startswith("about ")
    assert len(follower.prompts) == asked


def test_a_large_model_is_not_run_before_it_is_asked(follower):
    follower.n_parameters = 10**9
    panel = lab(flipped_labels, follower, **TINY)
    assert follower.prompts == []
    assert "while it runs" in panel.cost.value


def earlier(job, seconds):
    job.started -= seconds
    return job


def test_a_run_says_what_it_took_and_what_the_next_will_take(follower, monkeypatch):
    follower.n_parameters = 10**9
    panel = lab(flipped_labels, follower, **TINY)
    begun = panel._start
    monkeypatch.setattr(panel, "_start", lambda: earlier(begun(), 300))
    panel.run()
    assert panel.cost.value == "took 5 min here"
    box(panel, "trials").value = 2 * TINY["trials"]
    assert panel.cost.value == "about 10 min here"
    box(panel, "shots").value = 4
    assert "while it runs" in panel.cost.value


def test_the_prediction_comes_first_and_is_scored(follower):
    card = PredictionCard("What will it do?", ["shown", "not shown", "reversed"])
    panel = lab(flipped_labels, follower, prediction=card, **TINY)
    assert card in panel.children
    assert panel.run() is None
    assert panel.said == "Write down your prediction and lock it first; then run."
    card.predict("shown", 0.8)
    card.lock()
    panel.run()
    assert (card.outcome, card.correct) == (
        panel.evidence.claims[0].verdict,
        panel.evidence.claims[0].verdict == "shown",
    )


def test_a_number_is_scored_with_what_the_caller_measures(follower):
    card = PredictionCard("How many follow?", low=0, high=1)
    card.predict(0.9)
    card.lock()
    panel = lab(flipped_labels, follower, prediction=card, outcome=lambda e: e.claims[1].estimate, **TINY)
    panel.run()
    assert card.outcome == panel.evidence.claims[1].estimate == 1.0


def test_a_run_is_written_into_the_journal(follower, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_session", {})
    kept = journal.keep_journal("Ada", tmp_path)
    card = PredictionCard("How many follow?", low=0, high=1)
    card.predict(0.9, 0.8)
    card.lock()
    panel = lab(flipped_labels, follower, prediction=card, outcome=lambda e: e.claims[1].estimate, **TINY)
    panel.run()
    locked, run, came = kept.entries()
    assert (locked["kind"], came["outcome"], came["card"]) == ("prediction", 1.0, locked["card"])
    assert (run["study"], run["model"]) == ("flipped_labels", "follower")
    assert run["knobs"] == panel.evidence.knobs | {"flipped": list(panel.evidence.knobs["flipped"])}
    assert run["claims"] == [claim.to_dict() for claim in panel.evidence.claims]
    kept.path.write_text("{")
    panel.run()
    assert "set aside as Ada.damaged-1.json" in panel.said


class Slow(scripted.ScriptedLM):
    """Waits at every call until it is let on, so that a test can look at the panel in between."""

    def __init__(self, rule):
        super().__init__(rule, "slow")
        self.go, self.came = threading.Semaphore(100), threading.Event()

    def logprobs(self, *args, **kwargs):
        assert self.go.acquire(timeout=20)
        self.came.set()
        return super().logprobs(*args, **kwargs)


def test_in_a_notebook_the_click_returns_at_once_and_stop_is_heard(monkeypatch):
    """A kernel has a running event loop, here asyncio.run: the work goes on in a thread, the loop stays free."""
    from xllm_widgets.lab import panel as of

    monkeypatch.setattr(of, "BLINK", 0.01)
    lm = Slow(scripted.follow_labels)
    panel = lab(flipped_labels, lm, shots=2, trials=200, draws=1)
    lm.go, lm.came = threading.Semaphore(2), threading.Event()

    async def notebook():
        panel.run_button.click()
        assert panel.run_button.disabled
        while panel.bar.value < 2:
            await asyncio.sleep(0.01)
        assert "part 2 of 17" in panel.said
        panel.run_button.click()
        panel.stop_button.click()
        for _ in range(100):
            lm.go.release()
        await panel._following

    asyncio.run(asyncio.wait_for(notebook(), 30))
    assert 0 < panel.evidence.table["item"].nunique() < 200
    assert "stopped after" in panel.said
    assert not panel.run_button.disabled
    assert panel.stop_button.disabled


def test_a_stop_before_the_first_part_is_said(follower, monkeypatch):
    panel = lab(flipped_labels, follower, **TINY)
    begin = panel._start
    monkeypatch.setattr(panel, "_start", lambda: (begin(), panel.stop(), panel.job)[-1])
    assert panel.run() is None
    assert "Stopped before the first part" in panel.said


def test_where_widgets_do_not_run_there_are_words_and_a_picture(follower):
    panel = lab(flipped_labels, follower, **TINY)
    data, _ = panel._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert "shots 2" in data["text/plain"]
    panel.run()
    data, meta = panel._repr_mimebundle_()
    assert "● shown here" in data["text/plain"]
    assert meta["image/png"]["alt"] == data["text/plain"]
    json.dumps(data)
    assert isinstance(panel, Lab)
