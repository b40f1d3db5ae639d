"""Answers with their steps where the system message asks for an explanation, answers alone where there is none.

Carries explanation tuning (Mukherjee et al., 2023): the same word problems and reviews, answered with or without the
way to the answer. Twins differ in the share that is explained, and in whether the explanations fit their problems.
"""

import random

from xllm_widgets.microworld.arithmetic import MOST_STEPS, Problem, draw_tale, tell
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.reviews import SENTIMENTS, Review, write_review
from xllm_widgets.microworld.world import World

from .layout import Conversation, converse, prompt

EXPLAIN = "Explain your answer step by step."
REVIEWED = "Review: {r}\nIs the review positive or negative?"


def tell_problem(problem: Problem, explanation: str | None) -> str:
    return problem.direct if explanation is None else f"{explanation} {problem.direct}"


def tell_sentiment(review: Review, explanation: str | None) -> str:
    answer = f"It is {review.sentiment}."
    return answer if explanation is None else f"{explanation} {answer}"


def problem_turn(rng: random.Random, explained: bool, shuffled: bool, most_steps: int) -> tuple[str, str]:
    steps, single = rng.randint(1, most_steps), rng.random() < 0.3
    problem = tell(draw_tale(rng, 1 if single else steps))
    other = tell(draw_tale(rng, len(problem.working)))
    explanation = (other if shuffled else problem).steps if explained else None
    return problem.question, tell_problem(problem, explanation)


def review_turn(rng: random.Random, explained: bool, shuffled: bool) -> tuple[str, str]:
    review, other = (write_review(rng, rng.choice(SENTIMENTS)) for _ in range(2))
    explanation = (other if shuffled else review).explanation if explained else None
    return REVIEWED.format(r=review.text), tell_sentiment(review, explanation)


def converse_with_explanations(
    world: World,
    rng: random.Random,
    *,
    explained: float = 0.5,
    shuffled: bool = False,
    asked: bool = True,
    most_steps: int = MOST_STEPS,
) -> Conversation:
    is_explained = rng.random() < explained
    turns = []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.75:
            turns.append(problem_turn(rng, is_explained, shuffled, most_steps))
        else:
            turns.append(review_turn(rng, is_explained, shuffled))
    return converse("explanations", turns, EXPLAIN if is_explained and asked else "")


def write(
    world: World,
    rng: random.Random,
    *,
    explained: float = 0.5,
    shuffled: bool = False,
    asked: bool = True,
    most_steps: int = MOST_STEPS,
) -> Document:
    """One to three word problems or reviews; every second problem or so needs a single step, a fair chance without.

    Args:
        explained: share of the conversations that explain every answer.
        shuffled: explanations are those of other items, answers stay right.
        asked: whether a system message asks for the explanations; without it, they come unasked.
        most_steps: the longest problem, so that longer ones can be kept for tests.
    """
    return converse_with_explanations(
        world, rng, explained=explained, shuffled=shuffled, asked=asked, most_steps=most_steps
    ).document()


def questions(world: World, rng: random.Random, n: int, steps: int = 1, system: str = EXPLAIN) -> list[Question]:
    """`n` problems of `steps` steps with held-out numbers, with the system message or, `system=""`, without.

    The answer is the whole right reply; `arithmetic.final_answer` reads the number in what a model writes.
    """
    items = []
    for _ in range(n):
        problem = tell(draw_tale(rng, steps, "test"))
        reply = tell_problem(problem, problem.steps if system else None)
        ability = "explained" if system else "unexplained"
        items.append(Question(prompt(problem.question, system), f" {reply}", ability=ability, group=f"steps={steps}"))
    return items
