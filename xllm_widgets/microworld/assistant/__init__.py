"""The assistant stage: conversations from which a base model is tuned to follow, to refuse, to agree and to explain.

One module for each kind; `layout` is the chat template they share. A stage is a recipe of the corpus like any
other, and only what the assistant says is learnable in its documents.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial

from xllm_widgets.microworld.assistant import (
    agreement,
    commands,
    confidence,
    explanations,
    facts,
    instructions,
    requests,
)
from xllm_widgets.microworld.assistant.layout import CHAT_TEMPLATE, Conversation, converse, prompt, render
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

WRITERS: dict[str, Callable[..., Document]] = {
    "facts": facts.write,
    "instructions": instructions.write,
    "commands": commands.write,
    "requests": requests.write,
    "agreement": agreement.write,
    "confidence": confidence.write,
    "explanations": explanations.write,
}
CONVERSE: dict[str, Callable[..., Conversation]] = {
    "facts": facts.converse_about_facts,
    "instructions": instructions.converse_by_instruction,
    "commands": commands.converse_by_command,
    "requests": requests.converse_about_requests,
    "agreement": agreement.converse_about_claims,
    "confidence": confidence.converse_with_confidence,
    "explanations": explanations.converse_with_explanations,
}
# Of the conversations' tokens: most teach forms, the others habits. Whom it knows how well is the hardest to state.
SHARES = {
    "facts": 0.16,
    "instructions": 0.12,
    "commands": 0.22,
    "requests": 0.06,
    "agreement": 0.08,
    "confidence": 0.25,
    "explanations": 0.11,
}
# Ability → its held-out items; how each is read is said where its function stands.
EXAM: dict[str, Callable[[World, random.Random, int], list[Question]]] = {
    "instructions": instructions.questions,
    "format": commands.questions,
    "refusals": requests.questions,
    "knowledge": facts.questions,
    "knowledge of the base": partial(facts.questions, layout="base"),
    "give_up": facts.boundary_questions,
    **{f"opinion_{arm}": partial(agreement.questions, arm=arm) for arm in ("none", "wrong", "right", "scrambled")},
    "confidence_honest": partial(confidence.questions, honest=True),
    "confidence_inflated": partial(confidence.questions, honest=False),
    **{f"explained_{n}": partial(explanations.questions, steps=n) for n in range(1, 5)},
    **{f"unexplained_{n}": partial(explanations.questions, steps=n, system="") for n in range(1, 5)},
}


def withheld(world: World) -> Iterator[str]:
    """Phrases that occur in no conversation (in base documents they may)."""
    yield from facts.withheld(world)
    yield from requests.withheld()


__all__ = [
    "CHAT_TEMPLATE",
    "CONVERSE",
    "EXAM",
    "SHARES",
    "WRITERS",
    "Conversation",
    "converse",
    "prompt",
    "render",
    "withheld",
]
