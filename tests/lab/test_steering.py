"""What the dial says is what the model under the edit says; the lens and the map show the studies' own numbers."""

import numpy as np
import pytest
import scripted_models as scripted

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab import lens_lab, map_lab, steering_lab
from xllm_widgets.lab.steering import DialAnswers
from xllm_widgets.methods.lens import next_probabilities, probe_lens
from xllm_widgets.methods.steering import SteeringVector, VectorMismatch
from xllm_widgets.studies.representation_reading import Reading
from xllm_widgets.studies.representation_space import hidden_map, world_map

PROMPT = "The lying Joe says: Oslo is a city in"
FEW = {"trials": 8}


def vector(lm, layers=(1, 2), seed=0, **about) -> SteeringVector:
    rows = np.random.default_rng(seed).normal(size=(len(layers), lm.width))
    return SteeringVector(rows, layers, np.full(len(layers), 3.0), {"model": lm.name, **about})


def shown(dial) -> dict[str, tuple[float, float]]:
    now = dial.probabilities
    return dict(zip(now["words"], zip(now["unsteered"], now["steered"], strict=True), strict=True))


@pytest.mark.parametrize("positions", [[], [1, 2]])
@pytest.mark.parametrize("direction", ["concept", "reversed", "random"])
def test_the_dial_says_what_the_edited_model_says(pebble, direction, positions):
    v = vector(pebble, concept="noise")
    settings = {"layers": [1, 2], "strength": 0.75, "direction": direction, "positions": positions}
    dial = steering_lab(pebble, v, PROMPT, words=[" Norway"], **settings).set(seed=3).refresh()
    assert dial.error == ""
    assert dial.concepts == ["noise"]
    unit = v.normalised()
    pushed = {"concept": unit, "reversed": -unit, "random": unit.random(3)}[direction]
    plain = next_probabilities(pebble, PROMPT)
    assert plain.sum() == pytest.approx(1, abs=1e-4)
    with pebble.edit(*pushed.steer(pebble, 0.75, tuple(positions) or "all")):
        p = next_probabilities(pebble, PROMPT)
        expected = float(np.exp(pebble.logprobs([PROMPT], [" Norway"])[0, 0]))
        text = pebble.generate([PROMPT], max_new_tokens=24, temperature=0)[0][0].text
    assert shown(dial)[" Norway"][1] == pytest.approx(expected, rel=1e-2)
    likeliest = pebble.reader.strings([int(p.argmax()), int(plain.argmax())])
    assert set(likeliest) <= set(shown(dial))
    assert dial.texts["steered"]["text"] == text
    assert dial.texts["ratio"] > 0
    assert dial.texts["unsteered"]["perplexity"] > 1


def test_at_zero_both_sides_are_the_same(pebble):
    dial = steering_lab(pebble, vector(pebble), PROMPT).refresh()
    assert all(before == after for before, after in shown(dial).values())
    assert dial.texts["unsteered"] == dial.texts["steered"]
    assert dial.texts["verdict"] == "coherent"


def test_without_a_vector_it_is_honesty_and_a_speaker_steered_at_the_words_about_him(pebble):
    dial = steering_lab(pebble, strength=0.5, **FEW).refresh()
    assert dial.concepts == ["honest minus lying"]
    assert dial.available_layers == list(range(1, pebble.n_layers + 1))
    steered = "".join(dial.tokens[p] for p in dial.setting["positions"])
    assert steered.split()[0] == "lying"
    assert steered.endswith("says:")
    honest = steering_lab(pebble, honest=True, **FEW)
    assert "lying" not in honest.setting["prompt"]
    assert honest.setting["prompt"].split(":")[1] == dial.setting["prompt"].split(":")[1]


def test_a_superseded_request_is_not_computed(pebble, monkeypatch):
    dial = steering_lab(pebble, vector(pebble), PROMPT)
    monkeypatch.setattr("xllm_widgets.lab.steering.next_probabilities", lambda *_: pytest.fail("computed"))
    for stage in ("probabilities", "text"):
        DialAnswers(pebble, {})(dial, dial.request - 1, stage)
    assert dial.probabilities["request"] == -1


def test_an_unsteered_prompt_is_read_once(pebble, monkeypatch):
    dial = steering_lab(pebble, vector(pebble), PROMPT).refresh()
    asked = []
    monkeypatch.setattr(
        "xllm_widgets.lab.steering.next_probabilities",
        lambda lm, prompt: asked.append(prompt) or next_probabilities(lm, prompt),
    )
    for strength in (0.5, 1.0):
        dial.set(strength=strength)
        dial._answer("probabilities")
    assert asked == [PROMPT] * 2
    dial.set(prompt="The film was")
    dial._answer("probabilities")
    assert len(asked) == 4


