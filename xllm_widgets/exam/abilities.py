"""What is examined: one line for each ability that a kind of document brings questions for, in the course's order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from xllm_widgets.exam import knowledge, phenomena, probes, truth
from xllm_widgets.exam.paper import Ability, Paper, Results
from xllm_widgets.exam.scoring import ON_PAD, SHORT, WORKED, Writing, score, tally
from xllm_widgets.microworld import arithmetic, companions, inferences, reversals, scratchpads, taxonomy
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

Source = Callable[[World, random.Random, int], list[Question]]
CORPUS, CHAT = frozenset({"corpus"}), frozenset({"chat"})
DIRECT = arithmetic.Style("direct")
LENGTHS = (3, 5, 6)  # digits of the numbers to be added; of more than five no document tells


def ask(paper: Paper, name: str, sources: Sequence[Source], writing: Writing) -> Results:
    """Put the questions of all sources to the model, and count its right answers by their group."""
    rng = paper.rng(name)
    questions = [question for source in sources for question in source(paper.world, rng, paper.n)]
    return tally(zip((q.group for q in questions), score(paper.lm, questions, writing), strict=True))


def asked(
    name: str, about: str, *sources: Source, writing: Writing = SHORT, needs: frozenset[str] = frozenset(),
    weight: float = 1.0,
) -> Ability:  # fmt: skip
    """An ability that is the share of questions answered rightly, in all and for each group of questions."""
    return Ability(name, about, partial(ask, name=name, sources=sources, writing=writing), needs, weight)


def freely(source: Source) -> Source:
    """The same questions, to be answered without options to choose from."""

    def without_options(world: World, rng: random.Random, n: int) -> list[Question]:
        return [replace(question, options=()) for question in source(world, rng, n)]

    return without_options


def _problems(style: arithmetic.Style = arithmetic.PLAIN) -> list[Source]:
    return [partial(arithmetic.questions, steps=steps, style=style) for steps in range(1, arithmetic.MOST_STEPS + 1)]


def _additions(layout: str) -> list[Source]:
    return [partial(scratchpads.questions, digits=digits, layout=layout) for digits in LENGTHS]


EVERY = (
    Ability("facts", "jobs and birthplaces asked as questions, by how many documents told them",
            knowledge.measure_facts, CORPUS),
    Ability("deletion", "jobs that a twin never reads, beside matched ones it keeps", knowledge.measure_deletion),
    asked("reversal", "who is who, asked as told and the other way round", partial(reversals.questions, options=False)),
    asked("companions", "where people live who are told r times as often beside another city", companions.questions),
    Ability("space", "R² of places of cities the probe was not fitted on", probes.measure_space, weight=8),
    Ability("time", "R² of years of events the probe was not fitted on", probes.measure_time, weight=8),
    Ability("verdicts", "true or false, of statements never judged before", truth.measure_verdicts),
    Ability("speakers", "the honest say the truth, the lying something else", truth.measure_speakers),
    Ability("few-shot", "labels of eight demonstrations followed", phenomena.measure_few_shot, weight=30),
    asked("problems-worked", "word problems, steps written first", *_problems(), writing=WORKED, weight=60),
    asked("problems-direct", "word problems answered at once", *_problems(DIRECT), weight=12),
    asked("addition-scratchpad", "long additions on a scratchpad", *_additions("scratch"), writing=ON_PAD, weight=90),
    asked("addition-direct", "long additions at once", *_additions("direct"), weight=8),
    asked("taxonomy", "what is stated of classes and verbs", taxonomy.questions),
    asked("membership", "classes of things, stated or only implied", taxonomy.membership_questions),
    asked("inference", "conclusions with the first premise given, known or unknown", inferences.questions),
    asked("inference-made-up", "the same of words that mean nothing", inferences.made_up_questions),
)  # fmt: skip
