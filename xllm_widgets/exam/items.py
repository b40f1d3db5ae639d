"""The items of an examination, none of them twice: an item asked again would add to n and tell nothing new."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import chain
from typing import ParamSpec, TypeVar

from xllm_widgets.microworld.question import Question

P = ParamSpec("P")
T = TypeVar("T")
DRAWS = 100  # beyond the first; what so many have not brought, the world does not hold


def distinct(draw: Callable[[], Iterable[T]], key: Callable[[T], Hashable]) -> list[T]:
    """As many items as one draw brings, no two of one key; others from further draws take the place of repetitions.

    Fewer when the world is exhausted: it brings nothing more in `DRAWS` further draws.
    """
    first = list(draw())
    found: dict[Hashable, T] = {}
    for item in chain(first, chain.from_iterable(draw() for _ in range(DRAWS))):
        found.setdefault(key(item), item)
        if len(found) == len(first):
            break
    return list(found.values())


def once(source: Callable[P, list[Question]], *args: P.args, **kwargs: P.kwargs) -> list[Question]:
    """What `source(*args, **kwargs)` asks, but no prompt twice in a group; its random numbers draw on."""
    return distinct(lambda: source(*args, **kwargs), lambda question: (question.group, question.prompt))
