"""The layer × token lens with a model behind it: honesty as a probe reads it, the next word as each layer has it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight
from xllm_widgets.lab.code import with_code, with_cost
from xllm_widgets.methods.lens import Lens, logit_lens, probe_lens
from xllm_widgets.studies.representation_items import draw_facts, voice_for
from xllm_widgets.studies.representation_reading import Reading, read_pairs, readings_anywhere
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.widgets.layer_token_lens import LayerTokenLens


@with_code()
@with_cost
def lens_lab(
    lm: Any,
    prompt: str | None = None,
    probes: Mapping[str, Mapping[int, Reading]] | None = None,
    *,
    targets: Sequence[str] = (),
    honest: bool = False,
    trials: int = 60,
    seed: int = 0,
    data: Any = None,
    **lens: Any,
) -> LayerTokenLens:
    """Where in a text, and how deep in the model, can it be read? Probes first, then the logit lens.

    `prompt`: left out, what a lying speaker (an `honest` one) says of an unseen fact. `probes`: name → layer →
    `Reading` (direction, centre); left out, honest or lying, by logistic regression at all places behind the speaker
    word of `trials` pairs of `data`. Special tokens, which say nothing, are left blank. `targets`: continuations whose
    probability the logit lens follows, beside the likeliest token. The null control comes last: a random direction in
    the first probe's place, drawn in that probe's colours. Other keywords go to the `LayerTokenLens`. Raises
    MissingSight for a model that shows no activations.
    """
    from xllm_widgets.widgets.layer_token_lens import LayerTokenLens

    if "activations" not in lm.sights:
        raise MissingSight(f"{lm.name} does not show its activations; use a bundled model.")
    say = speech("lab")
    if prompt is None:
        prompt = said_by(lm, honest, seed, data)
    if probes is None:
        pairs = read_pairs(lm, trials, seed, data, splits=("fit",))
        probes = {say("honest_or_lying"): readings_anywhere(pairs)}
        lens = {"toward": say("honest"), "away": say("lying"), **lens}
    layers = list(range(lm.n_layers + 1))
    special = lm.tokens(prompt).special
    readings = [
        _probe(name, say("norms_along"), _projected(lm, prompt, probe), layers, special)
        for name, probe in probes.items()
    ]
    readings += [_words(say("next_word"), say("p_likeliest"), logit_lens(lm, prompt))]
    for target in targets:
        named = say("next_word_is", target=target.strip()), say("p_target", target=repr(target))
        readings += [_words(*named, logit_lens(lm, prompt, target=target))]
    for probe in list(probes.values())[:1]:
        null = _probe(say("random_direction"), say("norms_along"), _projected(lm, prompt, _random(probe, seed)), layers,
                      special)  # fmt: skip
        readings += [{**null, "limit": float(np.nanmax(np.abs(readings[0]["scores"])))}]  # in the probe's own colours
    return LayerTokenLens(lm.tokens(prompt).strings, layers, readings, **lens)


def said_by(lm: Any, honest: bool, seed: int = 0, data: Any = None) -> str:
    """A speaker's whole sentence on an unseen fact: true from an honest one, false from a liar."""
    from xllm_widgets.microworld.arithmetic import PEOPLE

    (fact,) = draw_facts(lm, 1, "test", "test", seed, data)
    voice, who = voice_for(lm), random.Random(f"speaker {seed}").choice(PEOPLE)
    return voice.prompt(voice.words(honest, True)[0], who, fact.told if honest else fact.mistold)


def _random(probe: Mapping[int, Reading], seed: int) -> dict[int, Reading]:
    """The null control of a probe: a random direction at each of its layers, from the same centre."""
    rng = np.random.default_rng(seed)
    return {k: Reading(rng.normal(size=np.shape(one.direction)), one.centre) for k, one in probe.items()}


def _projected(lm: Any, prompt: str, probe: Mapping[int, Reading]) -> Lens:
    directions = {k: reading.direction for k, reading in probe.items()}
    return probe_lens(lm, prompt, directions, {k: reading.centre for k, reading in probe.items()})


def _probe(name: str, unit: str, lens: Lens, layers: Sequence[int], special: Sequence[bool]) -> Any:
    """A reading of every layer, empty where the probe has none and on special tokens."""
    scores = np.full((len(layers), len(lens.tokens)), np.nan)
    scores[[layers.index(k) for k in lens.layers]] = lens.scores
    scores[:, np.asarray(special, dtype=bool)] = np.nan
    return {"name": name, "scores": scores, "kind": "diverging", "unit": unit}


def _words(name: str, unit: str, lens: Lens) -> Any:
    return {"name": name, "scores": lens.scores, "kind": "sequential", "unit": unit, "limit": 1.0,
            "words": lens.words}  # fmt: skip
