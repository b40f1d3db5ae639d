"""The demonstration editor with a model behind it: label probabilities at once, then which words they rest on."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight, PromptError, XllmError
from xllm_widgets.lab.code import Timed, Write, with_code
from xllm_widgets.methods.attribution import METHODS
from xllm_widgets.methods.stepwise import StepwiseOcclusion
from xllm_widgets.microworld import reviews
from xllm_widgets.models import check_labels
from xllm_widgets.studies.items import lexicon_spans
from xllm_widgets.studies.stimuli import SENTIMENT_WORDS

if TYPE_CHECKING:
    from xllm_widgets.methods.targets import Target
    from xllm_widgets.models.language_model import LanguageModel
    from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor

LABELS = ("positive", "negative")
PART_SECONDS = 0.08
"""Computation in one callback of the fine stage: a newer edit is only heard between callbacks."""

Group = tuple[int, int]


def _edited(view: DemonstrationEditor) -> Callable[[Write], str]:
    return lambda write: write(demonstrations=[dict(card) for card in view.demonstrations], query=view.query)


@with_code(_edited)
def demonstration_lab(
    lm: LanguageModel,
    demonstrations: Sequence[dict[str, str] | tuple[str, str]] | None = None,
    query: str | None = None,
    labels: Sequence[str] | None = None,
    *,
    method: str = "occlusion",
    shots: int = 8,
    seed: int = 0,
    **editor: Any,
) -> DemonstrationEditor:
    """Edit the demonstrations of a few-shot prompt and watch the answer and its reasons follow (Li et al., 2023b).

    `demonstrations`: dictionaries with text, label and perhaps explanation, or pairs (text, label); without them
    `shots` held-out reviews of the bundled world, as many of either sentiment. `labels`: the words to choose between.
    The colours are attributions of log p(labels[0]) - log p(labels[1]) by `method`, in nats (of log p(labels[0]) where
    there are more than two): toward is toward labels[0]. Other keywords go to the `DemonstrationEditor`. What is wrong
    with a prompt is said in the editor.

    Raises MissingSight for a model that cannot be looked into, XllmError for an unknown method or unusable labels.
    """
    from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor

    shown = held_out_demonstrations(shots, seed) if demonstrations is None else [_as_dict(d) for d in demonstrations]
    asked = held_out_query(seed) if query is None else query
    view = DemonstrationEditor(shown, asked, labels or LABELS, neutral=neutral_words(), **editor)
    view.explainer = explain_review
    view.on_ask(Timed(Answers(lm, method)))
    return view


def held_out_demonstrations(shots: int = 8, seed: int = 0) -> list[dict[str, str]]:
    """Labelled reviews in wordings that no bundled model was taught, as many of either sentiment, in random order."""
    rng = random.Random(f"demonstrations {seed}")
    order = [reviews.SENTIMENTS[i % 2] for i in range(shots)]
    rng.shuffle(order)
    return [_as_dict((reviews.write_review(rng, sentiment, split="test").text, sentiment)) for sentiment in order]


def held_out_query(seed: int = 0) -> str:
    """A positive review in a wording that no bundled model was taught."""
    return reviews.write_review(random.Random(f"query {seed}"), "positive", split="test").text


def neutral_words() -> dict[str, str]:
    """Sentiment word → the neutral word that takes its place: of the bundled world, and of a small English lexicon."""
    common = {word: reviews.NEUTRAL[i % len(reviews.NEUTRAL)] for i, word in enumerate(SENTIMENT_WORDS)}
    world = {word: reviews.neutral_word(word) for words in reviews.ADJECTIVES.values() for word in words}
    return common | {word: neutral for word, neutral in world.items() if neutral}


def explain_review(text: str) -> str:
    """One line that names a review's sentiment words and their tone, never a label; empty where no word is known."""
    tones = {word: tone for tone, words in reviews.ADJECTIVES.items() for word in words}
    spans = [m.span() for m in re.finditer(r"[^\W\d_]+", text) if m.group() in tones] or lexicon_spans(text)
    if not spans:
        return ""
    found = [(tones | SENTIMENT_WORDS).get(text[a:b].lower(), "positive") for a, b in spans]
    return reviews.Review(text, max(set(found), key=found.count), tuple(spans)).explanation


class Answers:
    """Answers what the editor asks: `answers(editor, request, stage, part)`; a superseded request is not computed."""

    def __init__(self, lm: LanguageModel, method: str = "occlusion") -> None:
        if method not in METHODS:
            raise XllmError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
        if missing := {"logprobs", "gradients"} - set(lm.sights):
            raise MissingSight(f"{lm.name} does not show its {' and '.join(sorted(missing))}; use a bundled model.")
        self.lm, self.method = lm, method
        self._request = -1
        self._saliency: Saliency | None = None

    def __call__(self, editor: DemonstrationEditor, request: int, stage: str, part: int = 0) -> None:
        """One stage of one request; raises XllmError, in one sentence, for a prompt that cannot be answered."""
        with self.lm.lock:
            if request != editor.request:
                return
            if stage == "probabilities":
                editor.answer_probabilities(request, self.probabilities(editor))
                return
            saliency = self._of(editor, request)
            scores, done = saliency.coarse() if stage == "coarse" else saliency.fine()
            editor.answer_saliency(request, stage, scores, done)

    def probabilities(self, editor: DemonstrationEditor) -> list[float]:
        """p(label | prompt) of each label, in their order."""
        check_prompt(editor)
        prompt, continuations = editor.prompt, [f" {label}" for label in editor.labels]
        check_labels(self.lm, prompt, continuations)
        return np.exp(self.lm.logprobs(prompt, continuations)[0]).tolist()

    def _of(self, editor: DemonstrationEditor, request: int) -> Saliency:
        if self._saliency is None or self._request != request:
            check_prompt(editor)
            check_labels(self.lm, editor.prompt, [f" {label}" for label in editor.labels])
            self._request, self._saliency = request, Saliency(self.lm, editor, self.method)
        return self._saliency


