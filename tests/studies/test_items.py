"""Items from the bundled world and from any table."""

import numpy as np
import pandas as pd
import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import reviews
from xllm_widgets.studies.items import draw_demonstrations, flip, flipped_labels_of, load_items

ROWS = [(f"text {i} is {'good' if i % 2 else 'bad'}", i % 2) for i in range(40)]


def test_the_world_keeps_questions_out_of_the_pool():
    items = load_items(trials=60)
    assert len(items.test) == 60
    assert not {i.text for i in items.test} & {i.text for i in items.pool}
    assert items.majority == 0.5
    assert load_items(trials=60) == items
    assert load_items(trials=60, seed=1) != items
    item = items.test[0]
    assert {item.text[a:b] for a, b in item.sentiment_words} <= set(reviews.ADJECTIVES[item.label])


@pytest.mark.parametrize("kind", ["pairs", "frame", "tsv", "csv", "jsonl"])
def test_any_table_will_do(kind, tmp_path):
    frame = pd.DataFrame(ROWS, columns=["sentence", "label"])
    path = tmp_path / f"dev.{kind}"
    if kind == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    elif kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    items = load_items({"pairs": ROWS, "frame": frame}.get(kind, str(path)), trials=10)
    assert items.labels == ("negative", "positive")
    assert (len(items.test), len(items.pool)) == (10, 30)
    assert all(("good" in item.text) == (item.label == "positive") for item in items.test)
    assert all(item.text[slice(*item.sentiment_words[0])] in ("good", "bad") for item in items.test)


def test_a_tsv_with_quotes_is_read_as_it_stands(tmp_path):
    """SST-2 holds unbalanced quotation marks, at which a reader of quoted tables loses rows."""
    (tmp_path / "dev.tsv").write_text('sentence\tlabel\na "fine film\t1\na dull film\t0\nthe "end\t1\nno\t0\n')
    items = load_items(tmp_path / "dev.tsv", trials=2)
    assert len(items.test) + len(items.pool) == 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pd.DataFrame({"x": ["a"], "label": [1]}), "no text column"),
        (pd.DataFrame({"text": ["a"], "y": [1]}), "no label column"),
        ([("a", 1), ("b", 1)], "at least two different labels"),
        ([("a", 1), ("b", 5)], "no label words"),
    ],
)
def test_tables_that_do_not_fit_are_refused_in_a_sentence(data, words):
    with pytest.raises(XllmError, match=words):
        load_items(data)


def test_a_name_that_is_nowhere_is_refused_without_a_traceback():
    with pytest.raises(XllmError, match=r"neither a readable file nor a dataset"):
        load_items("no/such-dataset")
    with pytest.raises(XllmError, match="at least one trial"):
        load_items(trials=0)


def test_empty_rows_are_left_out():
    items = load_items([*ROWS, ("  ", 1), (None, 0)], trials=10)
    assert len(items.test) + len(items.pool) == len(ROWS)


@pytest.mark.parametrize("shots", [2, 5, 8])
def test_demonstrations_are_balanced_and_never_repeat(shots):
    items = load_items(trials=10)
    shown = draw_demonstrations(items, shots, np.random.default_rng(0))
    counts = [sum(d.label == label for d in shown) for label in items.labels]
    assert sum(counts) == len({d.text for d in shown}) == shots
    assert abs(counts[0] - counts[1]) <= 1
    with pytest.raises(XllmError, match="lower shots"):
        draw_demonstrations(items, 10_000, np.random.default_rng(0))


def test_flips_are_nested_and_balanced():
    items = load_items(trials=10)
    shown = draw_demonstrations(items, 8, np.random.default_rng(0))
    gold = [d.label for d in shown]
    before: set[int] = set()
    for share in (0, 0.25, 0.5, 0.75, 1):
        labels = flipped_labels_of(shown, items.labels, share, 7)
        changed = {i for i in range(8) if labels[i] != gold[i]}
        assert len(changed) == 8 * share
        assert before <= changed
        assert sorted(gold[i] for i in changed).count("negative") == 4 * share
        before = changed
    assert flip("b", "abc") == "c"
    assert flip("c", "abc") == "a"
