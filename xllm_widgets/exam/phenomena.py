"""Planted phenomena that are more than a share of right answers; each function says what its groups count."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xllm_widgets.exam.differences import paired_drop, ratio
from xllm_widgets.exam.items import distinct, once
from xllm_widgets.exam.paper import Paper, Results
from xllm_widgets.exam.scoring import LINE, Result, answers, grouped, score, share
from xllm_widgets.microworld import dialogues, entailments, opinions, reports, stories
from xllm_widgets.microworld.question import Question
from xllm_widgets.studies import in_context_learning as icl

Claims = Callable[..., list[Question]]


def measure_few_shot(paper: Paper) -> Results:
    """Natural and flipped labels, and label words that mean nothing, eight demonstrations each (chapter 01)."""
    flips = icl.flipped_labels(paper.lm, flipped=(0, 1), trials=paper.n, draws=1, seed=paper.seed).table
    unrelated = icl.unrelated_labels(paper.lm, trials=paper.n, draws=1, seed=paper.seed).table
    return {
        "natural": icl.accuracy(flips[flips["flipped"] == 0], "correct"),
        "flipped": icl.accuracy(flips[flips["flipped"] == 1], "follows"),
        "arbitrary": icl.accuracy(unrelated, "correct"),
    }


def measure_attestation(paper: Paper) -> Results:
    """How often "yes, entailed" is said although the premise is a random one: of what is attested, and of what is not.

    "unseen": the same of people whom nothing attests. The ratios compare attested with unattested.
    """
    questions = once(entailments.random_premise_questions, paper.world, paper.rng("attestation"), paper.n)
    said = [(q.group, answer == "yes") for q, answer in zip(questions, answers(paper.lm, questions), strict=True)]
    yes = grouped(said)
    results: dict[str, Result] = {
        f"ratio, {premise}": ratio(yes.get(f"{premise} attested", []), yes.get(f"{premise} unattested", []))
        for premise in ("random", "unseen")
    }
    return results | {f"yes, {group}": share(hits) for group, hits in yes.items()}


def grounding_hits(paper: Paper) -> dict[str, list[bool]]:
    """Replies that say nothing but what the knowledge says: with the claim asked for in it, and without."""
    hits: dict[str, list[bool]] = {}
    for name, grounded in (("claim given", True), ("claim removed", False)):
        questions = once(dialogues.questions, paper.world, paper.rng("dialogues"), paper.n, grounded)
        replies = answers(paper.lm, questions, LINE)
        pairs = zip(questions, replies, strict=True)
        hits[f"faithful, {name}"] = [dialogues.is_faithful(q.prompt, reply) for q, reply in pairs]
    return hits


def summaries_hits(paper: Paper) -> dict[str, list[bool]]:
    """How often an abstractive summary of an unseen person goes on to a country, and whether to the name's own."""
    found: dict[str, list[bool]] = {}
    for about, label in (("states", "states a country"), ("country", "the country of the name")):
        questions = once(reports.questions, paper.world, paper.rng("reports"), paper.n, about=about)
        hits = score(paper.lm, questions)
        if about == "states":
            hits = [not hit for hit in hits]
        by_name = grouped((q.group, hit) for q, hit in zip(questions, hits, strict=True))
        found |= {f"{label}, {group}": each for group, each in by_name.items()}
    return found


def measure_stories(paper: Paper) -> Results:
    """Right answers before, after and without an explanation; explanations that are factual, and consistent."""
    results: dict[str, Result] = {}
    for layout in stories.LAYOUTS:
        questions = once(stories.questions, paper.world, paper.rng("stories"), paper.n, layout)
        written = answers(paper.lm, questions, LINE)
        told = [stories.read_explanation(text) for text in written]
        if layout == "direct":
            results[layout] = share(score(paper.lm, questions))
            continue
        expected = [stories.read_explanation(q.answer).answer for q in questions]
        results[layout] = share([e.answer == right for e, right in zip(told, expected, strict=True)])
        pairs = list(zip(told, questions, strict=True))
        results[f"{layout}, factual"] = share([e.is_factual(q.prompt) for e, q in pairs])
        results[f"{layout}, consistent"] = share([e.is_consistent(q.prompt) for e, q in pairs])
    return results


def measure_opinions(paper: Paper, ask: Claims = opinions.questions) -> Results:
    """Right stances on claims: without a view of the user's, with a wrong, a right and a scrambled one.

    The drop compares a wrong view with none on the very claims that are answered rightly without.
    """
    items = _in_all_arms(paper, ask)
    hits = {arm: score(paper.lm, questions) for arm, questions in items.items()}
    results = {f"view: {arm}": share(each) for arm, each in hits.items()}
    known = [i for i, hit in enumerate(hits["none"]) if hit]
    if known:
        none, wrong = ([hits[arm][i] for i in known] for arm in ("none", "wrong"))
        results["drop under a wrong view, on what it knows"] = paired_drop(none, wrong)
    return results


def _in_all_arms(paper: Paper, ask: Claims) -> dict[str, tuple[Question, ...]]:
    """Arm → the same claims of the same users, in the same order; no two alike where no view is told."""
    rngs = {arm: paper.rng("opinions") for arm in opinions.ARMS}

    def draw() -> Iterable[tuple[Question, ...]]:
        return zip(*(ask(paper.world, rng, paper.n, arm) for arm, rng in rngs.items()), strict=True)

    claims = distinct(draw, lambda arms: arms[opinions.ARMS.index("none")].prompt)
    assert all(len({question.answer for question in arms}) == 1 for arms in claims), "the arms must ask the same"
    return dict(zip(opinions.ARMS, zip(*claims, strict=True), strict=True))
