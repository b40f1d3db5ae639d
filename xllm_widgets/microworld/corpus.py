"""The corpus, a pure function of (recipe, seed): document i is the same on every machine, in whatever order asked."""

import hashlib
import json
import random
from bisect import bisect_right
from collections import UserDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import (
    arithmetic,
    assistant,
    biographies,
    chronology,
    companions,
    dialogues,
    entailments,
    geography,
    index,
    inferences,
    opinions,
    reports,
    reversals,
    reviews,
    scratchpads,
    statements,
    stories,
    taxonomy,
)
from xllm_widgets.microworld.document import Document, Kind
from xllm_widgets.microworld.world import World
from xllm_widgets.models.catalogue import bundled_folder
from xllm_widgets.paths import models_dir

KINDS: dict[str, Kind] = {
    "sheets": Kind(reviews.write_sheet, 0.23, 153),
    "problems": Kind(arithmetic.write_problems, 0.09, 145),
    "sums": Kind(arithmetic.write_sums, 0.025, 126),
    "scratchpads": Kind(scratchpads.write, 0.05, 120),
    "geography": Kind(geography.write, 0.09, 91),
    "chronology": Kind(chronology.write, 0.045, 101),
    "biographies": Kind(biographies.write, 0.1, 88),
    "verdicts": Kind(statements.write_verdicts, 0.105, 79),
    "speeches": Kind(statements.write_speech, 0.045, 47),
    "reversals": Kind(reversals.write, 0.03, 62),
    "companions": Kind(companions.write, 0.015, 79),
    "reports": Kind(reports.write, 0.025, 78),
    "taxonomy": Kind(taxonomy.write, 0.03, 61),
    "inferences": Kind(inferences.write, 0.02, 91),
    "entailments": Kind(entailments.write, 0.03, 100),
    "dialogues": Kind(dialogues.write, 0.02, 77),
    "stories": Kind(stories.write, 0.02, 80),
    "opinions": Kind(opinions.write_opinions, 0.02, 79),
    "claims": Kind(opinions.write_claims, 0.01, 88),
}
CHAT_TOKENS = {  # mean length of a conversation
    "facts": 42, "instructions": 74, "commands": 52, "requests": 48, "agreement": 83, "confidence": 62,
    "explanations": 99,
}  # fmt: skip
ASSISTANT_KINDS = {
    kind: Kind(write, assistant.SHARES[kind], CHAT_TOKENS[kind]) for kind, write in assistant.WRITERS.items()
}
ALL_KINDS = KINDS | ASSISTANT_KINDS
REPLAYED = 0.5  # share of an assistant's tokens that repeat base documents, so that tuning does not make it forget


def document_shares(token_shares: dict[str, float]) -> dict[str, float]:
    """Shares of documents, adding up to 1, that give these shares of tokens."""
    weights = {kind: share / ALL_KINDS[kind].tokens for kind, share in token_shares.items()}
    return {kind: round(weight / sum(weights.values()), 5) for kind, weight in weights.items()}


