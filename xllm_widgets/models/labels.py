"""Can the model tell these label words apart at their first token?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import LabelError

if TYPE_CHECKING:
    from .language_model import LanguageModel


def check_labels(lm: "LanguageModel", prompt: str, labels: Sequence[str]) -> None:
    """Raise LabelError, in one sentence, if labels are fewer than two, empty, identical, or share a first token.

    `labels` are continuations as they stand behind the prompt, mostly with a leading space (" positive").
    """
    if len(labels) < 2:
        raise LabelError("Give at least two label words to choose between.")
    if any(not isinstance(label, str) or not label.strip() for label in labels):
        raise LabelError("A label word is empty; give each label at least one letter.")
    firsts: dict[int, str] = {}
    for label in labels:
        first = lm.reader.continuation(prompt, label)[0]
        other = firsts.setdefault(first, label)
        if other == label and list(labels).count(label) > 1:
            raise LabelError(f"The label {label.strip()!r} is given twice; choose labels that differ.")
        if other != label:
            shown = lm.reader.strings([first])[0]
            raise LabelError(
                f"The labels {other.strip()!r} and {label.strip()!r} begin with the same token {shown!r} for "
                f"{lm.name}; choose words that begin differently."
            )
