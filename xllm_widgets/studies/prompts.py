"""A few-shot prompt that remembers which characters are label, sentiment word, review, explanation or frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

KINDS = ("label", "sentiment word", "review", "explanation", "question", "frame")
"""What a token can belong to; every token of a prompt has exactly one kind."""


@dataclass(frozen=True)
class Demonstration:
    """A labelled text, with the spans of its sentiment words and, if any, an explanation of the label."""

    text: str
    label: str
    sentiment_words: tuple[tuple[int, int], ...] = ()
    explanation: str = ""


class Span(NamedTuple):
    """Characters start … end (exclusive) of the prompt; `demonstration` is -1 for the question."""

    start: int
    end: int
    kind: str
    demonstration: int


@dataclass(frozen=True)
class Prompt:
    """The text the model reads and what each stretch of it is."""

    text: str
    spans: tuple[Span, ...]

    def kinds(self, tokens) -> np.ndarray:
        """Kind of each token (n tokens,), by its first visible character; special tokens count as frame."""
        offsets, special = tokens.offsets, tokens.special
        kinds = [self._kind_at(start, end) for start, end in offsets]
        return np.array(["frame" if special[i] else kind for i, kind in enumerate(kinds)])

    def _kind_at(self, start: int, end: int) -> str:
        piece = self.text[start:end]
        place = start + len(piece) - len(piece.lstrip())
        return next((span.kind for span in self.spans if span.start <= place < span.end), "frame")


def lay_out(demonstrations: Sequence[Demonstration], question: str) -> Prompt:
    """The prompt the bundled models were taught to read, one blank line between demonstrations.

    The text equals `microworld.reviews.render_prompt`; an explanation stands between the review and its label.
    """
    text, spans = "", []
    for piece, kind, number in _pieces(demonstrations, question):
        spans.append(Span(len(text), len(text) + len(piece), kind, number))
        text += piece
    return Prompt(text, tuple(span for span in spans if span.end > span.start))


def replace_words(demonstration: Demonstration, words: Sequence[str], places=None) -> Demonstration:
    """The demonstration with its sentiment words (or the words at `places`) replaced, one word for each, in order."""
    own = places is None
    places = demonstration.sentiment_words if own else places
    text, moved, shift = demonstration.text, [], 0
    for (start, end), word in zip(sorted(places), words, strict=True):
        text = text[: start + shift] + word + text[end + shift :]
        moved.append((start + shift, start + shift + len(word)))
        shift += len(word) - (end - start)
    return replace(demonstration, text=text, sentiment_words=tuple(moved))


def _pieces(demonstrations: Sequence[Demonstration], question: str) -> Iterator[tuple[str, str, int]]:
    for number, demonstration in enumerate(demonstrations):
        yield "Review: ", "frame", number
        yield from ((piece, kind, number) for piece, kind in _review(demonstration))
        if demonstration.explanation:
            yield "\nExplanation: ", "frame", number
            yield demonstration.explanation, "explanation", number
        yield "\nSentiment: ", "frame", number
        yield demonstration.label, "label", number
        yield "\n\n", "frame", number
    yield "Review: ", "frame", -1
    yield question, "question", -1
    yield "\nSentiment:", "frame", -1


def _review(demonstration: Demonstration) -> Iterator[tuple[str, str]]:
    place = 0
    for start, end in sorted(demonstration.sentiment_words):
        yield demonstration.text[place:start], "review"
        yield demonstration.text[start:end], "sentiment word"
        place = end
    yield demonstration.text[place:], "review"
