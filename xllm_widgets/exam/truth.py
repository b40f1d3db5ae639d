"""Verdicts on statements that no document judged, and what honest and lying speakers go on to say."""

from __future__ import annotations

import random

import numpy as np

from xllm_widgets.exam.items import once
from xllm_widgets.exam.paper import Paper
from xllm_widgets.exam.scoring import grouped, nested, score
from xllm_widgets.microworld.arithmetic import PEOPLE
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.statements import HONEST, KINDS, LYING, OPPOSITE, Statement, make_statement
from xllm_widgets.microworld.world import World

NEGATED = 0.3  # the share that documents negate


def verdict_questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """Statements to be judged, three in ten of them negated; kinds and truth in turn."""
    asked = []
    for number in range(n):
        kind, affirmed = list(KINDS)[number % len(KINDS)], number // len(KINDS) % 2 == 0
        negated = rng.random() < NEGATED
        statement = make_statement(world, rng, affirmed, "test", kind)
        prompt = f"Statement: {statement.text(negated)}\nVerdict:"
        answer = " true" if affirmed != negated else " false"
        asked.append(Question(prompt, answer, (" true", " false"), "verdicts", kind))
    return asked


def verdict_hits(paper: Paper) -> dict[str, list[bool]]:
    """Right verdicts in all, for each kind of statement, and for true, false, affirmative and negated ones."""
    asked = once(verdict_questions, paper.world, paper.rng("verdicts"), paper.n)
    every: list[tuple[str, bool]] = []
    for question, hit in zip(asked, score(paper.lm, asked), strict=True):
        form = "negated" if " not " in question.prompt else "affirmative"
        every += [(group, hit) for group in ("", question.group, question.answer.strip(), form)]
    return grouped(every)


def endings(world: World, statement: Statement) -> tuple[str, tuple[str, ...]]:
    """Where a speaker's sentence is cut, and every way in which it could go on, the true one first.

    `statement` is a true one: of a direction or an order the words north, older, … decide, else the last word. Of the
    former both endings name what the subject is compared with: before that is said, neither word is true or false.
    """
    if statement.kind in ("direction", "order"):
        stem, said = statement.stem.split(" is ")
        word, rest = said.split(" ", 1)
        return f"{stem} is", tuple(f" {each} {rest}{statement.last}" for each in (word, OPPOSITE[word]))
    every = JOBS if statement.kind == "job" else [country.name for country in world.countries]
    false = tuple(f" {value}" for value in every if value != statement.last)
    return statement.stem.rstrip(), (f" {statement.last}", *false)


def speaker_questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """What someone honest and someone lying, in turn, begins to say; the first option is the true one."""
    asked = []
    for number in range(n):
        honest, kind = number % 2 == 0, list(KINDS)[number // 2 % len(KINDS)]
        stem, ways = endings(world, make_statement(world, rng, True, "test", kind))
        word, who = rng.choice(HONEST if honest else LYING), rng.choice(PEOPLE)
        group = f"{'honest' if honest else 'lying'}: {kind}"
        asked.append(Question(f"The {word} {who} says: {stem}", ways[0], ways, "speakers", group))
    return asked


def speaker_hits(paper: Paper) -> dict[str, list[bool]]:
    """How often the honest say the truth, and the lying anything else, about subjects that no speech told of.

    What counts is on which side the greater part of the probability lies: the true ending against all false ones.
    """
    asked = once(speaker_questions, paper.world, paper.rng("speakers"), paper.n)
    logp = paper.lm.logprobs([question.prompt for question in asked], [list(question.options) for question in asked])
    true = np.exp(logp[:, 0] - np.logaddexp.reduce(np.nan_to_num(logp, nan=-np.inf), axis=1))
    groups = [question.group for question in asked]
    hits = [bool(p > 0.5) == group.startswith("honest") for p, group in zip(true, groups, strict=True)]
    return nested(zip(groups, hits, strict=True))
