"""Answers of a model to questions of the world: chosen among options or written freely, and how sure the score is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.studies.statistics import Interval as Result
from xllm_widgets.studies.statistics import wilson

if TYPE_CHECKING:
    from xllm_widgets.microworld.question import Question
    from xllm_widgets.models.language_model import LanguageModel

_PHRASE_END = re.compile(r"\n|\.(?!\d)")
_SAYS = re.compile(r"answer is (-?\w[^.\n]*)")
_BRACKETS = re.compile(r" \((\w+)\)")
_SUM = re.compile(r"^Sum:(.*)$", re.MULTILINE)


def first_phrase(text: str) -> str:
    """What stands before the first line end or full stop (not a decimal point)."""
    return _PHRASE_END.split(text, maxsplit=1)[0].strip()


def whole(text: str) -> str:
    """All of it, without surrounding blanks."""
    return text.strip()


def stated_answer(text: str) -> str:
    """X of the first "The answer is X" in worked text; "" when it states none."""
    found = _SAYS.search(text)
    return found[1].strip() if found else ""


def sum_on_pad(text: str) -> str:
    """The number behind the first "Sum:" at the foot of a scratchpad; "" when it never got there."""
    found = _SUM.search(text)
    return found[1].strip() if found else ""


@dataclass(frozen=True)
class Writing:
    """How an answer is written freely: for how long at most, up to which characters, and where in it the answer is."""

    max_new_tokens: int = 24
    until: str = "\n"
    read: Callable[[str], str] = first_phrase


SHORT = Writing()
LINE = Writing(max_new_tokens=60, read=whole)
WORKED = Writing(max_new_tokens=120, read=stated_answer)
ON_PAD = Writing(max_new_tokens=200, until="A", read=sum_on_pad)  # the "A" of the next "Add:"


def answers(lm: LanguageModel, questions: Sequence[Question], writing: Writing = SHORT) -> list[str]:
    """What the model answers, without surrounding blanks: the likeliest option, or what it writes greedily."""
    given = [""] * len(questions)
    for choosing, way in ((True, _choose), (False, partial(_write, writing=writing))):
        places = [i for i, question in enumerate(questions) if _offers(question) == choosing]
        for i, answer in zip(places, way(lm, [questions[i] for i in places]), strict=True):
            given[i] = answer
    return given


def score(lm: LanguageModel, questions: Sequence[Question], writing: Writing = SHORT) -> list[bool]:
    """Which of the questions the model answers rightly. A text that goes on beyond the answer's phrase is wrong."""
    given = answers(lm, questions, writing)
    return [bool(said) and said == _expected(q, writing) for said, q in zip(given, questions, strict=True)]


def _offers(question: Question) -> bool:
    return bool(question.options)


def _expected(question: Question, writing: Writing) -> str:
    """The answer as it would be read from the model; from a whole working, what the working comes to."""
    answer = question.answer.strip()
    return answer if _offers(question) else writing.read(question.answer) or answer


def grouped(hits: Iterable[tuple[str, bool]]) -> dict[str, list[bool]]:
    """Group → its hits, groups in the order of their names."""
    groups: dict[str, list[bool]] = {}
    for group, hit in hits:
        groups.setdefault(group, []).append(hit)
    return dict(sorted(groups.items()))


def nested(hits: Iterable[tuple[str, bool]]) -> dict[str, list[bool]]:
    """Group → its hits, all hits under "", and those of "forward: a" and "forward: b" under "forward" as well."""
    return grouped((name, hit) for group, hit in hits for name in dict.fromkeys(("", group.split(": ")[0], group)))


def shares(hits: Mapping[str, Sequence[float]]) -> dict[str, Result]:
    """The share of hits of each group."""
    return {group: share(each) for group, each in hits.items()}


def share(hits: Sequence[float]) -> Result:
    """The share of hits with Wilson's 95 % interval."""
    return wilson(sum(map(bool, hits)), len(hits))


def _choose(lm: LanguageModel, questions: Sequence[Question]) -> list[str]:
    if not questions:
        return []
    asked = [_bare(question) for question in questions]
    scores = lm.logprobs([prompt for prompt, _ in asked], [options for _, options in asked])
    return [q.options[i].strip() for q, i in zip(questions, np.nanargmax(scores, axis=1), strict=True)]


def _bare(question: Question) -> tuple[str, list[str]]:
    """Prompt and options; the brackets of " (A)" and " (B)" go, so that what is left are single tokens in one batch."""
    inside = [_BRACKETS.fullmatch(option) for option in question.options]
    bare = [found[1] for found in inside if found]
    return (f"{question.prompt} (", bare) if len(bare) == len(inside) else (question.prompt, list(question.options))


def _write(lm: LanguageModel, questions: Sequence[Question], writing: Writing) -> list[str]:
    from xllm_widgets.models.greedy import greedy

    texts = greedy(lm, [q.prompt for q in questions], writing.max_new_tokens, writing.until)
    return [writing.read(text) for text in texts]
