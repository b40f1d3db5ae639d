"""What a study asks about: labelled texts, from the bundled world or from any table the caller names."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.stimuli import SENTIMENT_WORDS

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = ("sentence", "text", "review", "content", "question")
LABEL_COLUMNS = ("label", "labels", "sentiment", "target", "class", "coarse_label")
SPLITS = ("validation", "dev", "test", "train", "")
POOL = 400  # demonstrations of the bundled world to draw from
READERS = (".tsv", ".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Item:
    """One labelled text; `sentiment_words` are the character spans (start, end) of the words that carry the label."""

    text: str
    label: str
    sentiment_words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Items:
    """Demonstrations are drawn from `pool`, questions are `test`; the two never share a text."""

    labels: tuple[str, ...]
    pool: tuple[Item, ...]
    test: tuple[Item, ...]
    source: str

    @property
    def majority(self) -> float:
        """The share of the commonest gold label among the questions: what answering always the same would score."""
        counts = [sum(item.label == label for item in self.test) for label in self.labels]
        return max(counts) / len(self.test)


def load_items(data: Any = None, *, trials: int = 200, seed: int = 0) -> Items:
    """Labelled texts for `trials` questions, with a separate pool for demonstrations.

    `data` None: reviews of the bundled world, the questions from wordings that no bundled model was taught.
    Otherwise any table with a text and a label a row: a pandas DataFrame, a list of (text, label), the path of a
    .tsv, .csv, .jsonl or .parquet file (SST-2's own `dev.tsv` as it is), or the id of a dataset on the hub
    (`stanfordnlp/sst2`). Labels 0 and 1 are read as negative and positive; other labels are used as they are written.
    Raises XllmError, in one sentence, when no such table can be read or it is too small.
    """
    if trials < 1:
        raise XllmError("A study needs at least one trial; set trials to 1 or more.")
    if data is None:
        return _world_items(trials, seed)
    return _split(_pairs(read_table(data)), trials, seed, data if isinstance(data, str) else type(data).__name__)


def draw_demonstrations(items: Items, shots: int, rng: np.random.Generator) -> list[Item]:
    """`shots` demonstrations in random order, as evenly spread over the labels as `shots` allows."""
    order = rng.permutation(len(items.labels))
    chosen: list[Item] = []
    for rank, label in enumerate(np.array(items.labels)[order]):
        wanted = shots // len(items.labels) + (rank < shots % len(items.labels))
        candidates = [item for item in items.pool if item.label == label]
        if len(candidates) < wanted:
            raise XllmError(
                f"{items.source} has too few texts labelled {label!r} for {shots} demonstrations; lower shots."
            )
        chosen += [candidates[i] for i in rng.choice(len(candidates), size=wanted, replace=False)]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def flip(label: str, labels: Sequence[str]) -> str:
    """The label that stands for `label` once labels are flipped: the other of two, the next of more."""
    return labels[(list(labels).index(label) + 1) % len(labels)]


def flipped_labels_of(demonstrations: Sequence[Item], labels: Sequence[str], share: float, seed) -> list[str]:
    """The demonstrations' labels with `share` of each class flipped, so that every share keeps the classes balanced.

    Shares are nested: what is flipped at .25 is flipped at .5 too, and one draw can be compared across its shares.
    """
    rng, flipped = np.random.default_rng(seed), [d.label for d in demonstrations]
    for label in labels:
        places = [i for i, d in enumerate(demonstrations) if d.label == label]
        for i in rng.permutation(places)[: round(share * len(places))]:
            flipped[int(i)] = flip(label, labels)
    return flipped


def read_table(data: Any) -> pd.DataFrame:
    """A DataFrame from a DataFrame, a list of (text, label), a file, or a dataset on the hub."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, str | Path):
        path = Path(data)
        if path.suffix in READERS and path.exists():
            return _read_file(path)
        return _read_hub(str(data))
    return pd.DataFrame(list(data), columns=["text", "label"])


def _world_items(trials: int, seed: int) -> Items:
    from xllm_widgets.microworld import reviews

    def write(count: int, split: str) -> tuple[Item, ...]:
        rng = random.Random(f"{split} reviews {seed}")
        found: dict[str, Item] = {}
        for _ in range(100 * count):
            sentiment = reviews.SENTIMENTS[len(found) % 2]
            review = reviews.write_review(rng, sentiment, split=split)
            found.setdefault(review.text, Item(review.text, sentiment, review.sentiment_words))
            if len(found) == count:
                return tuple(found.values())
        raise XllmError(f"The bundled world has only {len(found)} different test reviews; lower trials.")

    return Items(reviews.SENTIMENTS, write(POOL, "train"), write(trials, "test"), "the bundled world's reviews")


def _read_file(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".jsonl":
            return pd.read_json(path, lines=True)
        if path.suffix == ".tsv":
            return pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE)
        return pd.read_csv(path)
    except ImportError as reason:
        raise XllmError(
            f"Reading {path.name} needs pyarrow; run pip install pyarrow, or use the .tsv file."
        ) from reason
    except ValueError as reason:
        raise XllmError(f"{path.name} cannot be read as a table; give a text and a label a row.") from reason


def _read_hub(name: str) -> pd.DataFrame:
    try:
        from huggingface_hub import HfApi, hf_hub_download

        files = HfApi().list_repo_files(name, repo_type="dataset")
        chosen = _best_file(files)
        return _read_file(Path(hf_hub_download(name, chosen, repo_type="dataset")))
    except XllmError:
        raise
    except Exception as reason:
        raise XllmError(
            f"{name!r} is neither a readable file nor a dataset that can be reached on the hub; "
            "give the path of a .tsv file, a DataFrame, or nothing for the bundled reviews."
        ) from reason


def _best_file(files: Sequence[str]) -> str:
    """The smallest labelled split of a dataset repository, as a file that can be read: validation before train."""
    for split in SPLITS:
        for file in sorted(files):
            if Path(file).suffix in READERS and split in Path(file).name:
                return file
    raise XllmError("That dataset holds no .tsv, .csv, .jsonl or .parquet file; download it and give a table.")


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    text, label = _column(table, TEXT_COLUMNS, "text"), _column(table, LABEL_COLUMNS, "label")
    rows = table[[text, label]].dropna()
    values = set(rows[label].unique().tolist())
    if values <= {0, 1, "0", "1"}:
        names = {0: "negative", 1: "positive", "0": "negative", "1": "positive"}
    elif all(isinstance(value, str) for value in values):
        names = {value: value.strip() for value in values}
    else:
        raise XllmError("Numbers other than 0 and 1 are no label words; write the labels as words in the label column.")
    return [(str(t).strip(), names[v]) for t, v in rows.itertuples(index=False) if str(t).strip()]


def _column(table: pd.DataFrame, names: Sequence[str], what: str) -> str:
    found = [name for name in names if name in table.columns]
    if not found:
        raise XllmError(f"The table has no {what} column; call it one of {', '.join(names)}.")
    return found[0]


def _split(pairs: list[tuple[str, str]], trials: int, seed: int, source: str) -> Items:
    unique = list(dict(pairs).items())
    labels = tuple(sorted({label for _, label in unique}))
    if len(labels) < 2:
        raise XllmError("The table needs at least two different labels.")
    order = np.random.default_rng(seed).permutation(len(unique))
    items = [Item(unique[i][0], unique[i][1], lexicon_spans(unique[i][0])) for i in order]
    test, pool = items[: min(trials, len(items) // 2)], items[min(trials, len(items) // 2) :]
    return Items(labels, tuple(pool), tuple(test), source)


def lexicon_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Character spans of the words of `text` that a small lexicon of opinion words knows."""
    return tuple(m.span() for m in re.finditer(r"[A-Za-z']+", text) if m.group().lower() in SENTIMENT_WORDS)
