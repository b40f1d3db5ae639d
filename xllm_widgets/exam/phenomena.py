"""Planted phenomena that are more than a share of right answers."""

from __future__ import annotations

from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.studies import in_context_learning as icl


def measure_few_shot(paper: Paper) -> Results:
    """Natural and flipped labels, and label words that mean nothing, eight demonstrations each (chapter 01)."""
    flips = icl.flipped_labels(paper.lm, flipped=(0, 1), trials=paper.n, draws=1, seed=paper.seed).table
    unrelated = icl.unrelated_labels(paper.lm, trials=paper.n, draws=1, seed=paper.seed).table
    return {
        "natural": icl.accuracy(flips[flips["flipped"] == 0], "correct"),
        "flipped": icl.accuracy(flips[flips["flipped"] == 1], "follows"),
        "arbitrary": icl.accuracy(unrelated, "correct"),
    }
