"""The steering dial with a model behind it: next-token probabilities at once, then texts and what the push costs
(Turner et al., 2023; Zou et al., 2023)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.code import Timed, Write, with_code
from xllm_widgets.methods.lens import next_probabilities
from xllm_widgets.methods.steering import SteeringVector
from xllm_widgets.studies.representation_control import bands, surprise, vector_for
from xllm_widgets.studies.representation_items import Fact, draw_facts, neutral_texts, voice_for
from xllm_widgets.studies.representation_reading import read_pairs
from xllm_widgets.studies.representation_streams import heard, token_places
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.widgets.steering_dial import Reading, SteeringDial

LIKELIEST, NEWCOMERS = 4, 2  # words shown: the likeliest unsteered ones, and of the steered likeliest so many more
TEXTS = 3  # neutral paragraphs behind the perplexity
LONGEST = 24  # tokens written on either side


def _edited(dial: SteeringDial) -> Callable[[Write], str]:
    start = dict(dial.setting)

    def now(write: Write) -> str:
        moved = [f"{name}={value!r}" for name, value in dial.setting.items() if value != start[name]]
        return write(f"view.set({', '.join(moved)})\n" if moved else "")

    return now


@with_code(_edited)
def steering_lab(
    lm: Any,
    vectors: SteeringVector | Mapping[str, SteeringVector] | None = None,
    prompt: str | None = None,
    *,
    words: Sequence[str] = (),
    honest: bool = False,
    trials: int = 60,
    seed: int = 0,
    data: Any = None,
    **dial: Any,
) -> SteeringDial:
    """Push a model along a direction and watch the next token, the text and the perplexity follow.

    `vectors`: name → SteeringVector, or one; left out, honest minus lying, read on `trials` pairs of `data` (a table
    with stem, true, false, or the world's facts). Rows are brought to one residual norm, the dial's unit. `prompt`:
    left out, a lying speaker (an `honest` one) about to tell an unseen fact, steered at the speaker's tokens, its true
    ending among the words. `words`: continuations that are always shown (the first token counts), beside the likeliest.
    The push begins at the lowest third of the layers. Perplexity is that of neutral paragraphs of the world. Other
    keywords go to the `SteeringDial`.

    Raises MissingSight for a model that cannot be looked into, VectorMismatch for a vector of another width.
    """
    from xllm_widgets.widgets.steering_dial import SteeringDial

    if missing := {"logprobs", "activations"} - set(lm.sights):
        raise MissingSight(f"{lm.name} does not show its {' and '.join(sorted(missing))}; use a bundled model.")
    say = speech("lab")
    if vectors is None:
        vectors = {
            say("honest_minus_lying"): vector_for(lm, read_pairs(lm, trials, seed, data, splits=("fit",)), "speaker")
        }
    elif isinstance(vectors, SteeringVector):
        vectors = {str(vectors.provenance.get("concept", say("vector"))): vectors}
    if not vectors:
        raise XllmError("The dial needs a vector; make one with honesty_vector(lm), or leave it out.")
    units = {name: vector.normalised() for name, vector in vectors.items()}
    for vector in units.values():
        vector.steer(lm)  # says in one sentence what does not fit
    if prompt is None:
        (fact,) = draw_facts(lm, 1, "test", "test", seed, data)
        prompt, positions = _speaker(lm, fact, honest, seed)
        dial, words = {"positions": positions, **dial}, [*words, fact.endings[0]]
    shared = sorted(set.intersection(*(set(vector.layers) for vector in units.values())))
    available = [k for k in shared if k > 0] or shared
    low = [k for k in bands(lm.n_layers)[0] if k in available] or available[:1]
    made = SteeringDial(list(units), available, prompt, tokenizer=lambda text: lm.tokens(text).strings if text else [],
                        **{"layers": low, **dial})  # fmt: skip
    made.on_ask(Timed(DialAnswers(lm, units, words, seed)))
    return made


def _speaker(lm: Any, fact: Fact, honest: bool, seed: int) -> tuple[str, list[int]]:
    """A speaker about to tell the fact, and the numbers of the tokens from the speaker word to the statement."""
    from xllm_widgets.microworld.arithmetic import PEOPLE

    voice = voice_for(lm)
    who = random.Random(f"speaker {seed}").choice(PEOPLE)
    prompt, spans = heard(voice, voice.words(honest, False)[0], who, fact.stem)
    tokens = lm.tokens(prompt)
    first, last = tokens.covering(*spans["speaker word"])[0], token_places(tokens, spans)["before the statement"]
    return prompt, list(range(first, max(first, last) + 1))


class DialAnswers:
    """Answers what the dial asks: `answers(dial, request, stage)`; a superseded request is not computed."""

    def __init__(self, lm: Any, vectors: Mapping[str, SteeringVector], words: Sequence[str] = (), seed: int = 0):
        self.lm, self.vectors, self.words = lm, vectors, tuple(words)
        self.neutral = neutral_texts(TEXTS, seed)
        self._plain: dict[str, tuple[np.ndarray, str]] = {}  # prompt → unsteered probabilities and text
        self._surprise: float | None = None

    def __call__(self, dial: SteeringDial, request: int, stage: str) -> None:
        """One stage of one request; raises XllmError, in one sentence, for a prompt that cannot be continued."""
        with getattr(self.lm, "lock", None) or nullcontext():
            if request != dial.request:
                return
            if stage == "probabilities":
                self._probabilities(dial, request)
            else:
                self._texts(dial, request)

    def vector(self, dial: SteeringDial) -> SteeringVector:
        """What the dial adds at strength 1: the concept at the chosen layers, reversed or random as it stands."""
        chosen = self.vectors[dial.setting["concept"]].at(dial.setting["layers"])
        named = {"concept": chosen, "reversed": -chosen, "random": chosen.random(dial.setting["seed"])}
        return named[dial.setting["direction"]]

    def _edited(self, dial: SteeringDial) -> AbstractContextManager:
        if not dial.setting["strength"]:
            return nullcontext()
        return self.lm.edit(*self.vector(dial).steer(self.lm, dial.setting["strength"], self._positions(dial)))

    def _positions(self, dial: SteeringDial) -> Any:
        return tuple(dial.setting["positions"]) or "all"

    def _unsteered(self, prompt: str) -> tuple[np.ndarray, str]:
        if prompt not in self._plain:
            self._plain = {prompt: (next_probabilities(self.lm, prompt), self._written(prompt))}
        return self._plain[prompt]

    def _written(self, prompt: str) -> str:
        return self.lm.generate([prompt], max_new_tokens=LONGEST, temperature=0)[0][0].text

    def _probabilities(self, dial: SteeringDial, request: int) -> None:
        prompt = dial.setting["prompt"]
        before = self._unsteered(prompt)[0]
        with self._edited(dial):
            after = next_probabilities(self.lm, prompt)
        asked = [self.lm.reader.continuation(prompt, word)[0] for word in self.words]
        likely = [*np.argsort(-before)[:LIKELIEST].tolist(), *np.argsort(-after)[:NEWCOMERS].tolist()]
        ids = list(dict.fromkeys([*asked, *likely]))
        dial.answer_probabilities(request, self.lm.reader.strings(ids), before[ids].tolist(), after[ids].tolist())

    def _texts(self, dial: SteeringDial, request: int) -> None:
        prompt = dial.setting["prompt"]
        before = self._unsteered(prompt)[1]
        with self._edited(dial):
            after = self._written(prompt)
        plain, steered = self._perplexities(dial)
        sides: list[Reading] = [{"text": before, "perplexity": plain}, {"text": after, "perplexity": steered}]
        dial.answer_text(request, *sides)

    def _perplexities(self, dial: SteeringDial) -> tuple[float, float]:
        """Of the neutral paragraphs, without and with the push at the same token numbers."""
        if self._surprise is None:
            self._surprise = float(surprise(self.lm, self.neutral).mean())
        strength = dial.setting["strength"]
        steered = self._surprise
        if strength:
            steered = float(surprise(self.lm, self.neutral, self._positions(dial), self.vector(dial), strength).mean())
        return float(np.exp(self._surprise)), float(np.exp(min(steered, 500.0)))
