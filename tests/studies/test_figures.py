"""Small decisions of the figures: what is written where."""

from xllm_widgets.studies import figures


def test_names_of_ticks_have_room():
    assert figures.apart([1, 1.1, 1.4, 2, 2.5, 5], 1.3) == [1, 1.4, 2, 5]
    assert figures.short_count(999_424) == "1M"
    assert figures.short_count(998_000) == "998k"
