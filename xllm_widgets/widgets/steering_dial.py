"""A dial that pushes a model along a direction: what it would say next, what it writes, whether that holds together.

The view holds the setting and shows the answers; whoever knows a model gives them through `on_ask`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import traitlets

from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xllm_widgets.widgets.language import Speech

Ask = Callable[["SteeringDial", int, str], None]

DIRECTIONS = ("concept", "reversed", "random")
STAGES = ("probabilities", "text")
COHERENT, STRAINED = 1.1, 2.0  # perplexity may grow by this factor before the text counts as strained, as broken
_SETTING = ("concept", "layers", "strength", "direction", "seed", "positions", "prompt")


class Reading(TypedDict):
    """What the model wrote on one side of the dial, and its perplexity (of whatever text the answerer measures)."""

    text: str
    perplexity: float


class SteeringDial(BaseView):
    """What does the model say when it is pushed along a direction, and what when the direction is a random one?

    `concepts`: names of directions; `available_layers`: layer numbers that can be steered; `tokens`: the prompt's token
    strings. The setting: `concept` (a name), `layers`, `strength` in units of the residual norm, -`most` to `most`,
    `direction` ("concept", "reversed" or "random", the last numbered by `seed`), `positions` (numbers of tokens; none
    means every token, generated ones too) and `prompt`. `tokenizer` (text → token strings) renews the tokens when
    the prompt is edited. Raises ViewError for a setting that cannot be.
    """

    _catalogue = "steering_dial"
    _esm = module("steering_dial")
    _css = styles("steering_dial")

    concepts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    available_layers = traitlets.List(traitlets.Int()).tag(sync=True)
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    most = traitlets.Float(2.0).tag(sync=True)
    step = traitlets.Float(0.05).tag(sync=True)
    setting = traitlets.Dict().tag(sync=True)  # concept, layers, strength, direction, seed, positions, prompt
    request = traitlets.Int(0).tag(sync=True)  # one more with every change of the setting
    # what the browser says need not be said back to it
    command = traitlets.Dict(default_value={}).tag(sync=True, echo_update=False)  # {n, change: {name: value}}
    obeyed = traitlets.Int(0).tag(sync=True)  # the last command carried out
    ask = traitlets.Dict(default_value={}).tag(
        sync=True, echo_update=False
    )  # {request, stage}, once the last is painted
    probabilities = traitlets.Dict(default_value={"request": -1, "words": [], "unsteered": [], "steered": []}).tag(
        sync=True
    )
    texts = traitlets.Dict(default_value={"request": -1}).tag(sync=True)  # request, unsteered, steered, ratio, verdict
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        concepts: Sequence[str] = (),
        available_layers: Sequence[int] = (),
        prompt: str = "",
        tokens: Sequence[str] | None = None,
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        layers: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        self._refuse_unknown({name: value for name, value in kwargs.items() if name not in _SETTING})
        if not concepts or not available_layers:
            raise ViewError("The dial needs a concept and a layer or more: nothing else can be steered.")
        start = {name: kwargs.pop(name) for name in _SETTING if name in kwargs}
        self._callback: Ask | None = None
        self.tokenizer = tokenizer or _words
        shown = list(self.tokenizer(prompt) if tokens is None else tokens)
        super().__init__(concepts=list(concepts), available_layers=list(available_layers), tokens=shown, **kwargs)
        middle = self.available_layers[len(self.available_layers) // 2]
        whole = {"concept": self.concepts[0], "layers": [middle] if layers is None else list(layers), "strength": 0.0}
        whole |= {"direction": "concept", "seed": 0, "positions": [], "prompt": prompt}
        self.setting = self._checked({**whole, **start}, len(shown))
        self.observe(self._obey, names="command")
        self.observe(self._asked, names="ask")

    # --- the setting -----------------------------------------------------------------------------------------------

    def set(self, **change: Any) -> SteeringDial:
        """A new setting; only what differs is named: `set(strength=0.5, direction="random")`. Returns itself."""
        if strange := [name for name in change if name not in _SETTING]:
            raise ViewError(f"The dial has no {strange[0]!r}; it has {', '.join(_SETTING)}.")
        tokens = self.tokens
        if "prompt" in change and change["prompt"] != self.setting["prompt"]:
            tokens = list(self.tokenizer(str(change["prompt"])))
            change = {"positions": [], **change}  # the old numbers would point at other tokens
        setting = self._checked({**self.setting, **change}, len(tokens))
        if setting != self.setting:
            with self.hold_sync():
                self.tokens, self.setting = tokens, setting
                self.request += 1
        return self

    @property
    def signed_strength(self) -> float:
        """Residual norms along the direction, its sign turned where the direction is reversed."""
        return -self.setting["strength"] if self.setting["direction"] == "reversed" else self.setting["strength"]

    def _checked(self, setting: dict[str, Any], n: int) -> dict[str, Any]:
        """The setting with plain types, or a sentence on what cannot be."""
        strength, layers = float(setting["strength"]), sorted({int(k) for k in setting["layers"]})
        positions = sorted({int(p) for p in setting["positions"]})
        if setting["concept"] not in self.concepts:
            raise ViewError(f"There is no concept {setting['concept']!r}; choose one of {', '.join(self.concepts)}.")
        if not layers or set(layers) - set(self.available_layers):
            raise ViewError(f"Choose one layer or more of {', '.join(map(str, self.available_layers))}, not {layers}.")
        if not abs(strength) <= self.most:
            raise ViewError(f"The strength goes from {-self.most:g} to {self.most:g} residual norms, not {strength:g}.")
        if setting["direction"] not in DIRECTIONS:
            raise ViewError(f"The direction is one of {', '.join(DIRECTIONS)}, not {setting['direction']!r}.")
        if positions and not 0 <= positions[0] <= positions[-1] < n:
            raise ViewError(f"The prompt has tokens 0 to {n - 1}; {positions} is not all among them.")
        plain = {"strength": strength, "layers": layers, "positions": positions, "seed": int(setting["seed"])}
        return {**setting, **plain, "prompt": str(setting["prompt"])}

    # --- answers ---------------------------------------------------------------------------------------------------

    def on_ask(self, callback: Ask) -> None:
        """Who answers: `callback(dial, request, stage)`; stages are "probabilities" and, once they are painted, "text".

        It reads `dial.setting` and calls `answer_probabilities` or `answer_text`. What it raises is said in the view.
        """
        self._callback = callback

    def answer_probabilities(
        self, request: int, words: Sequence[str], unsteered: Sequence[float], steered: Sequence[float]
    ) -> None:
        """p(next token | prompt) of each word, without and with the push; dropped if the setting has changed since."""
        if len(words) != len(unsteered) or len(words) != len(steered):
            raise ViewError(f"{len(words)} words need as many probabilities, not {len(unsteered)} and {len(steered)}.")
        values = {"unsteered": [float(p) for p in unsteered], "steered": [float(p) for p in steered]}
        if not all(0 <= p <= 1.000001 for side in values.values() for p in side):
            raise ViewError("A probability lies between 0 and 1.")
        if request == self.request:
            self.error = ""
            self.probabilities = {"request": request, "words": list(words), **values}

    def answer_text(self, request: int, unsteered: Reading, steered: Reading) -> None:
        """What is written on either side, and how perplexing; dropped if the setting has changed since."""
        sides: dict[str, dict[str, Any]] = {
            name: {"text": str(side["text"]), "perplexity": float(side["perplexity"])}
            for name, side in (("unsteered", unsteered), ("steered", steered))
        }
        before, after = (sides[name]["perplexity"] for name in ("unsteered", "steered"))
        if not (before > 0 and after > 0 and math.isfinite(before)):
            raise ViewError(f"A perplexity is a number above zero, not {before:g} and {after:g}.")
        ratio = min(after / before, 1e6)  # JSON has no infinity
        sides["steered"]["perplexity"] = min(after, 1e12)
        if request == self.request:
            self.error = ""
            self.texts = {"request": request, **sides, "ratio": ratio, "verdict": coherence(ratio)}

    def refresh(self) -> SteeringDial:
        """Both stages answered now, without a browser that asks. Returns itself."""
        for stage in STAGES:
            self._answer(stage)
        return self

    def _answer(self, stage: str) -> None:
        if self._callback is not None:
            with self.errors_shown():
                self._callback(self, self.request, stage)

    def _asked(self, change: dict[str, Any]) -> None:
        ask = change["new"]
        if ask.get("request") == self.request and ask.get("stage") in STAGES:
            self._answer(ask["stage"])

    def _obey(self, change: dict[str, Any]) -> None:
        """A move in the browser, and at once the probabilities that follow from it: one way there and back."""
        before = self.request
        with self.hold_sync():  # one message, so that the browser paints once
            with self.errors_shown():
                self.error = ""
                self.set(**change["new"].get("change", {}))
            if self.request != before:
                self._answer("probabilities")
            self.obeyed = int(change["new"].get("n", 0))

    # --- twins -----------------------------------------------------------------------------------------------------

    def current(self, trait: str) -> dict[str, Any] | None:
        """The answer in `trait` if it belongs to the setting in view."""
        answer = getattr(self, trait)
        return answer if answer["request"] == self.request else None

    def setting_in_words(self) -> str:
        """Direction, strength, layers and positions."""
        s = self.setting
        name = {
            "concept": s["concept"],
            "reversed": self.say("reversed_concept", concept=s["concept"]),
            "random": self.say("random_number", seed=s["seed"]),
        }
        layers = self.say("at_layers", n=len(s["layers"]), layers=self.say("and").join(map(str, s["layers"])))
        where = self.say("and").join(repr(self.tokens[p]) for p in s["positions"]) or self.say("every_token")
        told = {"name": name[s["direction"]], "strength": f"{s['strength']:+.2f}"}
        return self.say("setting", layers=layers, where=where, **told)

    def describe(self) -> str:
        """The setting, and the answers without and with the push."""
        say = self.say
        parts = [say("described", name=self.title or say("name"), setting=self.setting_in_words())]
        if now := self.current("probabilities"):
            moved = zip(now["words"], now["unsteered"], now["steered"], strict=True)
            told = say("and").join(f"{word!r} {a:.1%} → {b:.1%}" for word, a, b in moved)
            parts.append(say("next_tokens", words=told))
        if now := self.current("texts"):
            sides = (("unsteered_line", "unsteered"), ("steered_line", "steered"))
            parts += [say(key, text=repr(now[side]["text"])) for key, side in sides]
            parts.append(say("coherence_line", coherence=coherence_in_words(say, now)))
        return say("between_sentences").join([*parts, *filter(None, [self.error])])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.current("texts") is None:
            self.refresh()
        return super()._repr_mimebundle_(**kwargs)

    def draw(self, figure: Figure) -> None:
        """The setting, the bars before and after, both texts, the coherence."""
        from xllm_widgets.widgets.steering_dial_picture import draw

        draw(self, figure)


def coherence(ratio: float) -> str:
    """What a perplexity that grew by the factor `ratio` says of the text: "coherent", "strained" or "broken"."""
    return "coherent" if ratio <= COHERENT else "strained" if ratio <= STRAINED else "broken"


def coherence_in_words(say: Speech, texts: dict[str, Any]) -> str:
    """Perplexity before and after, its factor and what that means."""
    before, after = (f"{texts[side]['perplexity']:.3g}" for side in ("unsteered", "steered"))
    return say("perplexities", before=before, after=after, ratio=f"{texts['ratio']:.2f}", verdict=say(texts["verdict"]))


def _words(text: str) -> list[str]:
    return re.findall(r"\s?\S+|\s+$", text)
