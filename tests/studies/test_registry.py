"""Studies introduce themselves, refuse what does not exist, and are remembered."""

import numpy as np
import pytest
import scripted_models as scripted

import xllm_widgets as xw
from xllm_widgets.errors import XllmError
from xllm_widgets.studies import progress, registry
from xllm_widgets.studies.in_context_learning import contrastive_demonstrations, flipped_labels, unrelated_labels


def test_knobs_are_read_from_the_signature():
    knobs = {knob.name: knob for knob in flipped_labels.info.knobs}
    assert list(knobs) == ["flipped", "shots", "trials", "draws", "seed", "data"]
    assert knobs["shots"].default == 8
    assert knobs["shots"].between == registry.Between(2, 16, 2)
    method = next(knob for knob in contrastive_demonstrations.info.knobs if knob.name == "method")
    assert "occlusion" in method.options


def test_every_study_is_in_the_table():
    table = xw.studies()
    assert {"flipped_labels", "unrelated_labels", "contrastive_demonstrations"} <= set(table["study"])
    assert {"01", "02"} <= set(table["chapter"])
    with pytest.raises(XllmError, match=r"'flipped'; there are flipped_labels"):
        registry.find("flipped")


def test_an_unknown_setting_names_the_known_ones(follower):
    with pytest.raises(XllmError, match=r"no setting 'shot'; its settings are flipped, shots"):
        flipped_labels(follower, shot=3)


def test_evidence_says_where_it_came_from(pebble):
    evidence = flipped_labels(pebble, flipped=(0,), shots=2, trials=2, draws=1)
    assert evidence.knobs == {"flipped": (0,), "shots": 2, "trials": 2, "draws": 1, "seed": 0, "data": None}
    assert evidence.provenance["model"] == pebble.name
    assert evidence.provenance["weights"] == registry.weights_hash(pebble) != "not hashed"


def test_the_code_shown_gives_the_same_evidence(pebble):
    evidence = unrelated_labels(pebble, label_words=("foo", "bar"), shots=2, trials=6, draws=1)
    scope: dict = {}
    exec(registry.code(unrelated_labels, pebble.name, evidence.knobs), scope)
    assert scope["evidence"].to_json() == evidence.to_json()


def test_a_table_that_cannot_be_written_down_keeps_its_name(follower):
    rows = {"data": np.zeros(3)}
    assert "data=data" in registry.code(flipped_labels, "m", rows)


def test_the_cost_is_that_of_all_parts(follower):
    seconds = registry.estimate_seconds(flipped_labels, follower, parts=1, trials=400)
    calls = len(follower.prompts)
    assert calls == 60  # one part: 4 questions × 3 draws × 5 shares
    assert seconds > 0


def test_what_was_measured_is_remembered_by_weights_settings_and_code(pebble, tmp_path, monkeypatch):
    def run(**knobs):
        seen = []
        with progress.watch(lambda *told: seen.append(told), memory=tmp_path):
            evidence = flipped_labels(pebble, shots=2, draws=1, flipped=(0,), **knobs)
        return evidence, len(seen)

    first, parts = run(trials=4)
    assert parts > 0
    again, parts = run(trials=4)
    assert parts == 0
    assert again.to_json() == first.to_json()
    assert run(trials=5)[1] > 0
    monkeypatch.setattr(registry, "weights_hash", lambda lm: "other weights")
    assert run(trials=4)[1] > 0


def test_half_a_run_is_not_remembered(pebble, tmp_path):
    with progress.watch(should_stop=iter([False] + [True] * 99).__next__, memory=tmp_path):
        evidence = flipped_labels(pebble, shots=2, trials=100, draws=2)
    assert evidence.notes
    assert not list(tmp_path.iterdir())


def test_nothing_is_remembered_where_the_weights_are_not_known(tmp_path):
    settings = {"data": None}
    big = scripted.ScriptedLM(scripted.keep_prior)
    assert registry.memory_of(flipped_labels.info, big, settings, tmp_path) is None
    assert registry.memory_of(flipped_labels.info, big, {"data": [object()] and np.zeros(2)}, tmp_path) is None
