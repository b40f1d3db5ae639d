"""Who knows better how much they know: you or the model? Two reliability curves on the same axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.classroom import journal as journals
from xllm_widgets.errors import XllmError
from xllm_widgets.lab.code import with_code, with_cost
from xllm_widgets.methods.calibration import Reliability, reliability
from xllm_widgets.studies.representation_items import draw_facts
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.classroom.journal import Journal
    from xllm_widgets.widgets.reliability_diagram import ReliabilityDiagram

BINS = 5


@with_code()
@with_cost
def reliability_lab(
    lm: Any | None = None,
    *,
    journal: Journal | None = None,
    trials: int = 200,
    bins: int = BINS,
    seed: int = 0,
    data: Any = None,
    **view: Any,
) -> ReliabilityDiagram:
    """Your locked predictions, each with the confidence you gave and what came out, beside a model's answers.

    The model ends each of `trials` statements about things it was never asked about ("Oslo is a city in …") with one of
    their endings; its confidence is that ending's share of the probability of all of them. `lm` None draws you alone.
    `journal`: left out, the one of this session. `data`: a table with stem, true, false, or the world's facts. Other
    keywords go to the `ReliabilityDiagram`.

    Raises XllmError where there is neither a scored prediction nor a model.
    """
    from xllm_widgets.widgets.reliability_diagram import ReliabilityDiagram

    say = speech("lab")
    series = {say("you"): yours} if (yours := of_journal(journal, bins)) else {}
    if lm is not None:
        series[lm.name] = of_model(lm, trials, bins, seed, data)
    if not series:
        raise XllmError("No prediction of yours has come out yet: lock one and score it, or pass a model.")
    return ReliabilityDiagram(series, **{"title": say("as_sure_as_right"), **view})


def of_journal(journal: Journal | None = None, bins: int = BINS) -> Reliability | None:
    """The reliability of the predictions that came out; None where there are none."""
    kept = journal or journals.current()
    made = [] if kept is None else [p for p in kept.predictions() if p.correct is not None]
    if not made:
        return None
    return reliability([p.confidence for p in made], [bool(p.correct) for p in made], bins)


def of_model(lm: Any, trials: int = 200, bins: int = BINS, seed: int = 0, data: Any = None) -> Reliability:
    """The reliability of a model that ends statements, the likeliest ending counting as its answer."""
    facts = draw_facts(lm, trials, "test", "test", seed, data)
    scores = lm.logprobs([fact.stem for fact in facts], [list(fact.endings) for fact in facts])
    scores = np.where(np.isnan(scores), -np.inf, scores)
    shares = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    return reliability(shares.max(1), shares.argmax(1) == 0, bins)
