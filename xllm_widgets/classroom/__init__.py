"""The classroom: exercises whose checkers cannot be fooled by the usual mistakes."""

from xllm_widgets.classroom.exercises import Exercise, Feedback, check, exercise, hint, solution

__all__ = ["Exercise", "Feedback", "check", "exercise", "hint", "solution"]
