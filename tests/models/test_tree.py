"""A tree and its plan hold every token of every text once, and put every question where it can be answered."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.models.planning import Means, Row, Step, apart, plan
from xllm_widgets.models.tree import Text, Tree, Want, grow

IDS = st.lists(st.integers(0, 2), min_size=1, max_size=14)
MEANS = st.builds(Means, packs=st.booleans(), row=st.integers(1, 20), gain=st.integers(0, 20))


@st.composite
def texts(draw: st.DrawFn) -> list[Text]:
    """Texts with some common beginnings; every second token of each is asked for."""
    stems = draw(st.lists(IDS, min_size=1, max_size=3))
    made = []
    for place, (stem, rest) in enumerate(draw(st.lists(st.tuples(st.sampled_from(stems), IDS), max_size=9))):
        ids = stem[: draw(st.integers(0, len(stem)))] + rest
        wants = [Want(position, place % 3, place) for position in range(0, len(ids), 2)]
        made.append(Text(ids, draw(st.integers(1, len(ids))), wants))
    return made


def prefixes(some: list[Text]) -> set[tuple[int, ...]]:
    return {tuple(text.ids[: end + 1]) for text in some for end in range(len(text.ids))}


def walk(steps: list[Step]) -> tuple[list[tuple[int, ...]], list[tuple[tuple[int, ...], int, int]]]:
    """Run a plan on a model that only remembers what it has read: the texts it saw at each token, and its answers."""
    path: list[int] = []
    seen, answers = [], []
    for step in steps:
        for row in step.rows:
            before: list[tuple[int, ...]] = []
            for first, end, behind in row.parts:
                known = tuple(path[: row.start]) if behind < 0 else before[behind]
                assert behind < first
                for column in range(first, end):
                    known = (*known, row.ids[column])
                    assert row.positions[column] == len(known) - 1
                    before.append(known)
            seen += before
            answers += [(before[want.position], want.token, want.place) for want in row.wants]
        if step.trunk:
            (row,) = step.rows
            path = path[: row.start] + row.ids
    return seen, answers


@settings(deadline=None)
@given(texts(), MEANS)
def test_a_plan_answers_each_question_once_behind_the_right_tokens(some: list[Text], means: Means) -> None:
    expected = sorted((tuple(text.ids[: w.position + 1]), w.token, w.place) for text in some for w in text.wants)
    for steps in (plan(grow(copy.deepcopy(some)), means), apart(grow(copy.deepcopy(some)))):
        seen, answers = walk(steps)
        assert sorted(answers) == expected
        assert set(seen) == prefixes(some)


@settings(deadline=None)
@given(texts(), st.integers(1, 20))
def test_where_rows_may_branch_and_passes_cost_nothing_no_token_is_computed_twice(some: list[Text], row: int) -> None:
    seen, _ = walk(plan(grow(some), Means(True, row, gain=0)))
    assert len(seen) == len(set(seen))


@settings(deadline=None)
@given(texts(), MEANS)
def test_rows_that_do_not_branch_hold_one_path_and_begin_together(some: list[Text], means: Means) -> None:
    for step in plan(grow(some), Means(False, means.row, means.gain)):
        assert all(len(row.parts) == 1 for row in step.rows)
        assert len({row.start for row in step.rows}) == 1
        assert len(step.rows) == 1 or not step.trunk


def test_many_queries_behind_one_prompt_need_it_once() -> None:
    some = [Text([7] * 400 + [query, 5, 6, label], 403, [Want(402, label, query), Want(403, 1, query)])
            for query in range(8, 208) for label in (1, 2)]  # fmt: skip
    steps = plan(grow(some), Means(packs=True))
    assert [(step.trunk, len(step.rows)) for step in steps] == [(True, 1), (False, 200)]
    assert sum(len(row) for step in steps for row in step.rows) == 400 + 200 * 5


def test_a_comb_has_one_trunk_and_its_teeth_hang_at_their_places() -> None:
    """A text of which each token in turn is another one: what a study of replacements asks for."""
    whole = list(range(10, 90))
    some = [Text([*whole[:i], 1, *whole[i + 1 :]], 80, [Want(79, 0, i)]) for i in range(80)] + [Text(whole, 80)]
    steps = plan(grow(some), Means(packs=True, row=100))
    assert [step.trunk for step in steps[:2]] == [True, False]
    assert sum(step.trunk for step in steps) == 1
    assert len({row.start for row in steps[1].rows}) > 60


def test_nested_beginnings_do_not_nest_calls() -> None:
    some = [Text([0] * n, n, [Want(n - 1, 0, n)]) for n in range(1, 3000)]
    (step,) = plan(grow(some), Means(packs=True))
    assert [len(row) for row in step.rows] == [2999]
    assert len(step.rows[0].wants) == 2999


def test_tokens_at_which_an_edit_acts_are_kept_apart() -> None:
    """The same token is the last of one prompt and inside another."""
    some = [Text([5, 6, 7], 2), Text([5, 6, 7], 3)]
    assert len(grow(some).paths) == 1
    tree: Tree = grow(some, from_end=[-1])
    assert [path.prompt for path in tree.paths] in ([2, 3], [3, 2])
    assert tree.root.children[0].end == 1
    assert len(grow(some, from_end=[-9]).paths) == 1


def test_an_empty_tree_needs_nothing() -> None:
    assert plan(grow([]), Means(True)) == apart(grow([])) == []
    assert Row(0).ids == []
