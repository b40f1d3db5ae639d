"""Streams that hold a concept, none, or its opposite get the verdicts they deserve; and a real model runs through."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scripted_models as scripted

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.studies import progress, representation_control, representation_items
from xllm_widgets.studies import representation_engineering as chapter
from xllm_widgets.studies import representation_truth_causes as causes
from xllm_widgets.studies.representation_places import cities, events, own_places

if "scripted_streams" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "scripted_streams", Path(__file__).parent.parent / "scripted_streams.py"
    )
    sys.modules["scripted_streams"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["scripted_streams"])

from scripted_streams import StreamLM

READ = {"trials": 20, "shuffles": 4}
DIAL = {"trials": 10, "texts": 4, "randoms": 2}
TRUTH = {"trials": 20, "shuffles": 6, "randoms": 2}


def verdicts(evidence):
    return [claim.verdict for claim in evidence.claims]


def with_truths(**about):
    lm = StreamLM(**about)
    sets = representation_items.draw_judged(lm, TRUTH["trials"], 0)
    lm.truths = {s.text: s.true for split in sets.values() for every in split.values() for s in every}
    return lm


def with_places(of=lambda city: (city.latitude, city.longitude)):
    from xllm_widgets.microworld.world import World

    lm = StreamLM()
    lm.width = 16  # fewer columns of noise than names
    lm.places = {city.name: np.array(of(city)) / 2 for city in World.default().cities}
    lm.places |= {event.phrase: np.array([0, 0, event.year / 20]) for event in World.default().events}
    return lm


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "verdict"),
    [({"honesty": 1.0}, "shown"), ({}, "not shown"), ({"honesty": 1.0, "new_words": -1}, "reversed")],
)
def test_honesty_is_read_where_it_is(about, verdict):
    evidence = chapter.reading_vectors(StreamLM(**about), **READ)
    assert verdicts(evidence) == [verdict] * 3
    chosen = evidence.table[evidence.table["chosen"]]
    assert (chosen["distance"] >= 3).all()
    assert chosen["token"].str.startswith("statement").all()
    assert (chosen["layer"] > 0).all()
    masked = evidence.control[evidence.control["control"] == "speaker word masked"]
    assert masked["accuracy"].between(0.3, 0.7).all()


def test_the_scan_finds_the_word_even_where_honesty_is_nowhere_else():
    """The embeddings tell the words apart that were fitted on; that is why reading starts three tokens behind."""
    table = chapter.reading_vectors(StreamLM(), **READ).table
    word = table[(table["token"] == "speaker word") & (table["layer"] == 0)]
    assert (word["validation"] == 1).all()
    later = table[(table["distance"] >= 3) & (table["layer"] > 0)]
    assert later["accuracy"].between(0.2, 0.8).all()


# --- control ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"obeys": 1.0}, ["shown", "shown", "shown", "shown"]),
        ({"obeys": 0.0}, ["not shown", "not shown", "shown", "shown"]),
        ({"obeys": -1.0}, ["reversed", "reversed", "shown", "shown"]),
        ({"sways": 1.0}, ["not shown", "not shown", "reversed", "shown"]),
        ({"obeys": 1.0, "cost": 9.0}, ["shown", "shown", "shown", "reversed"]),
    ],
)
def test_the_dial_gets_the_verdicts_it_deserves(about, expected):
    evidence = chapter.control_vectors(StreamLM(honesty=1.0, **about), **DIAL)
    if about.get("cost"):  # only the price is at stake: the cheapest setting is then taken, however little it moves
        assert verdicts(evidence)[3] == expected[3]
    else:
        assert verdicts(evidence) == expected
    assert set(evidence.control["direction"]) == {"random 0", "random 1"}
    assert "residual norms each" in evidence.notes[0]


def test_a_setting_under_which_random_directions_stray_gives_way_to_a_weaker_one(monkeypatch):
    lm = StreamLM(honesty=1.0, obeys=1.0, sways=0.9)
    still = chapter.control_vectors(lm, **DIAL)
    monkeypatch.setattr(representation_control, "RANDOM", np.inf)
    strongest = chapter.control_vectors(lm, **DIAL)
    strays = [e.control[(e.control["measure"] == "P(true)") & (e.control["speaker"] == "honest")]["value"].std()
              for e in (still, strongest)]  # fmt: skip
    assert strays[0] < strays[1]
    assert abs(still.table["strength"]).max() < abs(strongest.table["strength"]).max()


def test_the_setting_can_be_fixed_by_knobs():
    lm = StreamLM(honesty=1.0, obeys=1.0)
    evidence = chapter.control_vectors(lm, where="everywhere", layers=(2,), **DIAL)
    assert evidence.notes[0].startswith("steered at the tokens of 'everywhere', layer 2")
    assert evidence.knobs["where"] == "everywhere"


def test_p_true_is_the_true_endings_share(pebble):
    facts = representation_items.draw_facts(pebble, 8, "test", "test", 0)
    voice = representation_items.voice_for(pebble)
    asks = representation_control.asks_of(pebble, voice, facts, 0, test=True)
    found = representation_control.p_true(pebble, asks)
    for ask, share in zip(asks, found, strict=True):
        p = np.exp(pebble.logprobs(ask.prompt, list(ask.endings))[0])
        assert share == pytest.approx(p[0] / p.sum(), rel=1e-4)
        first, last = ask.tokens["speaker"][0], ask.tokens["speaker"][-1]
        strings = pebble.tokens(ask.prompt).strings
        assert strings[first].strip() in {"sincere", "dishonest"}
        assert strings[last] == ":"


# --- truth ------------------------------------------------------------------------------------------------------


def by_name(evidence, place="statement end"):
    """What was found of one place, by short names."""
    names = {"every other kind": "transfers", "than a logistic": "beats logistic", "likely text": "not likelihood",
             "the wrong way round": "reverses negations", "judged true and": "causal"}  # fmt: skip
    here = [c for c in evidence.claims if f" at the {place} " in c.statement]
    assert len(here) == len(evidence.claims) / 2
    return {short: c.verdict for c in here for words, short in names.items() if words in c.statement}


def test_a_truth_that_is_one_direction_transfers_and_is_causal():
    evidence = chapter.truth_directions(with_truths(truth=0.6, obeys=1.0), **TRUTH)
    found = by_name(evidence)
    assert found["transfers"] == found["not likelihood"] == found["causal"] == "shown"
    assert found["reverses negations"] == "reversed"
    nie = evidence.table[evidence.table["measure"] == "NIE"].set_index(["place", "method"])["estimate"]
    assert nie["statement end", "mass-mean"] > 0.9
    assert nie["verdict", "mass-mean"] > 0.9
    assert set(evidence.table["method"]) == {"mass-mean", "mass-mean, tilted", "logistic", "CCS"}
    assert ["random directions of equal norm" in note for note in evidence.notes] == [True, True]


def test_a_model_that_judges_only_when_asked_knows_nothing_before():
    evidence = chapter.truth_directions(with_truths(truth=0.6, obeys=1.0, waits=True), **TRUTH)
    before, asked = (by_name(evidence, place) for place in ("statement end", "verdict"))
    assert before["transfers"] == "not shown"
    assert asked["transfers"] == asked["not likelihood"] == asked["causal"] == "shown"


def test_a_truth_that_turns_round_under_negation_is_told_so():
    found = by_name(chapter.truth_directions(with_truths(truth=1.0, obeys=-1.0, negation=-1), **TRUTH))
    assert found["reverses negations"] == "shown"
    assert found["transfers"] == "not shown"


def test_a_push_that_works_backwards_is_reversed_and_none_is_not_shown():
    assert by_name(chapter.truth_directions(with_truths(truth=1.0, obeys=0.0), **TRUTH))["causal"] == "not shown"
    assert by_name(chapter.truth_directions(with_truths(truth=1.0, obeys=-1.0), **TRUTH))["causal"] == "reversed"
    assert causes.nie(np.array([[-0.8, -0.9]] * 9), np.array([[0.8, 0.9]] * 9)) < 0


def test_a_model_without_truth_shows_nothing_and_gives_no_nie():
    lm = StreamLM()
    evidence = chapter.truth_directions(lm, **TRUTH)
    found = by_name(evidence)
    assert found["transfers"] == found["causal"] == "not shown"
    assert "no NIE can be given" in evidence.notes[0]


def test_nie_is_the_share_of_the_way():
    false, true = np.array([[-1.0, 0.0]] * 4), np.array([[1.0, 0.5]] * 4)
    assert causes.nie(false, true) == pytest.approx((0.5 + 0.25) / 2)
    assert np.isnan(causes.nie(np.zeros((3, 2)), np.full((3, 2), 0.05)))


def test_statements_and_their_negations_are_pairs_of_opposite_truth_and_subjects_are_split():
    sets = representation_items.draw_judged(StreamLM(), 20, 3)
    for split in sets.values():
        for kind in representation_items.WORLD_KINDS:
            told, denied = split[kind], split[f"neg {kind}"]
            assert [s.true for s in told] == [not s.true for s in denied]
            assert all(" not " in s.text for s in denied)
            assert sum(s.true for s in told) == 10
    texts = [{s.text for every in sets[split].values() for s in every} for split in sets]
    assert not texts[0] & texts[1]


def test_the_true_statement_of_a_fact_is_true_and_the_false_one_false():
    from xllm_widgets.microworld.world import World

    for fact in representation_items.draw_facts(StreamLM(), 40, "test", "test", 1):
        assert fact.told != fact.mistold
        assert len(set(fact.endings)) == len(fact.endings)
        assert fact.told.startswith(fact.stem + fact.endings[0])
        assert any(fact.mistold.startswith(fact.stem + ending) for ending in fact.endings[1:])
        if fact.kind == "country":
            assert World.default().city[fact.subject].country == fact.endings[0].strip()


# --- space and time ---------------------------------------------------------------------------------------------


def test_a_written_down_map_is_found():
    evidence = chapter.space_and_time(with_places(), trials=120)
    assert verdicts(evidence)[:5] == ["shown"] * 5  # space: R², embeddings, countries, finer; time: R²
    shuffled = evidence.control[evidence.control["control"] == "shuffled"]
    assert (shuffled["estimate"] < 0.05).all()
    assert {"R²", "place"} == set(evidence.table["measure"])
    figure = evidence.plot()
    assert len(figure.axes[0].collections[0].get_offsets()) == 120  # every city is on the map


def test_a_map_of_countries_alone_is_told_apart_from_a_map_of_cities():
    from xllm_widgets.microworld.world import World

    middle = {c.name: c for c in World.default().cities}
    capital = {country.name: middle[country.capital] for country in World.default().countries}
    lm = with_places(lambda city: (capital[city.country].latitude, capital[city.country].longitude))
    finer = next(c for c in chapter.space_and_time(lm, trials=120).claims if "finer" in c.statement)
    assert finer.verdict != "shown"


def test_nothing_is_found_in_noise():
    evidence = chapter.space_and_time(StreamLM(), trials=80)
    assert "shown" not in verdicts(evidence)[:1]
    assert evidence.claims[0].estimate < 0.1


def test_own_tables_are_read_and_bad_ones_refused():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"name": [f"Place {i}" for i in range(60)], "latitude": rng.normal(size=60), "longitude": 1.0})
    assert own_places(table).axes == ("latitude", "longitude")
    with pytest.raises(XllmError, match="no column year"):
        own_places(table.drop(columns="latitude"))
    with pytest.raises(XllmError, match="must hold numbers"):
        own_places(table.assign(latitude="north"))
    with pytest.raises(XllmError, match="columns statement and label"):
        chapter.truth_directions(StreamLM(), data=table)
    with pytest.raises(XllmError, match="neither true nor false"):
        chapter.truth_directions(StreamLM(), data=[("a", "perhaps"), ("b", "true")])
    with pytest.raises(XllmError, match="no column stem"):
        chapter.reading_vectors(StreamLM(), data=table)
    assert len(cities().names) > 300
    assert events().axes == ("year",)


def test_the_world_has_facts_for_every_reading_that_the_panel_allows():
    most = next(int(knob.between.high) for knob in chapter.reading_vectors.info.knobs if knob.name == "trials")
    for bundled in (True, False):
        lm = StreamLM()
        lm.recipe = lm.recipe if bundled else None
        assert len(representation_items.draw_facts(lm, most, "test", "test", 0)) == most


def test_facts_of_ones_own_are_split_in_three():
    rows = pd.DataFrame([(f"Item {i} is", "old", "new") for i in range(30)], columns=["stem", "true", "false"])
    drawn = [representation_items.draw_facts(None, 99, "", use, 0, rows) for use in ("fit", "validate", "test")]
    stems = [{fact.stem for fact in facts} for facts in drawn]
    assert [len(s) for s in stems] == [10, 10, 10]
    assert len(set.union(*stems)) == 30


# --- what all of them share -------------------------------------------------------------------------------------


def test_a_server_that_shows_no_activations_is_refused():
    with pytest.raises(MissingSight, match="activations"):
        chapter.reading_vectors(scripted.ScriptedLM(scripted.keep_prior))


def test_a_stop_is_heeded_and_what_was_read_is_used():
    lm, told = StreamLM(honesty=1.0), []
    with progress.watch(lambda *step: told.append(step), lambda: len(told) == 12):
        evidence = chapter.reading_vectors(lm, trials=100, shuffles=10)
    assert 8 < evidence.table["n"].iloc[0] < 50
    assert verdicts(evidence) == ["shown"] * 3
    assert "stopped after 12 of" in evidence.notes[0]


def test_every_study_runs_on_a_real_model(pebble):
    for study, knobs in (
        (chapter.reading_vectors, READ),
        (chapter.control_vectors, DIAL | {"where": "speaker"}),
        (chapter.truth_directions, TRUTH),
        (chapter.space_and_time, {"trials": 60}),
    ):
        evidence = study(pebble, **knobs)
        assert evidence.claims
        assert evidence.provenance["model"] == pebble.name
        again = type(evidence).from_json(evidence.to_json())
        assert again.to_png().startswith(b"\x89PNG")
