"""Activations at named places of many prompts, and where those places are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from xllm_widgets.models.text import Tokens
    from xllm_widgets.studies.representation_items import Voice

PLACES = ("speaker word", "next word", "before the statement", "statement start", "statement middle", "statement end")
"""Where a speaker is read, in the order of the text; a prompt whose speaker word is masked has no first two."""

PROMPTS_A_PART = 32


def heard(voice: Voice, word: str, who: str, text: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """A speaker's prompt and the characters (start, end) of its PLACES."""
    prompt = voice.prompt(word, who, text)
    at = prompt.index(word)
    rest = prompt[at + len(word) :].lstrip()
    following = len(prompt) - len(rest)
    spans = {"speaker word": _last_word(prompt, at, at + len(word)),
             "next word": (following, following + len(rest.split()[0]))}  # fmt: skip
    return prompt, spans | _statement(prompt, text)


def unheard(voice: Voice, who: str, text: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """The same without a word on the speaker."""
    prompt = voice.masked.format(who=who, text=text)
    return prompt, _statement(prompt, text)


def _statement(prompt: str, text: str) -> dict[str, tuple[int, int]]:
    start, words = len(prompt) - len(text), text.split()
    places, at = [], start
    for word in words:
        at = prompt.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    before = len(prompt[:start].rstrip())
    middle = places[len(places) // 2] if len(places) > 2 else places[0]
    return {"before the statement": (before - 1, before), "statement start": places[0],
            "statement middle": middle, "statement end": places[-1]}  # fmt: skip


def _last_word(prompt: str, start: int, end: int) -> tuple[int, int]:
    return start + prompt[start:end].rfind(" ") + 1, end


def token_places(tokens: Tokens, spans: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Place → number of the last token that holds a character of its span."""
    return {place: tokens.covering(*span)[1] - 1 for place, span in spans.items()}


def streams_at(lm: Any, prompts: Sequence[str], places: Sequence[Sequence[int]]) -> np.ndarray:
    """The residual stream of each prompt at its own token numbers: (prompts, layers, places, width)."""
    every = lm.activations(list(prompts), layers="all", positions="all")
    return np.stack([stream[:, list(at)] for stream, at in zip(every, places, strict=True)])


def residual_norms(streams: np.ndarray) -> np.ndarray:
    """Mean norm of the stream at each layer, from (prompts, layers, places, width): (layers,)."""
    return np.linalg.norm(streams, axis=-1).mean(axis=(0, 2))


def interleaved(*lengths: int) -> list[tuple[int, int]]:
    """(list, number) over lists of these lengths, mixed evenly: stopped anywhere, each list is as far as the others."""
    return sorted(
        ((which, i) for which, n in enumerate(lengths) for i in range(n)),
        key=lambda pair: ((pair[1] + 0.5) / lengths[pair[0]], pair[0]),
    )


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """The items in groups of `size`, the last one possibly smaller."""
    return [items[start : start + max(1, size)] for start in range(0, len(items), max(1, size))]
