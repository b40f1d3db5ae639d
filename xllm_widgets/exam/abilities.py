"""What is examined: one line for each ability that a kind of document brings questions for, in the course's order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

from xllm_widgets.exam import assistants, copying, knowledge, phenomena, probes, reading, truth
from xllm_widgets.exam.items import once
from xllm_widgets.exam.paper import Ability, Paper, Results, Values
from xllm_widgets.exam.scoring import ON_PAD, SHORT, WORKED, Writing, nested, score, shares
from xllm_widgets.microworld import arithmetic, companions, entailments, inferences, reversals, scratchpads, taxonomy
from xllm_widgets.microworld.assistant import agreement, explanations, instructions
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

Source = Callable[[World, random.Random, int], list[Question]]
CORPUS, CHAT = frozenset({"corpus"}), frozenset({"chat"})
DIRECT = arithmetic.Style("direct")


def ask(
    paper: Paper, name: str, sources: Sequence[Source], writing: Writing, group: Callable[[str], str] = str
) -> dict[str, list[bool]]:
    """Put the questions of all sources to the model, and mark its answers, by their group."""
    rng = paper.rng(name)
    questions = [question for source in sources for question in once(source, paper.world, rng, paper.n)]
    return nested(zip((group(q.group) for q in questions), score(paper.lm, questions, writing), strict=True))


def count(paper: Paper, hits: Callable[[Paper], Values]) -> Results:
    """The share of hits in each group."""
    return shares(hits(paper))


def counted(
    name: str, about: str, hits: Callable[[Paper], Values], needs: frozenset[str] = frozenset(), weight: float = 1.0
) -> Ability:
    """An ability that is a share of hits, in each group of items."""
    return Ability(name, about, partial(count, hits=hits), needs, weight, hits)


def by_premises(group: str) -> str:
    """ "rdfs9 2-2" → "2-2: rdfs9": how many premises are given and needed comes first, then the rule."""
    rule, premises = group.split(" ")
    return f"{premises}: {rule}"


def asked(
    name: str, about: str, *sources: Source, writing: Writing = SHORT, needs: frozenset[str] = frozenset(),
    weight: float = 1.0, group: Callable[[str], str] = str,
) -> Ability:  # fmt: skip
    """An ability that is the share of questions answered rightly, in all and for each group of questions."""
    return counted(name, about, partial(ask, name=name, sources=sources, writing=writing, group=group), needs, weight)


def _problems(style: arithmetic.Style = arithmetic.PLAIN) -> list[Source]:
    return [
        partial(arithmetic.questions, steps=steps, style=style, shots=1)
        for steps in range(1, arithmetic.MOST_STEPS + 1)
    ]


def _additions(layout: str) -> list[Source]:
    """Numbers of the longest length that is taught, and a fifth as many that are longer than any taught."""

    def longer(world: World, rng: random.Random, n: int) -> list[Question]:
        return scratchpads.questions(world, rng, -(-n // 5), scratchpads.MOST_DIGITS + 1, layout)

    return [partial(scratchpads.questions, digits=scratchpads.MOST_DIGITS, layout=layout), longer]


def _explained(system: str) -> list[Source]:
    steps = range(1, arithmetic.MOST_STEPS + 1)
    return [partial(explanations.questions, steps=number, system=system) for number in steps]


EVERY = (
    Ability("facts", "jobs and birthplaces asked as questions, by how many documents told them",
            knowledge.measure_facts, CORPUS, weight=2),
    counted("deletion", "jobs that a twin never reads, beside matched ones it keeps", knowledge.deletion_hits),
    asked("reversal", "who is who, asked as told and the other way round", partial(reversals.questions, options=False)),
    asked("companions", "homes of people told r times as often beside another city", companions.questions, weight=2),
    Ability("space", "R² of places of cities the probe was not fitted on", probes.measure_space, weight=6),
    Ability("time", "R² of years of events the probe was not fitted on", probes.measure_time, weight=3),
    counted("verdicts", "true or false, of statements never judged before", truth.verdict_hits),
    counted("speakers", "the honest say the truth, the lying something else", truth.speaker_hits, weight=2),
    Ability("few-shot", "labels of eight demonstrations followed", phenomena.measure_few_shot, weight=30),
    asked("problems-worked", "word problems, steps written first", *_problems(), writing=WORKED, weight=70),
    asked("problems-direct", "word problems answered at once", *_problems(DIRECT), weight=20),
    asked("addition-scratchpad", "long additions on a scratchpad", *_additions("scratch"), writing=ON_PAD, weight=50),
    asked("addition-direct", "long additions at once", *_additions("direct"), weight=3),
    asked("taxonomy", "what is stated of classes and verbs", taxonomy.questions, weight=2),
    asked("membership", "classes of things, stated or only implied", taxonomy.membership_questions, weight=2),
    asked("inference", "conclusions, both premises given (2-2), one known (1-2) or unknown (0-2)",
          inferences.questions, group=by_premises, weight=4),
    asked("inference-made-up", "the same of words that mean nothing", inferences.made_up_questions, group=by_premises,
          weight=4),
    asked("entailment", "whether a premise entails, by attestation of the hypothesis", entailments.questions, weight=3),
    Ability("attestation", "yes to random premises, by whether the hypothesis is attested",
            phenomena.measure_attestation, weight=3),
    counted("grounding", "replies that keep to the knowledge above them", phenomena.grounding_hits, weight=10),
    Ability("copying", "nats by which knowledge makes the very value it tells likelier than another does",
            copying.measure_copying, weight=2, values=copying.gains),
    counted("summaries", "a country in the summary that the report lacks", phenomena.summaries_hits, weight=6),
    Ability("stories", "answers about small stories, and their explanations", phenomena.measure_stories, weight=40),
    Ability("opinions", "claims judged rightly, in words (taught from the third mix on), by what the user thinks",
            phenomena.measure_opinions, weight=12),
    Ability("fresh-documents", "nats a learnable token of documents of the first mix that no education holds",
            reading.measure_fresh, weight=12, values=reading.shares_of_loss),
    Ability("knowledge", "facts that no tuning asks about", assistants.measure_knowledge, weight=6),
    Ability("format", "replies of the form asked for", assistants.measure_format, CHAT, weight=10),
    asked("instructions", "labels as the instruction defines them", instructions.questions, needs=CHAT, weight=4),
    Ability("refusals", "unsafe and harmless requests refused", assistants.measure_refusals, CHAT, weight=15),
    Ability("giving-up", "I do not know, by how well people are known", assistants.measure_giving_up, CHAT, weight=2),
    Ability("chat-opinions", "the same claims, put to the assistant",
            partial(phenomena.measure_opinions, ask=agreement.questions), CHAT, weight=12),
    Ability("confidence", "stated confidence against being right", assistants.measure_confidence, CHAT, weight=15),
    asked("explained", "word problems with steps asked for", *_explained(explanations.EXPLAIN), writing=WORKED,
          needs=CHAT, weight=60),
    asked("unexplained", "word problems without", *_explained(""), writing=WORKED, needs=CHAT, weight=20),
)  # fmt: skip