def check_prompt(editor: DemonstrationEditor) -> None:
    """PromptError that says which text is empty."""
    name = editor.fields.get("text", "review").lower()
    for number, demonstration in enumerate(editor.demonstrations, 1):
        if not demonstration["text"].strip():
            raise PromptError(f"The {name} of demonstration {number} is empty; write at least one word.")
        if not demonstration["label"].strip():
            raise PromptError(f"The label of demonstration {number} is empty; write at least one letter.")
    if not editor.query.strip():
        raise PromptError(f"The {name} to be judged is empty; write at least one word.")


class Saliency:
    """The attribution of one prompt, computed step by step: first coarse (whole reviews and labels), then each word.

    Scores are given by piece of the editor, in nats; what is not known yet as a word of its own keeps its coarse share.
    """

    def __init__(self, lm: LanguageModel, editor: DemonstrationEditor, method: str) -> None:
        self.lm, self.method, self.prompt = lm, method, editor.prompt
        first, *others = [f" {label}" for label in editor.labels]
        self.target: Target = (first, others[0]) if len(others) == 1 else first
        self.tokens = lm.tokens(self.prompt)
        self.pieces = {p.id: span for p in editor.pieces if (span := self._span(p.start, p.end))}
        self.coarse_groups = list(_groups(editor.pieces, self.pieces))
        self.todo = sorted(self.pieces, key=lambda id: self.pieces[id], reverse=True)
        self.scores: dict[int, float] = {}
        self.seconds_per_token = 0.0
        self._stepwise: StepwiseOcclusion | None = None

    def coarse(self) -> tuple[dict[int, float], bool]:
        """Scores of whole reviews, labels and explanations, shared evenly by their pieces; and whether that is all."""
        if self.method != "occlusion":
            return self._whole()
        spans = [self._join(ids) for ids in self.coarse_groups]
        for ids, score in zip(self.coarse_groups, self._occlude(spans), strict=True):
            self.scores |= dict.fromkeys(ids, float(score) / len(ids))
        return dict(self.scores), False

    def fine(self) -> tuple[dict[int, float], bool]:
        """As many words more as fit into PART_SECONDS, the last of the prompt first: they are the cheapest."""
        if self.method != "occlusion":
            return self._whole()
        part: list[int] = []
        cost = 0.0
        while self.todo and (not part or cost < PART_SECONDS):
            part.append(self.todo.pop(0))
            cost += (len(self.tokens) - self.pieces[part[-1]][0]) * (self.seconds_per_token or PART_SECONDS)
        if part:
            scores = self._occlude([self.pieces[id] for id in part])
            self.scores |= {id: float(score) for id, score in zip(part, scores, strict=True)}
        return dict(self.scores), not self.todo

    def _whole(self) -> tuple[dict[int, float], bool]:
        """The methods that cannot be had piece by piece: one pass of gradients gives every token."""
        by_token = self.lm.attribute(self.prompt, self.target, method=self.method).scores[0]
        return {id: float(by_token[a:b].sum()) for id, (a, b) in self.pieces.items()}, True

    def _occlude(self, spans: Sequence[Group]) -> np.ndarray:
        if self._stepwise is None:
            self._stepwise = StepwiseOcclusion(self.lm, self.prompt, self.target)
        started = time.perf_counter()
        scores = self._stepwise.scores(spans)[0]
        computed = sum(len(self.tokens) - a for a, _ in spans)
        self.seconds_per_token = (time.perf_counter() - started) / max(1, computed)
        return scores

    def _span(self, start: int, end: int) -> Group | None:
        """Tokens of these characters; None for a piece without any (nothing but blanks in the prompt's eyes)."""
        return self.tokens.covering(start, end) if self.prompt[start:end].strip() else None

    def _join(self, ids: Sequence[int]) -> Group:
        return min(self.pieces[id][0] for id in ids), max(self.pieces[id][1] for id in ids)


def _groups(pieces: Iterable[Any], known: dict[int, Group]) -> Iterable[list[int]]:
    """Neighbouring pieces of one kind and demonstration, as lists of their ids; fields are left to the fine stage."""
    last: tuple[str, int] | None = None
    group: list[int] = []
    for piece in pieces:
        here = (piece.kind, piece.demonstration)
        if here != last and group:
            yield group
            group = []
        last = here
        if piece.id in known and piece.kind != "field":
            group.append(piece.id)
    if group:
        yield group


def _as_dict(demonstration: dict[str, str] | tuple[str, ...]) -> dict[str, str]:
    if isinstance(demonstration, dict):
        return {"explanation": "", **demonstration}
    text, label, *rest = demonstration
    return {"text": text, "label": label, "explanation": rest[0] if rest else ""}