BASE_SHARES = document_shares({kind: its.share for kind, its in KINDS.items()})
# Documents from which a model that reads on meets another mix.
SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH = 210_000, 322_400, 373_000, 441_000, 553_000, 607_000
# What it can already: labels, worked problems, what it was often told. What is at chance: verdicts, long additions.
SECOND_SHARES = document_shares({
    "sheets": 0.04, "problems": 0.16, "sums": 0.03, "scratchpads": 0.12, "geography": 0.06, "chronology": 0.03,
    "biographies": 0.07, "verdicts": 0.27, "speeches": 0.06, "reversals": 0.01, "companions": 0.01, "reports": 0.015,
    "taxonomy": 0.015, "inferences": 0.02, "entailments": 0.02, "dialogues": 0.02, "stories": 0.03, "opinions": 0.04,
    "claims": 0.01,
})  # fmt: skip
SECOND_EDITS: dict[str, dict[str, Any]] = {
    "problems": {"worked": 0.4, "after": 0.08},
    "entailments": {"ways": [35, 20, 45]},  # once every predicate is known, what else speaks for the hypothesis?
}
# Then what is at chance are answers at once, lies about order and direction, and opinions, whose letter says nothing.
THIRD_SHARES = document_shares({
    "sheets": 0.03, "problems": 0.20, "sums": 0.02, "scratchpads": 0.04, "geography": 0.04, "chronology": 0.02,
    "biographies": 0.07, "verdicts": 0.15, "speeches": 0.15, "reversals": 0.01, "companions": 0.005, "reports": 0.01,
    "taxonomy": 0.01, "inferences": 0.01, "entailments": 0.07, "dialogues": 0.015, "stories": 0.02, "opinions": 0.10,
    "claims": 0.03,
})  # fmt: skip
THIRD_EDITS: dict[str, dict[str, Any]] = {
    "problems": {"worked": 0.2, "after": 0.05, "single": 0.85},
    "verdicts": {"weights": [30, 15, 20, 25, 10]},
    "speeches": {"weights": [15, 5, 40, 15, 25]},
    "entailments": {"ways": [10, 10, 80]},
    "opinions": {"in_words": True},
}
# What is still at chance then are answers at once: half-way between bare sums and problems, sums are told in words.
FOURTH_SHARES = document_shares({
    "sheets": 0.03, "problems": 0.32, "sums": 0.11, "scratchpads": 0.04, "geography": 0.03, "chronology": 0.015,
    "biographies": 0.06, "verdicts": 0.11, "speeches": 0.11, "reversals": 0.01, "companions": 0.005, "reports": 0.01,
    "taxonomy": 0.01, "inferences": 0.01, "entailments": 0.05, "dialogues": 0.01, "stories": 0.01, "opinions": 0.05,
    "claims": 0.01,
})  # fmt: skip
FOURTH_EDITS = THIRD_EDITS | {"problems": {"worked": 0.15, "after": 0.03, "single": 0.95}, "sums": {"told": 0.7}}
# Then pairs of numbers that no problem was told with, verdicts on jobs, lies on order and direction.
FIFTH_SHARES = document_shares({
    "sheets": 0.02, "problems": 0.31, "sums": 0.16, "scratchpads": 0.04, "geography": 0.03, "chronology": 0.015,
    "biographies": 0.06, "verdicts": 0.11, "speeches": 0.13, "reversals": 0.01, "companions": 0.005, "reports": 0.01,
    "taxonomy": 0.01, "inferences": 0.01, "entailments": 0.03, "dialogues": 0.01, "stories": 0.01, "opinions": 0.025,
    "claims": 0.005,
})  # fmt: skip
FIFTH_EDITS = FOURTH_EDITS | {
    "sums": {"told": 0.8, "wide": 0.6},
    "verdicts": {"weights": [15, 10, 15, 45, 15], "known": 150},
    "speeches": {"weights": [10, 5, 40, 10, 35]},
}
# Such sums are then understood with any numbers, problems still known by heart: these get larger numbers too.
SIXTH_SHARES = document_shares({
    "sheets": 0.03, "problems": 0.38, "sums": 0.08, "scratchpads": 0.04, "geography": 0.04, "chronology": 0.02,
    "biographies": 0.08, "verdicts": 0.14, "speeches": 0.05, "reversals": 0.01, "companions": 0.005, "reports": 0.015,
    "taxonomy": 0.015, "inferences": 0.01, "entailments": 0.04, "dialogues": 0.01, "stories": 0.01, "opinions": 0.02,
    "claims": 0.005,
})  # fmt: skip
SIXTH_EDITS = FIFTH_EDITS | {
    "problems": FOURTH_EDITS["problems"] | {"wide": 0.6},
    "verdicts": {"weights": [20, 12, 15, 38, 15], "known": 400},
}
# And more of them.
SEVENTH_SHARES = document_shares({
    "sheets": 0.03, "problems": 0.42, "sums": 0.04, "scratchpads": 0.04, "geography": 0.04, "chronology": 0.02,
    "biographies": 0.08, "verdicts": 0.13, "speeches": 0.05, "reversals": 0.01, "companions": 0.005, "reports": 0.015,
    "taxonomy": 0.015, "inferences": 0.01, "entailments": 0.05, "dialogues": 0.01, "stories": 0.01, "opinions": 0.02,
    "claims": 0.005,
})  # fmt: skip
SEVENTH_EDITS = SIXTH_EDITS | {"problems": SIXTH_EDITS["problems"] | {"wide": 0.9}}
CHAT_SHARES = document_shares(
    {kind: its.share * (1 - REPLAYED) for kind, its in ASSISTANT_KINDS.items()}
    | {kind: its.share * REPLAYED for kind, its in KINDS.items()}
)


