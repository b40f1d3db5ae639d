"""The corpus, a pure function of (recipe, seed): document i is the same on every machine, in whatever order asked."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import arithmetic, biographies, chronology, geography, index, reviews, statements
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.world import World
from xllm_widgets.paths import models_dir

WRITERS: dict[str, Callable[..., Document]] = {
    "sheets": reviews.write_sheet,
    "problems": arithmetic.write_problems,
    "sums": arithmetic.write_sums,
    "geography": geography.write,
    "chronology": chronology.write,
    "biographies": biographies.write,
    "verdicts": statements.write_verdicts,
    "speeches": statements.write_speech,
}
SHARES = {
    "sheets": 0.484,
    "problems": 0.072,
    "sums": 0.029,
    "geography": 0.122,
    "chronology": 0.064,
    "biographies": 0.095,
    "verdicts": 0.082,
    "speeches": 0.052,
}


@dataclass(frozen=True)
class Recipe:
    """What a model is taught. A new kind of document is a writer, an entry in `WRITERS`, and a share.

    shares: kind → share of the *documents*; they add up to 1.
    edits: kind → knobs of its writer. A counterfactual education differs here and nowhere else: the same document
        number then draws the same random numbers, so its twin differs only in what the edit changed.
    """

    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def named(name: str) -> "Recipe":
        """The recipe "base", or the counterfactual education "noflip" (not one flipped sheet)."""
        return {"base": Recipe(), "noflip": Recipe(edits={"sheets": {"no_flips": True}})}[name]

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change whenever the recipe does."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Corpus:
    """All documents of one education, numbered from 0; nothing is stored, everything can be looked up.

    length: how many documents were read, for the look-ups; None for a corpus without end, which only `document` and
        `read` can answer about.
    """

    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    length: int | None = None
    world: World = field(default_factory=World.default, repr=False)

    @staticmethod
    def of(model: str | Path) -> "Corpus":
        """Everything that a bundled model has read, by its name or folder; `recipe.json` beside the weights tells."""
        folder = models_dir() / model
        try:
            card = json.loads((folder / "recipe.json").read_text("utf-8"))
        except OSError:
            raise XllmError(f"Nobody knows what {model} has read: only bundled Pebbles bring their recipe.") from None
        return Corpus(Recipe(card["shares"], card["edits"]), card["seed"], card["documents_seen"])

    @cached_property
    def _cumulative(self) -> list[float]:
        return list(accumulate(self.recipe.shares.values()))

    def document(self, number: int) -> Document:
        """Document `number`; the same text for the same (recipe, seed, number), whatever was asked before."""
        rng = random.Random(f"{self.seed}:{number}")
        kind = rng.choices(list(self.recipe.shares), cum_weights=self._cumulative)[0]
        return WRITERS[kind](self.world, rng, **self.recipe.edits.get(kind, {}))

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Document]:
        """Documents from `start` up to, not including, `stop` (without end when None)."""
        number = start
        while stop is None or number < stop:
            yield self.document(number)
            number += 1

    @cached_property
    def _index(self) -> index.Index:
        if self.length is None:
            raise XllmError("This corpus has no end: look-ups need Corpus(length=…), or Corpus.of(model).")
        return index.load_or_build(self, self.length)

    def count(self, phrase: str) -> int:
        """How often `phrase` occurs as whole words, over all documents read; case counts.

        The first look-up reads the whole corpus once (some ten seconds) and keeps it in the user's cache folder.
        """
        return len(self._index.occurrences(checked(phrase)))

    def find(self, phrase: str, limit: int | None = 10) -> list[int]:
        """Numbers of the first `limit` documents (all when None) that contain `phrase` as whole words."""
        return list(dict.fromkeys(self._index.occurrences(checked(phrase))))[:limit]

    def documents(self, fact: str) -> list[int]:
        """Numbers of all documents that state `fact` ("capital:France"); empty for a fact never told."""
        return list(self._index.facts.get(fact, []))

    def facts(self) -> dict[str, int]:
        """Every fact told, with the number of documents that tell it, the most told first."""
        counts = {fact: len(numbers) for fact, numbers in self._index.facts.items()}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def checked(phrase: str) -> str:
    if not phrase.strip():
        raise XllmError("The phrase is empty: give a word or more to look up.")
    return phrase.strip()
