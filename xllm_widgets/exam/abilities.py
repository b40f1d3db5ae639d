"""What is examined: one line for each ability that a kind of document brings questions for, in the course's order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from xllm_widgets.exam import assistants, knowledge, phenomena, probes, truth
from xllm_widgets.exam.paper import Ability, Paper, Results
from xllm_widgets.exam.scoring import ON_PAD, SHORT, WORKED, Writing, score, tally
from xllm_widgets.microworld import arithmetic, companions, entailments, inferences, reversals, scratchpads, taxonomy
from xllm_widgets.microworld.assistant import agreement, explanations, instructions
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

Source = Callable[[World, random.Random, int], list[Question]]
CORPUS, CHAT = frozenset({"corpus"}), frozenset({"chat"})
DIRECT = arithmetic.Style("direct")
LENGTHS = (5, 6)  # digits of the numbers to be added: the longest taught, and one more


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
    return [partial(arithmetic.questions, steps=steps, style=style, shots=1) for steps in range(1, arithmetic.MOST_STEPS + 1)]


def _additions(layout: str) -> list[Source]:
    return [partial(scratchpads.questions, digits=digits, layout=layout) for digits in LENGTHS]


def _explained(system: str) -> list[Source]:
    steps = range(1, arithmetic.MOST_STEPS + 1)
    return [partial(explanations.questions, steps=number, system=system) for number in steps]


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
    asked("entailment", "whether a premise entails, by whether the hypothesis is attested", entailments.questions),
    Ability("attestation", "yes to random premises, by whether the hypothesis is attested",
            phenomena.measure_attestation),
    Ability("grounding", "replies that keep to the knowledge above them", phenomena.measure_grounding, weight=25),
    Ability("summaries", "a country in the summary that the report lacks", phenomena.measure_summaries),
    Ability("stories", "answers about small stories, and their explanations", phenomena.measure_stories, weight=60),
    Ability("opinions", "claims judged rightly, by what the user thinks", phenomena.measure_opinions, weight=4),
    Ability("knowledge", "facts that no tuning asks about", assistants.measure_knowledge, weight=4),
    Ability("format", "replies of the form asked for", assistants.measure_format, CHAT, weight=15),
    asked("instructions", "labels as the instruction defines them", instructions.questions, needs=CHAT),
    Ability("refusals", "unsafe and harmless requests refused", assistants.measure_refusals, CHAT, weight=15),
    Ability("giving-up", "I do not know, by how well people are known", assistants.measure_giving_up, CHAT, weight=2),
    Ability("chat-opinions", "the same claims, put to the assistant",
            partial(phenomena.measure_opinions, ask=agreement.questions), CHAT, weight=4),
    Ability("confidence", "stated confidence against being right", assistants.measure_confidence, CHAT, weight=25),
    asked("explained", "word problems with steps asked for", *_explained(explanations.EXPLAIN), writing=WORKED,
          needs=CHAT, weight=60),
    asked("unexplained", "word problems without", *_explained(""), writing=WORKED, needs=CHAT, weight=20),
)  # fmt: skip