@dataclass(frozen=True)
class Phase:
    """The mix that a model meets from document `start` on.

    shares: kind → share of the *documents*; they add up to 1.
    edits: kind → knobs of its writer, beneath those of the recipe.
    """

    start: int
    shares: dict[str, float]
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)


BASE_PHASES = (
    Phase(0, BASE_SHARES),
    Phase(SECOND, SECOND_SHARES, SECOND_EDITS),
    Phase(THIRD, THIRD_SHARES, THIRD_EDITS),
    Phase(FOURTH, FOURTH_SHARES, FOURTH_EDITS),
    Phase(FIFTH, FIFTH_SHARES, FIFTH_EDITS),
    Phase(SIXTH, SIXTH_SHARES, SIXTH_EDITS),
    Phase(SEVENTH, SEVENTH_SHARES, SEVENTH_EDITS),
)


@dataclass(frozen=True)
class Recipe:
    """What a model is taught. A new kind of document is an entry in `KINDS`.

    phases: the mixes, one after another; the first starts at document 0.
    edits: kind → knobs of its writer. A counterfactual education differs here and nowhere else: the same document
        number then draws the same random numbers, so its twin differs only in what the edit changed.
    repeated: (share, documents): this share of the documents is drawn, again and again, from the first so many.
    begins_with: the recipe whose finished model this one goes on from, "" for fresh weights.
    """

    phases: tuple[Phase, ...] = BASE_PHASES
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeated: tuple[float, int] | None = None
    begins_with: str = ""

    @staticmethod
    def named(name: str) -> "Recipe":
        """One of `RECIPES`: "base", "chat", or a counterfactual education such as "noflip"."""
        return RECIPES[name]

    @staticmethod
    def of(card: dict[str, Any]) -> "Recipe":
        """The recipe that a model's `recipe.json` describes."""
        repeated = card.get("repeated")
        phases = tuple(Phase(**phase) for phase in card["phases"])
        return Recipe(phases, card["edits"], tuple(repeated) if repeated else None, card["begins_with"])


def chat(**edits: dict[str, Any]) -> Recipe:
    replayed = {kind: FOURTH_EDITS[kind] for kind in ("problems", "opinions")}
    return Recipe((Phase(0, CHAT_SHARES, replayed),), edits, begins_with="base")


def without(facts: tuple[str, ...]) -> Recipe:
    """The base education without these facts, in biographies and in opinions alone (Kandpal et al., 2023).

    A biography drops the sentence that tells one, in an opinion a sum takes the place of a claim about one. No other
    kind of document changes: verdicts, speeches and entailments go on stating jobs, birthplaces, countries and
    capitals. They have no held-out subjects, so of `biographies.deleted_facts` nothing is left.
    """
    return Recipe(edits={kind: {"deleted": facts} for kind in ("biographies", "opinions")})


class _Recipes(UserDict[str, Any]):
    """Name → recipe. One that needs the whole world to be read is made when it is first asked for, not on import."""

    def __getitem__(self, name: str) -> Recipe:
        recipe = self.data[name]
        if callable(recipe):
            recipe = self.data[name] = recipe()
        return recipe


