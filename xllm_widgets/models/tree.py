"""Texts as a tree: what several of them begin with stands there once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Want(NamedTuple):
    """Add log p(token), read at the token that stands at `position` of a text, to the answer number `place`."""

    position: int
    token: int
    place: int


@dataclass(frozen=True)
class Text:
    """Token ids to be read by a model, the first `prompt` of which are the prompt, and what is wanted of them."""

    ids: list[int]
    prompt: int
    wants: list[Want] = field(default_factory=list)


@dataclass
class Node:
    """Tokens `start` … `end` of all the paths `first` … `last` (exclusive), which part at `end`.

    `tokens`: those of this node and everything below it; `copies`: as many if each path stood by itself.
    """

    start: int
    end: int
    first: int
    last: int
    tokens: int = 0
    copies: int = 0
    children: list["Node"] = field(default_factory=list)

    def begin(self, start: int) -> None:
        """Let the node begin earlier on its path: it takes over tokens of those above it."""
        self.tokens += self.start - start
        self.copies += (self.start - start) * (self.last - self.first)
        self.start = start


@dataclass(frozen=True)
class Tree:
    """`root`, and the paths from it to each leaf, in the order of the leaves; no path begins another."""

    root: Node
    paths: list[Text]


def grow(texts: Sequence[Text], from_end: Sequence[int] = ()) -> Tree:
    """The tree of some texts; one that begins another, or equals it, becomes part of its path.

    `from_end`: negative positions at which an edit acts. A token that stands there in one prompt and not in another is
    not the same token to the model, and the two are kept apart.
    """
    size = 1 + max((max(text.ids) for text in texts), default=0)
    keys = [key_of(text, from_end, size) for text in texts]
    paths, kept = _paths(texts, keys)
    root = Node(0, 0, 0, 0)
    spine = [root]  # from the root to the newest leaf
    for i, key in enumerate(kept):
        shared = common(kept[i - 1], key) if i else 0
        while len(spine) > 1 and spine[-1].start >= shared:
            spine.pop()
        if spine[-1].end > shared:
            _split(spine, shared)
        leaf = Node(shared, len(key), i, i + 1)
        spine[-1].children.append(leaf)
        spine.append(leaf)
    _count(root)
    return Tree(root, paths)


def common(a: np.ndarray, b: np.ndarray) -> int:
    """How many entries two arrays have in common from their start."""
    n = min(len(a), len(b))
    different = a[:n] != b[:n]
    return int(different.argmax()) if different.any() else n


def key_of(text: Text, from_end: Sequence[int], size: int) -> np.ndarray:
    """Numbers that are equal where the model computes the same; their bytes sort as they do."""
    key = np.array(text.ids, dtype=">i8")
    for number, position in enumerate(from_end, 1):
        if text.prompt + position >= 0:
            key[text.prompt + position] += number * size
    return key


def _paths(texts: Sequence[Text], keys: list[np.ndarray]) -> tuple[list[Text], list[np.ndarray]]:
    """The texts that begin no other one, sorted, each with the wants of those that begin it."""
    spelled = [key.tobytes() for key in keys]
    paths: list[Text] = []
    kept: list[int] = []
    for i in sorted(range(len(texts)), key=lambda i: spelled[i], reverse=True):
        if kept and spelled[kept[-1]].startswith(spelled[i]):
            paths[-1].wants.extend(texts[i].wants)
        else:
            kept.append(i)
            paths.append(Text(texts[i].ids, texts[i].prompt, list(texts[i].wants)))
    for path in paths:
        path.wants.sort()
    return paths[::-1], [keys[i] for i in reversed(kept)]


def _split(spine: list[Node], at: int) -> None:
    """Cut the newest node in two; its lower part is finished."""
    lower = spine[-1]
    upper = Node(lower.start, at, lower.first, lower.last, children=[lower])
    lower.start = at
    spine[-2].children[-1] = upper
    spine[-1] = upper


def _count(root: Node) -> None:
    """Fill in each node's range of paths and its tokens, from the leaves up."""
    order = [root]
    for node in order:
        order.extend(node.children)
    for node in reversed(order):
        if node.children:
            node.first, node.last = node.children[0].first, node.children[-1].last
        length = node.end - node.start
        node.tokens = length + sum(child.tokens for child in node.children)
        node.copies = length * (node.last - node.first) + sum(child.copies for child in node.children)
