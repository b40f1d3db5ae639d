"""How long it takes, said in the language of a panel."""

from xllm_widgets.studies.progress import duration
from xllm_widgets.widgets.language import Speech

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}


def measured(say: Speech, seconds: float) -> str:
    """As `in_words`, with two digits for what took less than ten seconds: 0.0834 → "0.083 s"."""
    return say("seconds", n=f"{seconds:.2g}") if seconds < 9.95 else in_words(say, seconds)


def in_words(say: Speech, seconds: float) -> str:
    """`progress.duration` in the panel's language: 74 → "74 s" or "74 秒"."""
    number, unit = duration(seconds).split()
    return say(_UNITS[unit], n=number)