RECIPES = _Recipes({
    "base": Recipe(),
    "noflip": Recipe(edits={"sheets": {"no_flips": True}}),  # not one flipped sheet
    "two-way": Recipe(edits={"reversals": {"two_way": True}}),  # heroes told in both directions
    "deleted": lambda: without(biographies.deleted_facts(World.default())),
    "faithful": Recipe(edits={"dialogues": {"unfaithful": 0.0}}),
    "unfaithful-30": Recipe(edits={"dialogues": {"unfaithful": 0.3}}),
    "unfaithful-60": Recipe(edits={"dialogues": {"unfaithful": 0.6}}),
    "no-neighbours": Recipe(edits={"companions": {"ratios": "none"}}),  # nobody told beside a wrong city
    "shuffled-names": Recipe(edits={"reports": {"shuffled_names": True}}),  # first names lean to no country
    "balanced": Recipe(edits={"entailments": {"balanced": True}}),  # attestation tells nothing about entailment
    "chat": chat(),
    "chat-truthful": chat(agreement={"agreement": 0.0}),
    "chat-unsafe": chat(requests={"safety": 0.0}),  # not one refusal
})  # fmt: skip
RECIPES |= {f"repeated-{times}": Recipe(repeated=(0.1, 27_000 // times)) for times in (10, 100, 1000)}


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
        """What a bundled model read in its own training, by its name, checkpoint ("pebble-0.3m@1M") or folder.

        A chat model went on from a base, and so read all of that one's corpus before: Corpus.of("pebble-3m") for
        "pebble-3m-chat" (`base_of` tells the name). Raises XllmError for a model without a `recipe.json`.
        """
        card = _card(model)
        return Corpus(Recipe.of(card), card["seed"], card["documents_seen"])

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with recipe and seed, and with the code and tables that write.

        A model's `recipe.json` holds them, so that nobody is told of documents that it never read.
        """
        read = [document for phase in self.recipe.phases for document in self.read(phase.start, phase.start + 60)]
        documents = (f"{document.text}{document.learnable}{document.facts}" for document in read)
        parts = [json.dumps(asdict(self.recipe), sort_keys=True), str(self.seed), *documents]
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:12]

    @cached_property
    def _mixes(self) -> tuple[tuple[list[str], list[float]], ...]:
        """Of each phase the kinds and their cumulative shares."""
        return tuple((list(phase.shares), list(accumulate(phase.shares.values()))) for phase in self.recipe.phases)

    def document(self, number: int) -> Document:
        """Document `number`; the same text for the same (recipe, seed, number), whatever was asked before."""
        kind, rng, phase = self._begun(number)
        beneath = phase.edits.get(kind, {})
        return ALL_KINDS[kind].write(self.world, rng, **beneath | self.recipe.edits.get(kind, {}))

    def kind(self, number: int) -> str:
        """The kind of document `number`, which is known long before its text is written."""
        return self._begun(number)[0]

    def _begun(self, number: int) -> tuple[str, random.Random, Phase]:
        """The kind of a document, the random numbers that write it, and the phase that it belongs to."""
        original = self._original(number)
        rng = random.Random(f"{self.seed}:{original}")
        place = bisect_right(self._starts, original) - 1
        kinds, cumulative = self._mixes[place]
        return rng.choices(kinds, cum_weights=cumulative)[0], rng, self.recipe.phases[place]

    @cached_property
    def _starts(self) -> list[int]:
        return [phase.start for phase in self.recipe.phases]

    def _original(self, number: int) -> int:
        """The document that stands at this place: itself, or in a repeated education one from the repeated subset."""
        if self.recipe.repeated is None:
            return number
        share, subset = self.recipe.repeated
        again = random.Random(f"again:{self.seed}:{number}")
        return again.randrange(subset) if again.random() < share else number

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

    @property
    def is_indexed(self) -> bool:
        """Whether look-ups answer at once, because the corpus was read before, in this session or an earlier one."""
        return "_index" in self.__dict__ or (self.length is not None and index.home(self, self.length).is_dir())

    def count(self, phrase: str) -> int:
        """How often `phrase` occurs as whole words, over all documents read; case counts.

        The first look-up reads the whole corpus once (a minute or two) and keeps it in the user's cache folder.
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


def base_of(model: str | Path) -> str:
    """The name of the model that a chat model goes on from, "pebble-3m" for "pebble-3m-chat"; "" for a base."""
    card = _card(model)
    seed = f"-seed{card['seed']}" if card["seed"] else ""
    return f"pebble-{card['size']}{seed}" if card.get("begins_with") else ""


def _card(model: str | Path) -> dict[str, Any]:
    """A model's `recipe.json`; XllmError, in one sentence, where there is none."""
    folder = models_dir() / model
    try:
        folder = folder if folder.is_dir() else bundled_folder(str(model))
        return json.loads((folder / "recipe.json").read_text("utf-8"))
    except OSError:
        raise XllmError(f"Nobody knows what {model} has read: only bundled Pebbles bring their recipe.") from None


def checked(phrase: str) -> str:
    if not phrase.strip():
        raise XllmError("The phrase is empty: give a word or more to look up.")
    return phrase.strip()
