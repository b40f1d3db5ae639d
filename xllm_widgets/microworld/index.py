"""How often, and in which documents, did a model read this? Exact answers over a whole corpus."""

import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.paths import cache_dir

if TYPE_CHECKING:
    from xllm_widgets.microworld.corpus import Corpus

BLOCK = 5000  # documents that one process reads at a time
Told = tuple[str, tuple[str, ...]]  # a document's text and the facts it states
SEPARATOR = "\x00"  # no document contains it, so no phrase can match across two of them


@dataclass(frozen=True)
class Index:
    """All documents of a corpus in one string, where each begins, and which documents state which fact."""

    text: str
    starts: np.ndarray
    facts: dict[str, list[int]]

    def occurrences(self, phrase: str) -> list[int]:
        """The number of the document of each occurrence of `phrase` as whole words, in order, case respected."""
        starts = self.starts.tolist()
        return [bisect_right(starts, place) - 1 for place in whole_words(self.text, phrase)]


def whole_words(text: str, phrase: str) -> Iterator[int]:
    """Where `phrase` stands in `text` with no letter or digit grown onto either end."""
    place = text.find(phrase)
    while place >= 0:
        end = place + len(phrase)
        grown = (phrase[0].isalnum() and text[place - 1 : place].isalnum()) or (
            phrase[-1].isalnum() and text[end : end + 1].isalnum()
        )
        if not grown:
            yield place
        place = text.find(phrase, place + 1)


def build(corpus: "Corpus", length: int) -> Index:
    """Read the first `length` documents once, on all cores; a bar shows how far that is."""
    from tqdm.auto import tqdm

    texts: list[str] = []
    facts: dict[str, list[int]] = {}
    with tqdm(total=length, desc="reading the corpus once", unit=" documents", disable=length < BLOCK) as bar:
        for documents in blocks(corpus, length):
            for text, told in documents:
                for fact in dict.fromkeys(told):
                    facts.setdefault(fact, []).append(len(texts))
                texts.append(text)
            bar.update(len(documents))
    starts = np.cumsum([0] + [len(text) + 1 for text in texts[:-1]])
    return Index(SEPARATOR.join(texts), starts, facts)


def blocks(corpus: "Corpus", length: int) -> Iterator[list[Told]]:
    """The documents in order, `BLOCK` at a time; a corpus of one block is read in this process."""
    spans = [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]
    if len(spans) < 2:
        yield from (told(corpus, *span) for span in spans)
        return
    from joblib import Parallel, delayed

    work = (delayed(told)(corpus, *span) for span in spans)
    yield from Parallel(n_jobs=-1, return_as="generator")(work)


def told(corpus: "Corpus", start: int, stop: int) -> list[Told]:
    return [(document.text, document.facts) for document in corpus.read(start, stop)]


def home(corpus: "Corpus", length: int) -> Path:
    """The folder in the user's cache that holds, or is to hold, the index of a corpus."""
    return cache_dir() / "index" / f"{corpus.fingerprint}-{length}"


def load_or_build(corpus: "Corpus", length: int) -> Index:
    """The index from the cache on disk, building it there the first time."""
    folder = home(corpus, length)
    try:
        return read(folder)
    except (OSError, ValueError):  # not there yet, or damaged: build it again
        index = build(corpus, length)
        write(index, folder)
        return index


def read(folder: Path) -> Index:
    text = (folder / "text.txt").read_bytes().decode("utf-8")
    facts = json.loads((folder / "facts.json").read_text("utf-8"))
    return Index(text, np.load(folder / "starts.npy"), facts)


def write(index: Index, folder: Path) -> None:
    """Write to a folder beside, then rename: a reader sees a whole index or none."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        (part / "text.txt").write_bytes(index.text.encode("utf-8"))
        (part / "facts.json").write_text(json.dumps(index.facts), "utf-8")
        np.save(part / "starts.npy", index.starts)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError:  # a read-only or full disk costs the next session ten seconds, nothing else
        shutil.rmtree(part, ignore_errors=True)
