"""A few-shot prompt as cards to be edited: the answer follows every edit, and the words show what it rests on."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Demonstration = dict[str, str]
Ask = Callable[["DemonstrationEditor", int, str, int], None]

FIELDS = {"text": "Review", "label": "Sentiment", "explanation": "Explanation"}
MOST = 64  # demonstrations
PICTURE_SECONDS = 1.5  # of computing that the static picture may cost
_PIECE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]+|_+")
_WHOLE = re.compile(r"\S(?:.*\S)?")  # a label or a field name, blanks inside and all
_COMMANDS = (
    "flip", "flip_all", "neutralise", "neutralise_word", "shuffle", "shuffle_labels", "set_text", "set_query",
    "explain", "add", "remove", "move", "reset", "undo",
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A word, a mark, a label or a field name: characters `start` to `end` of the prompt.

    `kind` is "field", "word", "label", "explanation" or "query"; `demonstration` is its number, -1 for the query.
    """

    id: int
    start: int
    end: int
    kind: str
    demonstration: int


class DemonstrationEditor(BaseView):
    """What would the model answer if the demonstrations were different?

    `demonstrations`: dictionaries with `text`, `label` and perhaps `explanation`; `query`: the text to be judged;
    `labels`: two or more label words; `neutral`: word → the neutral word that takes its place; `fields`: what the lines
    of the prompt are called. Whoever knows a model answers through `on_ask`. Raises ViewError for labels or
    demonstrations that make no prompt.
    """

    _catalogue = "demonstration_editor"
    _esm = module("demonstration_editor")
    _css = styles("demonstration_editor")

    demonstrations = traitlets.List(traitlets.Dict()).tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    fields = traitlets.Dict(default_value=FIELDS).tag(sync=True)
    neutral = traitlets.Dict(default_value={}).tag(sync=True)
    layout_pieces = traitlets.List().tag(sync=True)  # [kind, demonstration, text, blank before it?] by piece id
    request = traitlets.Int(0).tag(sync=True)  # one more with every change of the prompt
    # what the browser says need not be said back to it: `echo_update` would cost every edit one more message
    command = traitlets.Dict(default_value={}).tag(sync=True, echo_update=False)  # an edit, as the browser asks for it
    obeyed = traitlets.Int(0).tag(sync=True)  # the last command carried out
    ask = traitlets.Dict(default_value={}).tag(sync=True, echo_update=False)  # the next stage, once the last is painted
    probabilities = traitlets.Dict(default_value={"request": -1, "values": []}).tag(sync=True)
    saliency = traitlets.Dict(default_value={"request": -1, "stage": "", "done": False, "limit": 0.0}).tag(sync=True)
    saliency_scores = traitlets.Bytes(b"").tag(sync=True)  # float32, one a piece, NaN where nothing is known
    units = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        demonstrations: Sequence[Mapping[str, str]] = (),
        query: str = "",
        labels: Sequence[str] = ("positive", "negative"),
        **kwargs: Any,
    ) -> None:
        if len(set(labels)) < max(2, len(labels)) or not all(label.strip() for label in labels):
            raise ViewError(f"The editor needs two different labels or more, not {list(labels)}.")
        self._callback: Ask | None = None
        self.explainer: Callable[[str], str] | None = None
        self._past: list[tuple[list[Demonstration], str]] = []
        cards = [_card(demonstration) for demonstration in demonstrations]
        self._start = (cards, query)
        given = {"units": self.say("nats"), **kwargs}
        super().__init__(demonstrations=cards, query=query, labels=list(labels), **given)
        self._lay_out()
        self.observe(self._obey, names="command")
        self.observe(self._asked, names="ask")

    # --- the prompt ------------------------------------------------------------------------------------------------

    @property
    def prompt(self) -> str:
        """The prompt exactly as the model reads it; it ends where the label is to follow."""
        return "".join(text for text, _, _ in self._strips())

    @property
    def pieces(self) -> list[Piece]:
        """The words, labels and field names of the prompt, in order, with their characters."""
        found: list[Piece] = []
        start = 0
        for text, kind, demonstration in self._strips():
            pattern = _WHOLE if kind in ("field", "label") else _PIECE
            for match in pattern.finditer(text):
                found.append(Piece(len(found), start + match.start(), start + match.end(), kind, demonstration))
            start += len(text)
        return found

    def _strips(self) -> list[tuple[str, str, int]]:
        """The prompt as (text, kind, demonstration), to be joined without anything between."""
        names = {**FIELDS, **self.fields}
        strips: list[tuple[str, str, int]] = []
        for i, card in enumerate(self.demonstrations):
            strips += [(f"{names['text']}:", "field", i), (f" {card['text']}\n", "word", i)]
            if card["explanation"]:
                strips += [(f"{names['explanation']}:", "field", i), (f" {card['explanation']}\n", "explanation", i)]
            strips += [(f"{names['label']}:", "field", i), (f" {card['label']}", "label", i), ("\n\n", "blank", i)]
        return [
            *strips,
            (f"{names['text']}:", "field", -1),
            (f" {self.query}\n", "query", -1),
            (f"{names['label']}:", "field", -1),
        ]

    def _lay_out(self) -> None:
        prompt = self.prompt
        self.layout_pieces = [
            [p.kind, p.demonstration, prompt[p.start : p.end], prompt[p.start - 1 : p.start].isspace()]
            for p in self.pieces
        ]

    # --- edits -----------------------------------------------------------------------------------------------------

    def flip(self, i: int) -> None:
        """The next label word for demonstration `i` (the other one, where there are two)."""
        card = self._at(i)
        place = self.labels.index(card["label"]) if card["label"] in self.labels else -1
        self._change(i, label=self.labels[(place + 1) % len(self.labels)])

    def flip_all(self) -> None:
        """The next label word for every demonstration."""
        turn = {label: self.labels[(k + 1) % len(self.labels)] for k, label in enumerate(self.labels)}
        self._set([{**card, "label": turn.get(card["label"], card["label"])} for card in self.demonstrations])

    def neutralise(self, i: int | None = None) -> None:
        """Neutral words in place of the sentiment words of demonstration `i`, or of all."""
        chosen = range(len(self.demonstrations)) if i is None else [self._index(i)]
        self._set(
            [
                {**card, "text": self._neutral_text(card["text"])} if k in chosen else card
                for k, card in enumerate(self.demonstrations)
            ]
        )

    def neutralise_word(self, i: int, word: int) -> None:
        """The neutral word in place of the `word`th piece of demonstration `i` (-1: of the query)."""
        text = self.query if i == -1 else self._at(i)["text"]
        spans = [m.span() for m in _PIECE.finditer(text)]
        if not 0 <= word < len(spans):
            raise ViewError(f"There is no word number {word} in that text; it has {len(spans)}.")
        a, b = spans[word]
        changed = text[:a] + self._neutral_text(text[a:b]) + text[b:]
        self.set_query(changed) if i == -1 else self.set_text(i, changed)

    def shuffle(self, seed: int | None = None) -> None:
        """The demonstrations in another order; the same one for the same `seed`."""
        rng, cards = random.Random(self.request if seed is None else seed), list(self.demonstrations)
        for _ in range(9):  # few cards may fall as they lay
            rng.shuffle(cards)
            if cards != self.demonstrations:
                break
        self._set(cards)

    def shuffle_labels(self, seed: int | None = None) -> None:
        """The labels dealt out anew, the null control: what an answer owes to which label stands at which text goes."""
        rng, labels = random.Random(self.request if seed is None else seed), [c["label"] for c in self.demonstrations]
        for _ in range(9):  # few labels may fall as they lay
            rng.shuffle(labels)
            if labels != [card["label"] for card in self.demonstrations]:
                break
        self._set([{**card, "label": label} for card, label in zip(self.demonstrations, labels, strict=True)])

    def set_text(self, i: int, text: str) -> None:
        """Another text for demonstration `i`; line breaks become blanks, since they would end its line."""
        self._change(i, text=_line(text))

    def set_query(self, text: str) -> None:
        """Another text to be judged."""
        self._set(list(self.demonstrations), _line(text))

    def explain(self, i: int, text: str | None = None) -> None:
        """An explanation for demonstration `i` ("" takes it away); by default the one that `explainer` writes."""
        if text is None:
            written = self.explainer(self._at(i)["text"]) if self.explainer else ""
            if not written:
                raise ViewError("No sentiment word is known in this text: write the explanation yourself.")
            text = written
        self._change(i, explanation=_line(text))

    def add(self, text: str = "", label: str | None = None) -> None:
        """One more demonstration, at the end; by default a copy of the last one's text and the first label."""
        if len(self.demonstrations) >= MOST:
            raise ViewError(f"{MOST} demonstrations are as many as the editor shows; remove one first.")
        last = self.demonstrations[-1]["text"] if self.demonstrations else self.query
        card = _card({"text": _line(text) or last, "label": label or self.labels[0]})
        self._set([*self.demonstrations, card])

    def remove(self, i: int) -> None:
        """One demonstration fewer."""
        gone = self._index(i)
        self._set([card for k, card in enumerate(self.demonstrations) if k != gone])

    def move(self, i: int, to: int) -> None:
        """Demonstration `i` to place `to`."""
        cards = list(self.demonstrations)
        card = cards.pop(self._index(i))
        cards.insert(max(0, min(to, len(cards))), card)
        self._set(cards)

    def reset(self) -> None:
        """Everything as it was at the start."""
        self._set([dict(card) for card in self._start[0]], self._start[1])

    def undo(self) -> None:
        """The last edit taken back; nothing happens when there is none."""
        if self._past:
            cards, query = self._past.pop()
            self._put(cards, query)

    def _index(self, i: int) -> int:
        if not -len(self.demonstrations) <= i < len(self.demonstrations):
            raise ViewError(f"There is no demonstration {i}: they are numbered 0 to {len(self.demonstrations) - 1}.")
        return i % len(self.demonstrations)

    def _at(self, i: int) -> Demonstration:
        return self.demonstrations[self._index(i)]

    def _change(self, i: int, **what: str) -> None:
        place = self._index(i)
        self._set([{**card, **what} if k == place else card for k, card in enumerate(self.demonstrations)])

    def _set(self, cards: list[Demonstration], query: str | None = None) -> None:
        query = self.query if query is None else query
        if (cards, query) == (self.demonstrations, self.query):
            return
        self._past = [*self._past[-99:], (list(self.demonstrations), self.query)]
        self._put(cards, query)

    def _put(self, cards: list[Demonstration], query: str) -> None:
        with self.hold_sync():
            self.demonstrations, self.query = cards, query
            self._lay_out()
            self.request += 1

    def _neutral_text(self, text: str) -> str:
        def swap(match: re.Match[str]) -> str:
            word = match.group()
            instead = self.neutral.get(word.lower())
            return word if instead is None else instead.capitalize() if word[:1].isupper() else instead

        return _PIECE.sub(swap, text)

    # --- answers ---------------------------------------------------------------------------------------------------

    def on_ask(self, callback: Ask) -> None:
        """Who answers: `callback(editor, request, stage, part)`; stages are "probabilities", "coarse" and "fine".

        It calls `answer_probabilities` or `answer_saliency` and returns soon, since newer edits are heard in between.
        What it raises is said in the view.
        """
        self._callback = callback

    def answer_probabilities(self, request: int, values: Sequence[float]) -> None:
        """p(label | prompt), one a label; dropped if the prompt has changed since `request`."""
        if request == self.request:
            self.error = ""
            self.probabilities = {"request": request, "values": [float(value) for value in values]}

    def answer_saliency(self, request: int, stage: str, scores: Mapping[int, float], done: bool) -> None:
        """Scores by piece id, positive toward the first label; dropped if the prompt has changed since."""
        if request != self.request:
            return
        row = np.full(len(self.layout_pieces), np.nan, dtype="<f4")
        for piece, score in scores.items():
            row[piece] = score
        finite = np.abs(row[np.isfinite(row)])
        with self.hold_sync():
            self.saliency_scores = row.tobytes()
            limit = float(finite.max()) if finite.size else 0.0
            answer = {"request": request, "stage": stage, "done": bool(done), "limit": limit}
            self.saliency = {**answer, "parts": self._part + 1}

    def refresh(self, seconds: float = math.inf) -> DemonstrationEditor:
        """Every stage answered now, without a browser that asks; the fine one stops after `seconds`. Returns itself."""
        until = time.perf_counter() + seconds
        for stage in ("probabilities", "coarse"):
            self._answer(stage)
        part = 0
        while not self.error and self._callback and not self.saliency["done"] and time.perf_counter() < until:
            self._answer("fine", part)
            part += 1
        return self

    _part = 0

    def _answer(self, stage: str, part: int = 0) -> None:
        if self._callback is None:
            return
        self._part = part
        with self.errors_shown():
            self._callback(self, self.request, stage, part)

    def _asked(self, change: dict[str, Any]) -> None:
        ask = change["new"]
        if ask.get("request") == self.request and ask.get("stage") in ("probabilities", "coarse", "fine"):
            self._answer(ask["stage"], int(ask.get("part", 0)))

    def _obey(self, change: dict[str, Any]) -> None:
        """An edit from the browser, and at once the probabilities that follow from it: one way there and back."""
        name, arguments = change["new"].get("name"), change["new"].get("arguments", [])
        if name not in _COMMANDS:
            return
        before = self.request
        with self.hold_sync():  # one message, so that the browser paints once
            with self.errors_shown():
                self.error = ""
                getattr(self, name)(*arguments)
            if self.request != before:
                self._answer("probabilities")
            self.obeyed = int(change["new"].get("n", 0))

    # --- twins -----------------------------------------------------------------------------------------------------

    @property
    def scores(self) -> np.ndarray:
        """Saliency by piece, NaN where nothing is known or the prompt has changed since."""
        row = np.frombuffer(self.saliency_scores, "<f4")
        current = self.saliency["request"] == self.request and len(row) == len(self.layout_pieces)
        return row if current else np.full(len(self.layout_pieces), np.nan, dtype="<f4")

    def describe(self) -> str:
        """How many demonstrations, which labels are turned, what is answered, which words count most."""
        turned = sum(card["label"] != card["given"] for card in self.demonstrations)
        head = self.say("described", n=len(self.demonstrations), turned=turned)
        parts = [head, self._answer_in_words(), self._saliency_in_words(), self.error]
        return self.say("between_sentences").join(filter(None, parts))

    def _answer_in_words(self) -> str:
        if self.probabilities["request"] != self.request:
            return ""
        values = zip(self.labels, self.probabilities["values"], strict=True)
        told = [self.say("label_with", label=label, value=f"{value:.1%}") for label, value in values]
        return self.say("answers", answers=self.say("and").join(told))

    def _saliency_in_words(self) -> str:
        row = self.scores
        order = [i for i in np.argsort(-np.abs(np.nan_to_num(row))) if np.isfinite(row[i]) and row[i] != 0][:5]
        said = self.say("and").join(f"{self.layout_pieces[i][2]!r} {row[i]:+.2f}" for i in order)
        return self.say("strongest", label=self.labels[0], units=self.units, scores=said) if said else ""

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; scores as numbers, none as null."""
        state = super().to_dict()
        del state["saliency_scores"]
        state["scores"] = [float(v) if np.isfinite(v) else None for v in self.scores]
        return state

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.probabilities["request"] != self.request:
            self.refresh(PICTURE_SECONDS)
        return super()._repr_mimebundle_(**kwargs)

    def draw(self, figure: Figure) -> None:
        """The prompt with its words on their ground, the bars of the answer below."""
        from xllm_widgets.widgets._draw import Page

        page, y = Page(figure), 0.3
        if self.title:
            page.text(0, y, self.title, 11, fontweight="bold")
            y += 0.32
        y = self._draw_prompt(page, y) + 0.4
        y = self._draw_bars(page, y)
        page.finish(y + 0.1)

    def _draw_prompt(self, page: Any, y: float) -> float:
        from xllm_widgets.widgets._draw import Run

        runs: list[Run] = []
        limit = self.saliency["limit"]
        for (kind, demonstration, text, blank), score in zip(self.layout_pieces, self.scores, strict=True):
            if runs:
                runs.append(Run("\n") if kind == "field" else Run(" " if blank else "", breaks=False))
            ink = palette.LIGHT["muted"] if kind == "field" else palette.LIGHT["ink"]
            weight = "bold" if kind == "label" else "normal"
            runs.append(Run(text, palette.ground(float(score), limit), ink, weight, breaks=blank))
            if kind == "label" and text != self.demonstrations[demonstration]["given"]:
                runs.append(Run(f"  {self.say('flipped_aside')}", None, palette.LIGHT["muted"], breaks=False))
        return page.flow(runs, 0, y, page.width, 9.5)

    def _draw_bars(self, page: Any, y: float) -> float:
        values = self.probabilities["values"] if self.probabilities["request"] == self.request else []
        if not values:
            page.text(0, y, self.error or self.say("not_computed"), 9.5, palette.LIGHT["muted"])
            return y
        left = max(page.measure(label, 10) for label in self.labels) + 0.15
        wide = page.width - left - 0.8
        for label, value in zip(self.labels, values, strict=True):
            page.text(0, y, label, 10, fontweight="bold")
            page.box(left, y - 0.13, wide, 0.16, palette.LIGHT["well"])
            page.box(left, y - 0.13, wide * value, 0.16, palette.LIGHT["ink"])
            page.text(left + wide + 0.1, y, f"{value:.1%}", 10)
            y += 0.27
        return y


def _line(text: str) -> str:
    return " ".join(str(text).split("\n")).strip()


def _card(demonstration: Mapping[str, str]) -> Demonstration:
    """A demonstration with everything it needs; `given` remembers the label it came with."""
    missing = {"text", "label"} - set(demonstration)
    if missing:
        raise ViewError(f"A demonstration needs a text and a label; {' and '.join(sorted(missing))} is missing.")
    card = {"explanation": "", "given": demonstration["label"], **demonstration}
    return {name: _line(card[name]) for name in ("text", "label", "explanation", "given")}
