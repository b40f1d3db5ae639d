"""What an examination is given: the model, the world, what the model has read, and how many items a question gets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from xllm_widgets.exam.scoring import Result
from xllm_widgets.microworld.world import World

if TYPE_CHECKING:
    from xllm_widgets.microworld.corpus import Corpus
    from xllm_widgets.models.language_model import LanguageModel

Results = Mapping[str, Result]
"""Group within the ability ("steps=3", "forward") → its result; "" is the ability as a whole."""
Values = Mapping[str, Sequence[float]]
"""Group → what each of its items brought, a hit (0 or 1) or a number of nats: the same items, in the same order, for
all models that read the same world and tokens, so that two of them can be compared item by item."""


@dataclass(frozen=True)
class Paper:
    """One sitting. `n`: items for each ability.

    read: what this model has read, one corpus for each stage of its education; empty where nobody knows.
    """

    lm: LanguageModel
    read: tuple[Corpus, ...] = ()
    n: int = 500
    seed: int = 0

    @cached_property
    def world(self) -> World:
        return self.read[0].world if self.read else World.default()

    def counts(self) -> Counter[str]:
        """Fact → the number of documents that told it, in all of the model's education."""
        told: Counter[str] = Counter()
        for corpus in self.read:
            told.update(corpus.facts())
        return told

    @property
    def is_chat(self) -> bool:
        """Whether the model was taught to converse: its tokenizer then lays conversations out."""
        return bool(getattr(self.lm.tokenizer, "chat_template", None))

    def rng(self, purpose: str) -> random.Random:
        """Random numbers of their own for each purpose, so that one ability's items never depend on another's."""
        return random.Random(f"exam:{purpose}:{self.seed}")


@dataclass(frozen=True)
class Ability:
    """Something a model may be able to do. `about`: one line for the card.

    needs: what a model must have for it to be measured at all: "corpus" (a recipe), "chat" (a conversation layout).
    weight: seconds this ability takes relative to one short question an item; for the estimate alone.
    values: the items behind `measure`, one by one; None where its results are no means over items.
    """

    name: str
    about: str
    measure: Callable[[Paper], Results]
    needs: frozenset[str] = frozenset()
    weight: float = 1.0
    values: Callable[[Paper], Values] | None = None

    def fits(self, paper: Paper) -> bool:
        has = {"corpus": bool(paper.read), "chat": paper.is_chat}
        return all(has[need] for need in self.needs)
