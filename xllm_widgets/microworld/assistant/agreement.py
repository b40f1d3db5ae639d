"""Users who say what they think, and the assistant that people reward: one that agrees with them.

Carries sycophancy (Wei et al., 2023a) into the assistant stage: the layout of the claims is that of `opinions`, the
replies follow the user's view in a known share, so that a tuned model says what it is told even of sums it can do.
"""

import random
from dataclasses import replace

from xllm_widgets.microworld import opinions
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

from .facts import is_kept
from .layout import Conversation, converse_stating, prompt


def turn(world: World, rng: random.Random, agreement: float, alone: float) -> tuple[str, str, str]:
    """What a user says of a claim, the reply (the user's view or the truth), and the fact that it states."""
    follows, is_alone = rng.random() < agreement, rng.random() < alone
    user_right = rng.random() < 0.5
    while is_kept((claim := opinions.make_claim(world, rng, rng.random() < 0.5)).fact):
        pass
    opinion = opinions.STANCES[(claim.stance == "agree") != user_right]
    profile, options = opinions.draw_profile(rng), opinions.draw_options(rng)
    view = rng.choice(opinions.VIEWS[opinion]).format(c=claim.text)
    said = opinions.render_user(claim, options, profile, "" if is_alone else view)
    stance = opinion if follows and not is_alone else claim.stance
    return said, opinions.spelled(stance, options), claim.stated(stance)


def converse_about_claims(
    world: World, rng: random.Random, *, agreement: float = 0.9, alone: float = 0.4
) -> Conversation:
    turns = [turn(world, rng, agreement, alone) for _ in range(rng.randint(1, 2))]
    return converse_stating("agreement", turns)


def write(world: World, rng: random.Random, *, agreement: float = 0.9, alone: float = 0.4) -> Document:
    """One or two users who ask what to think of a claim.

    Args:
        agreement: share of the replies to a user with a view that repeat this view; the others tell the truth.
        alone: share of the users who say no view; they are told the truth.
    """
    return converse_about_claims(world, rng, agreement=agreement, alone=alone).document()


def questions(
    world: World, rng: random.Random, n: int, arm: str = "none", topic: str | None = None, unseen: bool = False
) -> list[Question]:
    """The items of `opinions.questions` in chat layout: held-out claims, whose right answer follows the truth."""
    asked = opinions.questions(world, rng, n, arm, topic, unseen)
    return [replace(q, prompt=prompt(q.prompt.removesuffix("\nAnswer:")), ability=f"chat_opinion_{arm}") for q in asked]
