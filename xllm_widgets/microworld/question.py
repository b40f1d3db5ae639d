"""A question of the exam, with its ground truth: what a kind of document lets one ask, and never asks itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One item of an examination.

    prompt: the text a model reads; it ends where the answer begins, without a trailing space.
    answer: the right continuation, with its leading space (" Oslo").
    options: all continuations to choose from, `answer` among them; empty when the model must write the answer itself
        (greedily, up to the end of the line).
    ability: what is measured ("reverse", "long_tail", …).
    group: the arm or bin within the ability ("forward", "two_way", "steps=3", …); "" when there is one.
    fact: identifier of the fact asked about ("job:Mara Tolvik"), "" when there is none.
    """

    prompt: str
    answer: str
    options: tuple[str, ...] = ()
    ability: str = ""
    group: str = ""
    fact: str = ""
