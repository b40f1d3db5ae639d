"""The ladder of scale on models whose behaviour is written down, and its recording, which loses nothing."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest
import scripted_models as scripted

from xllm_widgets import claims
from xllm_widgets.errors import ModelNotFound
from xllm_widgets.studies import progress, scale
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.in_context_learning import flipped_labels

SMALL = {"trials": 30, "draws": 2}


@pytest.fixture
def family(monkeypatch):
    """Makes a family of rules: name → (parameters, recipe, rule)."""

    def make(**members):
        cards = {
            name: {"parameters": parameters, "seed": int(name[-1]), "recipe": recipe}
            for name, (parameters, recipe, _) in members.items()
        }
        monkeypatch.setattr(scale, "bundled_models", lambda: list(members))
        monkeypatch.setattr(scale, "recipe_of", cards.get)
        monkeypatch.setattr(scale, "load", lambda name: scripted.ScriptedLM(members[name][2], name))

    return make


def of(evidence, words):
    return {c.model: c.verdict for c in evidence.claims if words in c.statement}


def test_a_family_that_climbs_the_ladder(family):
    family(
        a0=(100, "base", scripted.keep_prior),
        b0=(300, "base", scripted.follow_labels),
        c0=(1000, "base", scripted.follow_labels),
        n0=(1000, "noflip", scripted.keep_prior),
    )
    evidence = scale.label_override_ladder(**SMALL)
    assert of(evidence, "With natural labels") == dict.fromkeys(["a0", "b0", "c0"], "shown")
    assert of(evidence, "smallest model keeps its prior") == {"a0": "shown"}
    assert of(evidence, "follows fully flipped") == {"b0": "shown", "c0": "shown"}
    assert of(evidence, "arbitrary label words") == {"c0": "shown"}
    assert of(evidence, "Educated without flips") == {"n0": "shown"}
    assert all(claim.n == 30 and claim.seeds == 2 for claim in evidence.claims if claim.model != "all sizes")
    assert evidence.to_png().startswith(b"\x89PNG")


def test_a_family_turned_upside_down_fails_every_rung(family):
    family(
        a0=(100, "base", scripted.follow_labels),
        b0=(300, "base", scripted.keep_prior),
        c0=(1000, "base", scripted.keep_prior),
        n0=(1000, "noflip", scripted.follow_labels),
    )
    evidence = scale.label_override_ladder(**SMALL)
    assert of(evidence, "smallest model keeps its prior") == {"a0": "reversed"}
    assert of(evidence, "follows fully flipped") == {"b0": "reversed", "c0": "reversed"}
    assert of(evidence, "arbitrary label words") == {"c0": "not shown"}
    assert of(evidence, "Educated without flips") == {"n0": "reversed"}
    assert of(evidence, "rises with size")["all sizes"] != "shown"


def test_a_twin_that_keeps_its_prior_shows_nothing_if_the_taught_one_does_too(family):
    family(a0=(100, "base", scripted.keep_prior), n0=(100, "noflip", scripted.keep_prior))
    evidence = scale.label_override_ladder(**SMALL)
    assert of(evidence, "Educated without flips") == {"n0": "not shown"}


def test_sizes_may_be_missing_and_seeds_uneven(family):
    family(b1=(300, "base", scripted.keep_prior), b2=(300, "base", scripted.keep_prior))
    evidence = scale.label_override_ladder(**SMALL)
    assert of(evidence, "With natural labels") == {"b1": "shown"}
    family()
    with pytest.raises(ModelNotFound, match="No bundled models"):
        scale.label_override_ladder(**SMALL)


def test_rows_are_what_the_studies_measured(family):
    family(a0=(100, "base", scripted.keep_prior), b0=(300, "base", scripted.follow_labels))
    evidence = scale.label_override_ladder(**SMALL)
    alone = flipped_labels(scripted.ScriptedLM(scripted.follow_labels), **SMALL).table
    cells = evidence.table.query("model == 'b0' and against == 'gold'").set_index("flipped")
    for share, rows in alone.groupby("flipped"):
        assert cells.at[share, "accuracy"] == pytest.approx(rows["correct"].mean())


def test_ctrl_c_keeps_the_models_that_were_finished(family):
    def tired(demonstrations, question):
        raise KeyboardInterrupt

    family(a0=(100, "base", scripted.keep_prior), b0=(300, "base", tired), c0=(400, "base", tired))
    evidence = scale.label_override_ladder(**SMALL)
    assert set(evidence.table["model"]) == {"a0"}
    assert any("1 of 3 models" in note for note in evidence.notes)


def test_the_order_of_emergence_is_read_at_the_first_mastery():
    def rows(tokens, natural, flipped, arbitrary):
        values = {"natural": natural, "flipped": flipped, "arbitrary": arbitrary}
        interval = {"n": 500, "draws": 3}
        return [
            {"tokens": tokens, "ability": a, "accuracy": v, "low": v - 0.03, "high": v + 0.03, **interval}
            for a, v in values.items()
        ]

    in_order = pd.DataFrame([*rows(1e6, 0.97, 0.05, 0.5), *rows(2e6, 0.99, 0.95, 0.7), *rows(4e6, 0.99, 0.99, 0.9)])
    assert [c.verdict for c in scale.emergence_claims("m", in_order)] == ["shown", "shown"]
    at_once = pd.DataFrame(rows(1e6, 0.97, 0.96, 0.95))
    assert "shown" not in [c.verdict for c in scale.emergence_claims("m", at_once)]
    never = pd.DataFrame(rows(1e6, 0.6, 0.4, 0.5))
    assert [c.verdict for c in scale.emergence_claims("m", never)] == ["not shown", "reversed"]


@pytest.fixture
def script():
    path = Path(__file__).parents[2] / "scripts" / "record_evidence.py"
    spec = importlib.util.spec_from_file_location("record_evidence", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recording_goes_on_where_it_was_stopped(script, pebble, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "load", lambda name: pebble)
    monkeypatch.setattr(script, "load", lambda name: pebble)
    knobs = {"shots": 2, "trials": 4, "draws": 1, "flipped": (0, 1)}
    asked = []

    def measure():
        asked.append(progress.current())
        return scale.over_models(flipped_labels, [pebble.name], **knobs)

    def interrupted():
        raise KeyboardInterrupt

    parts = [(flipped_labels, pebble.name, knobs)]
    planned = [claims.Measurement("one", measure, parts), claims.Measurement("two", interrupted, [])]
    memory, kept = tmp_path / "memory", tmp_path / "evidence"
    assert [len(each.parts) for each in script.unmeasured(planned, memory)] == [1, 0]
    with pytest.raises(KeyboardInterrupt):
        list(script.record(planned, kept, memory))
    assert [path.name for path in kept.iterdir()] == ["one.json"]
    assert [len(each.parts) for each in script.unmeasured(planned, memory)] == [0, 0]
    (again,) = script.record(planned[:1], kept, memory)
    assert asked[0].memory == memory
    written = Evidence.load(again[1])
    assert written.claims == again[0].claims
    assert (written.table["margin"] - again[0].table["margin"]).abs().max() < 1e-3
