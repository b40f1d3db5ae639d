"""The classroom: exercises whose checkers cannot be fooled by the usual mistakes, predictions, and the lab journal."""

from xllm_widgets.classroom.exercises import (
    Exercise,
    Feedback,
    check,
    exercise,
    hint,
    solution,
    withhold_solutions,
)
from xllm_widgets.classroom.journal import Journal, keep_journal, stop_journal

__all__ = [
    "Exercise",
    "Feedback",
    "Journal",
    "check",
    "exercise",
    "hint",
    "keep_journal",
    "solution",
    "stop_journal",
    "withhold_solutions",
]
