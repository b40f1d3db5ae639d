"""Small decisions of the figures: what is written where."""

import itertools

from xllm_widgets.studies import figures


def test_names_of_ticks_have_room():
    assert figures.apart([1, 1.1, 1.4, 2, 2.5, 5], 1.3) == [1, 1.4, 2, 5]
    assert figures.short_count(999_424) == "1M"
    assert figures.short_count(998_000) == "998k"


def test_names_of_lines_stay_apart_and_beside_the_axes() -> None:
    low, high = -0.04, 1.04
    moved = figures.spread([1, 1, 1, 0, 0.5], 0.055, (low, high))
    assert low <= min(moved) < max(moved) <= high
    assert min(b - a for a, b in itertools.pairwise(sorted(moved))) > 0.054
    assert sorted(moved[:3]) == moved[:3]
