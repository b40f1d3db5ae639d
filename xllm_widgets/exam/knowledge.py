"""Facts asked as questions, held against the exact number of documents that told them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np

from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.exam.scoring import Result, score, share
from xllm_widgets.microworld.biographies import ask, deleted_facts, ghost_questions, matched_facts, questions_on
from xllm_widgets.microworld.question import Question
from xllm_widgets.studies.statistics import spearman

RELATIONS = ("job", "birthplace")
HEAD, TAIL = 32, 8  # told in at least, and in fewer than, so many documents
FEWEST = 5  # facts in a bin, below which its accuracy says nothing
RESAMPLES = 1000


def count_facts(paper: Paper) -> list[tuple[Question, int]]:
    """A question on each job and birthplace the model has read of, to be answered freely, and its document count."""
    told, people = paper.counts(), paper.world.citizens
    every = [(person, relation) for person in people for relation in RELATIONS]
    counted = [(person, relation, told[f"{relation}:{person.name}"]) for person, relation in every]
    return [
        (replace(ask(paper.world, person, relation, "facts", ""), options=()), count)
        for person, relation, count in counted
        if count
    ]


def draw(facts: list[tuple[Question, int]], paper: Paper) -> dict[int, list[Question]]:
    """Bin b holds facts told in 2^b to 2^(b+1) − 1 documents; about `paper.n` facts, bins as even as can be."""
    shuffled = paper.rng("facts").sample(facts, len(facts))
    bins: dict[int, list[Question]] = {}
    for question, count in shuffled:
        bins.setdefault(count.bit_length() - 1, []).append(question)
    size = 1
    while sum(len(each[:size]) for each in bins.values()) < min(paper.n, len(facts)):
        size += 1
    return {number: bins[number][:size] for number in sorted(bins)}


def measure_facts(paper: Paper) -> Results:
    """Accuracy on well-told and hardly told facts, in each bin of counts, and its rank correlation with log count."""
    bins = draw(count_facts(paper), paper)
    right = iter(score(paper.lm, list(chain.from_iterable(bins.values()))))
    hits = {number: [next(right) for _ in questions] for number, questions in bins.items()}
    groups = {
        "head": [hit for number, each in hits.items() if 2**number >= HEAD for hit in each],
        "tail": [hit for number, each in hits.items() if 2**number < TAIL for hit in each],
    }
    fewest = min(FEWEST, max(map(len, hits.values())))
    filled = {number: each for number, each in hits.items() if len(each) >= fewest}
    groups |= {_told(2**number, 2 ** (number + 1) - 1): each for number, each in filled.items()}
    ghosts = [replace(q, options=()) for q in ghost_questions(paper.world, paper.rng("ghosts"), paper.n)]
    groups["never told"] = score(paper.lm, ghosts)
    return {"accuracy by log count": correlate(filled)} | {name: share(each) for name, each in groups.items()}


def _told(low: int, high: int) -> str:
    return "told once" if high == 1 else f"told {low} to {high} times"


def correlate(hits: dict[int, list[bool]], seed: int = 0) -> Result:
    """Spearman's correlation of log count and accuracy over bins, bootstrapped over the facts within; n counts bins."""
    order = list(hits)
    accuracy = np.array([np.mean(hits[number]) for number in order])
    sizes = np.array([len(hits[number]) for number in order])
    resampled = np.random.default_rng(seed).binomial(sizes, accuracy, (RESAMPLES, len(order))) / sizes
    low, high = np.quantile([spearman(order, each) for each in resampled], (0.025, 0.975))
    estimate = spearman(order, accuracy)
    return Result(estimate, min(float(low), estimate), max(float(high), estimate), len(order))


def deletion_hits(paper: Paper) -> dict[str, list[bool]]:
    """Jobs of people of whom the deletion twin reads none, and those of their neighbours in rank."""
    groups = {"deleted": deleted_facts(paper.world), "kept": matched_facts(paper.world)}
    hits = {}
    for group, facts in groups.items():
        chosen = paper.rng(group).sample(facts, min(paper.n, len(facts)))
        questions = [replace(question, options=()) for question in questions_on(paper.world, tuple(chosen), group)]
        hits[group] = score(paper.lm, questions)
    return hits
