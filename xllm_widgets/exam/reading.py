"""How well a model foretells documents that nobody has read: what repeated ones cost (Hernandez et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.errors import PromptError
from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.exam.scoring import Result
from xllm_widgets.microworld.corpus import BASE_PHASES, Corpus, Recipe
from xllm_widgets.microworld.document import Document

if TYPE_CHECKING:
    from xllm_widgets.models.language_model import LanguageModel

FRESH = 10_000_000  # no training reads documents from this number on; the longest bundled one ends before a million
TRIED = 20  # documents looked at for each that is wanted
RESAMPLES = 1000
FIRST_MIX = Recipe(BASE_PHASES[:1])


def measure_fresh(paper: Paper) -> Results:
    """Nats a learnable token in documents of the first mix that no education holds; bootstrap over documents.

    The first, because every base has read it: of later mixes a small model has met not one document.
    """
    return {"": _per_token(*losses(paper.lm, fresh(paper.lm, paper.n, paper.seed)), paper.seed)}


def shares_of_loss(paper: Paper) -> dict[str, list[float]]:
    """What each fresh document adds to that loss: its nats, over the mean number of learnable tokens in a document."""
    nats, tokens = losses(paper.lm, fresh(paper.lm, paper.n, paper.seed))
    return {"": (nats / tokens.mean()).tolist()}


def fresh(lm: LanguageModel, n: int, seed: int = 0) -> list[Document]:
    """The first n documents of that sort, no two alike, that fit the model's context.

    Fewer if most are too long for it; PromptError if all are.
    """
    found: dict[str, Document] = {}
    for document in Corpus(FIRST_MIX, seed).read(FRESH, FRESH + TRIED * n):
        if len(lm.tokens(document.text)) <= lm.context_length:
            found.setdefault(document.text, document)
        if len(found) == n:
            break
    if not found:
        raise PromptError(f"No document fits into {lm.context_length} tokens; choose a model with a longer context.")
    return list(found.values())


def losses(lm: LanguageModel, documents: Sequence[Document]) -> tuple[np.ndarray, np.ndarray]:
    """Of each document the loss of its learnable tokens, each behind all that stands before it, and their number.

    (documents,) nats and (documents,) tokens. A text's first token has nothing before it and is left out.
    """
    parts = [(i, *part) for i, document in enumerate(documents) for part in _parts(lm, document)]
    logp = lm.logprobs([before for _, before, _, _ in parts], [[answer] for _, _, answer, _ in parts])[:, 0]
    nats, tokens = np.zeros(len(documents)), np.zeros(len(documents))
    for (i, _, _, number), value in zip(parts, logp, strict=True):
        nats[i] -= value
        tokens[i] += number
    return nats, tokens


def _parts(lm: LanguageModel, document: Document) -> Iterator[tuple[str, str, int]]:
    """Each learnable span in whole tokens: the text before it, the span, and how many tokens it has."""
    text = lm.tokens(document.text)
    done = sum(text.special) + 1
    for start, end in document.learnable:
        first, last = text.covering(start, end)
        first, done = max(first, done), max(last, done)
        if first < last:
            begin, stop = text.offsets[first][0], text.offsets[last - 1][1]
            yield document.text[:begin], document.text[begin:stop], last - first


def _per_token(nats: np.ndarray, tokens: np.ndarray, seed: int) -> Result:
    picks = np.random.default_rng(seed).integers(len(nats), size=(RESAMPLES, len(nats)))
    low, high = np.quantile(nats[picks].sum(1) / tokens[picks].sum(1), (0.025, 0.975))
    return Result(float(nats.sum() / tokens.sum()), float(low), float(high), len(nats))
