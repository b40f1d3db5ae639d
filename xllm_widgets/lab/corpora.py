"""The corpus browser with a corpus behind it: how often was a bundled model told this, and in which words?"""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from xllm_widgets.lab.code import Timed, with_code
from xllm_widgets.microworld.corpus import Corpus, base_of
from xllm_widgets.microworld.index import whole_words
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.widgets.corpus_browser import CorpusBrowser

EXAMPLES = ("Paris", "the capital of France", "capital:France", "Answer: east")
_FACT = re.compile(r"[a-z]+:\S.*")


@with_code()
def corpus_lab(corpus: str | Corpus, text: str = "", *, page_size: int = 5, **browser: Any) -> CorpusBrowser:
    """What did this model read about …? Every document of its education, searched by phrase or by fact.

    `corpus`: the name of a bundled model, or a `microworld.Corpus` with a length. `text`: what to look up at once: a
    phrase (whole words, case counts) or a fact ("capital:France"); "" shows the corpus from its first document on.
    Other keywords go to the `CorpusBrowser`. The first search of all reads the whole corpus, which the view announces.

    A chat model read its base's corpus before, which is looked up by the base's name; the title says so.

    Raises XllmError for a model whose education nobody knows.
    """
    from xllm_widgets.widgets.corpus_browser import CorpusBrowser

    known = Corpus.of(corpus) if isinstance(corpus, str) else corpus
    title = _title(corpus) if isinstance(corpus, str) else ""
    view = CorpusBrowser(**{"title": title, "examples": list(EXAMPLES), **browser})
    view.on_search(Timed(LookUps(known, page_size)))
    view.search(text)
    return view


def _title(model: str) -> str:
    """Whose corpus this is, and of a chat model where to look up what it read before."""
    base = base_of(model)
    return speech("lab")("taught_after", corpus=model, base=base) if base else speech("lab")("taught", corpus=model)


class LookUps:
    """Answers what the browser asks: `look_ups(browser, text, kind, page)`; XllmError for a corpus without an end."""

    def __init__(self, corpus: Corpus, page_size: int = 5) -> None:
        self.corpus, self.page_size = corpus, page_size
        self._first_time = speech("lab")("first_time")
        self._lock = threading.Lock()
        self._last: tuple[str, list[int], list[str], int] = ("", [], [], 0)

    def __call__(self, browser: CorpusBrowser, text: str, kind: str, page: int) -> None:
        """One page of the documents that hold `text` (all documents for ""), of one kind or of all ("")."""
        with self._lock:
            text = text.strip()
            if text and not self.corpus.is_indexed:
                browser.busy = self._first_time
            browser.show(*(self._hits(text, kind, page) if text else self._everything(page)))

    def _everything(self, page: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        read = self.corpus.length or 0
        pages = -(-read // self.page_size)
        start = min(page, pages - 1) * self.page_size
        documents = [self._document(n, "") for n in range(start, min(start + self.page_size, read))]
        return documents, self._found("", read, 0, {}, "", page, pages)

    def _hits(self, text: str, kind: str, page: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        if self._last[0] != text:
            self._last = (text, *self._look_up(text))
        _, numbers, kinds, occurrences = self._last
        chosen = [n for n, its in zip(numbers, kinds, strict=True) if kind in ("", its)]
        pages = -(-len(chosen) // self.page_size)
        start = page * self.page_size
        documents = [self._document(n, text) for n in chosen[start : start + self.page_size]]
        counts = dict(Counter(kinds).most_common())
        return documents, self._found(text, len(numbers), occurrences, counts, kind, page, pages)

    def _look_up(self, text: str) -> tuple[list[int], list[str], int]:
        """Numbers of the documents, the kind of each, and the occurrences of a phrase."""
        if is_fact(text):
            numbers, occurrences = self.corpus.documents(text), 0
        else:
            numbers, occurrences = self.corpus.find(text, limit=None), self.corpus.count(text)
        return numbers, [self.corpus.kind(n) for n in numbers], occurrences

    def _found(
        self, text: str, documents: int, occurrences: int, kinds: dict[str, int], kind: str, page: int, pages: int
    ) -> dict[str, Any]:
        return {
            "text": text, "by": "fact" if is_fact(text) else "phrase", "occurrences": occurrences,
            "documents": documents, "read": self.corpus.length or 0, "kinds": kinds, "kind": kind, "page": page,
            "pages": pages,
        }  # fmt: skip

    def _document(self, number: int, text: str) -> dict[str, Any]:
        document = self.corpus.document(number)
        phrase = text.split(":", 1)[1] if is_fact(text) else text
        spans = [[place, place + len(phrase)] for place in whole_words(document.text, phrase)] if phrase else []
        facts = list(dict.fromkeys(document.facts))
        return {"number": number, "kind": document.kind, "text": document.text, "spans": spans, "facts": facts}


def is_fact(text: str) -> bool:
    """Whether a text names a fact ("capital:France") rather than a phrase ("Answer: east")."""
    return _FACT.fullmatch(text) is not None
