"""The prediction card of the course: the view, and a line in the lab journal when it is locked, scored, explained."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from xllm_widgets.classroom import journal
from xllm_widgets.widgets import prediction_card as view

_FIELDS = ("question", "options", "low", "high", "unit", "within", "guess", "prediction", "confidence")
_watched: WeakSet[view.PredictionCard] = WeakSet()


class PredictionCard(view.PredictionCard):
    """What do you expect, and how sure are you? Asked before the run, scored after it, kept in the lab journal.

    Either `options` (two or more strings) or a number from `low` to `high`, right if it comes `within` so much of the
    outcome (default: a tenth of the range). `confidence` is a share, `score(outcome)` gives the Brier score, then the
    card asks why; all else as on `widgets.PredictionCard`, which writes nothing down. Raises PredictionError for a
    change after the lock and ViewError for a card that offers no choice. `classroom.stop_journal()` opts out of the
    journal.
    """

    def __init__(self, question: str = "", options: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(question, options, **kwargs)
        watch(self)


def watch(card: view.PredictionCard) -> None:
    """Write into the session's journal when this card is locked, scored and explained; watching twice is as once.

    A card without a prediction has nothing to write down. What goes wrong is said under the card.
    """
    if card in _watched:
        return
    _watched.add(card)
    number = uuid.uuid4().hex

    def tell(kind: str, **fields: Any) -> None:
        if said := journal.record(kind, card=number, **fields):
            card.error = said

    def locked(change: Any = None) -> None:
        if card.locked and card.prediction is not None:
            tell("prediction", **{name: getattr(card, name) for name in _FIELDS})

    def came_out(change: Any = None) -> None:
        if card.brier is not None:
            tell("outcome", outcome=card.outcome, correct=card.correct, brier=card.brier)

    def explained(change: Any = None) -> None:
        if change or card.explanation:  # an explanation taken back is told as well: the last line counts
            tell("explanation", question=card.question, text=card.explanation)

    card.observe(locked, names="locked")
    card.observe(came_out, names="brier")
    card.observe(explained, names="explanation")
    locked()
    came_out()
    explained()
