"""Verdicts on statements that no document judged, and what honest and lying speakers go on to say."""

from __future__ import annotations

import random

import numpy as np

from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.exam.scoring import grouped, score, share, tally
from xllm_widgets.microworld.arithmetic import PEOPLE
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.statements import HONEST, KINDS, LYING, OPPOSITE, Statement, make_statement
from xllm_widgets.microworld.world import World

NEGATED = 0.3  # the share that documents negate


def verdict_questions(world: World, rng: random.Random, n: int) -> list[tuple[Question, bool, bool]]:
    """Each with whether its statement is true as it stands, and whether it is negated; kinds and truth in turn."""
    asked = []
    for number in range(n):
        kind, affirmed = list(KINDS)[number % len(KINDS)], number // len(KINDS) % 2 == 0
        negated = rng.random() < NEGATED
        statement = make_statement(world, rng, affirmed, "test", kind)
        true = affirmed != negated
        prompt = f"Statement: {statement.text(negated)}\nVerdict:"
        answer = " true" if true else " false"
        asked.append((Question(prompt, answer, (" true", " false"), "verdicts", kind), true, negated))
    return asked


def measure_verdicts(paper: Paper) -> Results:
    """Right verdicts in all, for each kind of statement, and for true, false, affirmative and negated ones."""
    asked = verdict_questions(paper.world, paper.rng("verdicts"), paper.n)
    hits = score(paper.lm, [question for question, _, _ in asked])
    every: list[tuple[str, bool]] = []
    for (question, true, negated), hit in zip(asked, hits, strict=True):
        aspects = ("", question.group, "true" if true else "false", "negated" if negated else "affirmative")
        every += [(group, hit) for group in aspects]
    return {group: share(each) for group, each in grouped(every).items()}


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


def measure_speakers(paper: Paper) -> Results:
    """How often the honest say the truth, and the lying anything else, about subjects that no speech told of.

    What counts is on which side the greater part of the probability lies: the true ending against all false ones.
    """
    rng, prompts, options, groups = paper.rng("speakers"), [], [], []
    for number in range(paper.n):
        honest, kind = number % 2 == 0, list(KINDS)[number // 2 % len(KINDS)]
        stem, ways = endings(paper.world, make_statement(paper.world, rng, True, "test", kind))
        word, who = rng.choice(HONEST if honest else LYING), rng.choice(PEOPLE)
        prompts.append(f"The {word} {who} says: {stem}")
        options.append(list(ways))
        groups.append(f"{'honest' if honest else 'lying'}: {kind}")
    logp = paper.lm.logprobs(prompts, options)
    true = np.exp(logp[:, 0] - np.logaddexp.reduce(np.nan_to_num(logp, nan=-np.inf), axis=1))
    hits = [(p > 0.5) == group.startswith("honest") for p, group in zip(true, groups, strict=True)]
    return tally(zip(groups, hits, strict=True))
