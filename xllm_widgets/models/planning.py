"""Which tokens of a tree are computed together, and behind which others, so that each is computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from .tree import Node, Text, Tree, Want


@dataclass(frozen=True)
class Means:
    """What a model and a device are good at.

    `packs`: several branches may stand in one row, hidden from each other by a mask. `row`: tokens up to which that
    pays. `gain`: tokens whose computing a shared prefix must save to be worth a forward pass of its own.
    """

    packs: bool
    row: int = 256
    gain: int = 64

    @classmethod
    def of(cls, device: torch.device, packs: bool) -> "Means":
        return cls(packs) if device.type == "cpu" else cls(packs, row=1024, gain=512)


@dataclass
class Row:
    """Tokens computed behind the first `start` ones of their paths.

    One entry a token: `ids`, `positions` in the path, `prompts` (the length of the prompt it belongs to). `parts`:
    (first column, end column, the column in whose place it continues, or -1), a part sees itself and what that column
    sees. `wants`: their positions are columns of the row.
    """

    start: int
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    parts: list[tuple[int, int, int]] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, path: Text, start: int, end: int, behind: int = -1) -> range:
        """Append the tokens start … end of a path; their columns."""
        columns = range(len(self.ids), len(self.ids) + end - start)
        self.ids += path.ids[start:end]
        self.positions += range(start, end)
        self.prompts += [path.prompt] * len(columns)
        self.parts.append((columns.start, columns.stop, behind))
        return columns


@dataclass(frozen=True)
class Step:
    """Rows that may run in any order; a `trunk` is a single one, whose keys and values later steps look back on."""

    rows: list[Row]
    trunk: bool = False


def plan(tree: Tree, means: Means) -> list[Step]:
    """Steps, in order, that answer every want of a tree, which they use up.

    A part too large for a row gives a trunk, along the branch with the most tokens, and its other branches hang from
    there; the deepest are taken first, so that a single path of keys and values is all there is to remember.
    """
    steps: list[Step] = []
    large = [tree.root] if tree.paths else []
    while large:
        top = large.pop()
        sides, end, along = _sides(top, means)
        if _pays(top, sides, end, means):
            steps.append(Step([_trunk(top, sides, end, tree.paths[along], tree.paths)], trunk=True))
        else:
            for side in sides:
                side.begin(top.start)
        small = [side for side in sides if _fits(side, means)]
        large += [side for side in sides if not _fits(side, means)]
        steps += _grouped([row for side in small for row in _rows(side, tree.paths, means)], means)
    return steps


def apart(tree: Tree) -> list[Step]:
    """Every path from its first token on, for models that cannot look back on what they have read."""
    rows = [Row(0) for _ in tree.paths]
    for row, path in zip(rows, tree.paths, strict=True):
        row.add(path, 0, len(path.ids))
        row.wants += path.wants
    return [Step(rows)] if rows else []


def _fits(node: Node, means: Means) -> bool:
    if not node.children:
        return True
    return node.tokens <= means.row if means.packs else node.copies - node.tokens < means.gain


def _sides(top: Node, means: Means) -> tuple[list[Node], int, int]:
    """Walk down the heaviest branches: what hangs from them, shallow first, where they end, and a path along them."""
    if _fits(top, means):
        return [top], top.start, top.first
    sides: list[Node] = []
    node = top
    while True:
        heavy = max((child for child in node.children if not _fits(child, means)), key=_tokens, default=None)
        sides += [child for child in node.children if child is not heavy]
        if heavy is None:
            return sides, node.end, node.first
        node = heavy


def _tokens(node: Node) -> int:
    return node.tokens


def _pays(top: Node, sides: list[Node], end: int, means: Means) -> bool:
    length = end - top.start
    saved = sum(side.start - top.start for side in sides) - length
    return length >= max(1, means.gain // 8) and saved >= means.gain


def _trunk(top: Node, sides: list[Node], end: int, along: Text, paths: list[Text]) -> Row:
    row = Row(top.start)
    row.add(along, top.start, end)
    for side in sides:
        for path in paths[side.first : side.last]:
            _answer(row, path, side.start, range(len(row)))
    return row


def _answer(row: Row, path: Text, end: int, columns: Sequence[int]) -> None:
    """Move a path's wants before `end` to a row that holds these tokens."""
    here = [want for want in path.wants if want.position < end]
    del path.wants[: len(here)]
    row.wants += [want._replace(position=columns[want.position - row.start]) for want in here]


def _rows(top: Node, paths: list[Text], means: Means) -> list[Row]:
    """A node and all below it: in one row, or in one row for each of its paths."""
    if means.packs:
        row = _packed(top, paths)
        return [row] if len(row) else []
    rows = []
    for path in paths[top.first : top.last]:
        row = Row(top.start)
        columns = row.add(path, top.start, len(path.ids))
        _answer(row, path, len(path.ids), columns)
        rows.append(row)
    return rows


def _packed(top: Node, paths: list[Text]) -> Row:
    row = Row(top.start)
    stack: list[tuple[Node, list[int]]] = [(top, [])]
    while stack:
        node, columns = stack.pop()
        path = paths[node.first]
        if node.end > node.start:
            columns = [*columns, *row.add(path, node.start, node.end, columns[-1] if columns else -1)]
        stack += [(child, columns) for child in reversed(node.children)]
        if not node.children:
            _answer(row, path, node.end, columns)
    return row


def _grouped(rows: list[Row], means: Means) -> list[Step]:
    """One step, or, where a batch must look back on as many tokens in each row, one for each number of them."""
    if means.packs:
        return [Step(rows)] if rows else []
    starts = sorted({row.start for row in rows})
    return [Step([row for row in rows if row.start == start]) for start in starts]
