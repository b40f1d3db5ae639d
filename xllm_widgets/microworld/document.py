"""One document of the microworld: its text, which parts of it can be learnt, and the facts it states."""

import re
from collections.abc import Callable
from dataclasses import dataclass

END_OF_TEXT = "<|endoftext|>"
_MARKS = re.compile("[«»]")


@dataclass(frozen=True)
class Document:
    """A text as the models read it.

    kind: the sort of document ("reviews", "geography", …).
    text: what is tokenised; no trailing separator.
    learnable: character spans (start, end) whose tokens follow from the world or from the text before them (a label, an
        answer, a place on the map). The training loss weighs these fully and all other tokens lightly, because a
        random review's wording cannot be learnt and its gradient would drown the one label that can.
    facts: identifiers ("capital:France", "job:Mara Tolvik") of the true facts the text states in so many words: in a
        sentence it tells, gives as a premise or lets an honest speaker say, or in one that it judges true. Truth that
        is denied, judged false, implied or only asked about is not stated, nor does the denial of an untruth state it.
    """

    kind: str
    text: str
    learnable: tuple[tuple[int, int], ...]
    facts: tuple[str, ...]


def from_marked(kind: str, marked: str, facts: list[str]) -> Document:
    """Build a document from text in which «…» encloses each learnable span."""
    pieces = _MARKS.split(marked)
    spans, position = [], 0
    for number, piece in enumerate(pieces):
        if number % 2:
            spans.append((position, position + len(piece)))
        position += len(piece)
    return Document(kind, "".join(pieces), tuple(spans), tuple(facts))


@dataclass(frozen=True)
class Kind:
    """A kind of document: who writes it, its share of an education's tokens, and its mean length in tokens."""

    write: Callable[..., Document]
    share: float
    tokens: float
