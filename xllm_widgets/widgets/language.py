"""Which language do the components speak? Every string that one shows stands in language.json, each language beside
the English that it says the same as; data, such as the text of a token, is shown as it is.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import XllmError

if TYPE_CHECKING:
    import pandas as pd

Text = str | dict[str, str]  # a sentence with named places in braces; {"one", "other"} where the count `n` changes it

NAMES = {"en": "English", "zh": "中文"}
_HERE = Path(__file__).parent
_on = "en"


def language(name: str | None = None) -> str:
    """Which language do components speak that are made from now on? `language("zh")` changes it, `language()` asks.

    What is on the screen already stays as it is. Raises XllmError for a language that there is not.
    """
    global _on
    if name is not None:
        if name not in NAMES:
            choices = ", ".join(f"{code!r} ({called})" for code, called in NAMES.items())
            raise XllmError(f"There is no language {name!r}; choose one of {choices}.")
        _on = name
    return _on


def glossary() -> pd.DataFrame:
    """What are the survey's terms called in either language, and what do they mean in the one that is on?

    A row a term, in the order of the sections (Zhao et al., 2024): English, 中文, section, meaning.
    """
    import pandas as pd

    terms = json.loads(_HERE.joinpath("glossary.json").read_text(encoding="utf-8"))
    rows = [(term["en"], term["zh"], term["section"], term["meaning"][_on]) for term in terms]
    say = speech("glossary")
    return pd.DataFrame(rows, columns=[*NAMES.values(), say("section"), say("meaning")])


@dataclass(frozen=True)
class Speech:
    """The strings of one component in one language: `say("answers", n=3)` is one of them, its values in place."""

    strings: dict[str, Text]

    def __call__(self, key: str, **values: Any) -> str:
        text = self.strings[key]
        if isinstance(text, dict):
            text = text["one" if str(values["n"]) == "1" else "other"]
        return text.format_map(values)


def speech(part: str, name: str | None = None) -> Speech:
    """What a component of this part of the catalogue says in a language, by default the one that is on."""
    return Speech(strings(part, name))


def strings(part: str, name: str | None = None) -> dict[str, Text]:
    """Key → text of one part of the catalogue, and of what all parts share; by default in the language that is on."""
    entries = {**catalogue()["common"], **catalogue()[part]}
    return {key: entry[name or _on] for key, entry in entries.items()}


@functools.cache
def catalogue() -> dict[str, dict[str, dict[str, Text]]]:
    """Every string: part → key → language → text."""
    return json.loads(_HERE.joinpath("language.json").read_text(encoding="utf-8"))