def test_what_does_not_fit_is_said_in_a_sentence(pebble):
    wide = SteeringVector(np.ones((1, pebble.width + 1)), (1,), np.ones(1), {"model": "another"})
    with pytest.raises(VectorMismatch, match="from another"):
        steering_lab(pebble, wide)
    with pytest.raises(XllmError, match="needs a vector"):
        steering_lab(pebble, {})
    for make in (steering_lab, lens_lab, map_lab):
        with pytest.raises(MissingSight, match="does not show its activations"):
            make(scripted.ScriptedLM(scripted.keep_prior))
    dial = steering_lab(pebble, vector(pebble), PROMPT).set(prompt="")
    dial._answer("probabilities")
    assert "empty" in dial.error


def test_the_lens_shows_the_probe_and_the_next_word(pebble):
    rng = np.random.default_rng(0)
    probe = {1: Reading(rng.normal(size=pebble.width), rng.normal(size=pebble.width))}
    view = lens_lab(pebble, PROMPT, {"mine": probe}, targets=[" Norway"])
    assert [reading["name"] for reading in view.readings] == [
        "mine", "next word", "next word Norway", "control: a random direction",
    ]  # fmt: skip
    assert view.layers == list(range(pebble.n_layers + 1))
    own = probe_lens(pebble, PROMPT, {1: probe[1].direction}, {1: probe[1].centre})
    special = np.array(pebble.tokens(PROMPT).special)
    np.testing.assert_allclose(view.scores[0][1][~special], own.scores[0][~special], rtol=1e-5)
    assert np.isnan(view.scores[0][1][special]).all()
    assert np.isnan(np.delete(view.scores[0], 1, axis=0)).all()
    assert view.scores[2][-1, -1] == pytest.approx(np.exp(pebble.logprobs([PROMPT], [" Norway"])[0, 0]), rel=1e-2)


def test_the_null_control_of_the_lens_is_a_random_direction_in_the_probes_colours(pebble):
    view, again, other = (lens_lab(pebble, PROMPT, seed=seed, **FEW) for seed in (0, 0, 1))
    probe, null = view.scores[0], view.scores[-1]
    assert view.readings[-1]["limits"] == pytest.approx(view.readings[0]["limits"])
    assert (np.isnan(null) == np.isnan(probe)).all()
    np.testing.assert_array_equal(null, again.scores[-1])
    assert not np.allclose(null, other.scores[-1], equal_nan=True)
    assert not np.allclose(null, probe, equal_nan=True)


def test_the_lens_reads_speakers_by_itself(pebble):
    liar, honest = (lens_lab(pebble, honest=honest, **FEW) for honest in (False, True))
    assert liar.readings[0]["name"] == "honest or lying"
    assert (liar.toward, liar.away) == ("honest", "lying")
    assert "".join(liar.tokens).split(":")[1] != "".join(honest.tokens).split(":")[1]
    at = next(p for p, token in enumerate(liar.tokens) if token.strip() in ("dishonest", "lying", "deceitful"))
    assert liar.scores[0][1, at] < honest.scores[0][1, at]


def test_the_map_is_the_studys_and_hidden_countries_are_hollow(pebble):
    view = map_lab(pebble, hidden=["Norway"])
    table = hidden_map(pebble, hidden=["Norway"])
    places = table[["read longitude", "read latitude"]].to_numpy()
    np.testing.assert_allclose(view.xy, places, rtol=1e-4)
    away, goals = table["hidden"].to_numpy(), table[["longitude", "latitude"]].to_numpy()
    np.testing.assert_allclose(view.targets[away], goals[away], rtol=1e-4)
    assert np.isnan(view.targets[~away]).all()
    assert {view.notes[i] for i in view.selected} == {"Norway"}
    assert view.held_out == away.tolist()
    assert view.graticule == 30
    whole = hidden_map(pebble)
    assert not whole["hidden"].any()
    np.testing.assert_allclose(whole["read latitude"], world_map(pebble, trials=400)["read latitude"])


def test_the_time_line_and_the_plane_of_truth(pebble):
    line = map_lab(pebble, "time", trials=60)
    assert (line.xy[:, 0] == line.targets[:, 0]).all()
    assert "read as" in line.notes[0]
    plane = map_lab(pebble, "truth", trials=8)
    raw = map_lab(pebble, "truth", centred=False, trials=8)
    assert [group["colour"] for group in plane.groups] == ["toward", "away"]
    assert plane.turning
    assert plane.names == raw.names
    assert not np.allclose(plane.xy, raw.xy)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"subject": "love"}, "no map of 'love'"),
        ({"hidden": ["Atlantis"]}, "Nobody is in 'Atlantis'"),
        ({"subject": "time", "data": [{"name": "x", "latitude": 1, "longitude": 2}] * 9}, "nothing about time"),
    ],
)
def test_a_map_of_nothing_is_refused(pebble, how, words):
    if "data" in how:
        import pandas as pd

        how = {**how, "data": pd.DataFrame(how["data"])}
    with pytest.raises(XllmError, match=words):
        map_lab(pebble, **how)
