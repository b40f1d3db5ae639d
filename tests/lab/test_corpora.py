"""The browser's questions answered by a corpus: exact numbers, pages, kinds, and the wait announced."""

import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.lab import corpora, corpus_lab
from xllm_widgets.microworld import Corpus
from xllm_widgets.widgets import language


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Corpus(length=400)


def numbers(view):
    return [document["number"] for document in view.documents]


def test_without_a_text_the_corpus_is_leafed_through_and_nothing_is_indexed(small) -> None:
    view = corpus_lab(small, page_size=7)
    view.search("", page=1)
    assert numbers(view) == list(range(7, 14))
    assert (view.found["pages"], view.said) == (58, "400 documents read.")
    assert not small.is_indexed


def test_a_phrase_gives_exact_numbers_and_marks_it_wherever_it_stands(small) -> None:
    view = corpus_lab(small, "Paris")
    hits = small.find("Paris", None)
    assert (view.found["occurrences"], view.found["documents"]) == (small.count("Paris"), len(hits))
    assert numbers(view) == hits[:5]
    assert sum(view.found["kinds"].values()) == len(hits)
    marked = {d["text"][start:end] for d in view.documents for start, end in d["spans"]}
    assert marked == {"Paris"}
    view.search("Paris", page=1)
    assert numbers(view) == hits[5:10]


def test_a_kind_is_chosen_among_the_hits(small) -> None:
    view = corpus_lab(small, "Question", page_size=100)
    kinds = view.found["kinds"]
    kind = list(kinds)[-1]
    view.search("Question", kind)
    assert len(view.documents) == min(100, kinds[kind])
    assert {document["kind"] for document in view.documents} == {kind}
    assert view.found["kinds"] == kinds


def test_a_fact_is_looked_up_by_its_name_and_its_owner_marked(small) -> None:
    fact = next(iter(small.facts()))
    view = corpus_lab(small, fact, page_size=50)
    assert (view.found["by"], view.found["documents"]) == ("fact", len(small.documents(fact)))
    assert all(fact in document["facts"] for document in view.documents)
    owner = fact.split(":")[1]
    assert all(d["text"][start:end] == owner for d in view.documents for start, end in d["spans"])
    assert corpora.is_fact("capital:France")
    assert not corpora.is_fact("Answer: east")


def test_the_first_reading_of_the_corpus_is_announced_once(small) -> None:
    view = corpus_lab(small)
    said = []
    view.observe(lambda change: said.append(change["new"]), names="busy")
    view.search("Paris")
    view.search("Rome")
    assert said == [language.speech("lab")("first_time"), ""]
    assert small.is_indexed
    assert Corpus(length=400).is_indexed, "kept for the next session"


def test_the_title_says_where_to_look_up_what_a_chat_model_read_before() -> None:
    assert 'before, it read all of pebble-3m: corpus_lab("pebble-3m")' in corpus_lab("pebble-3m-chat").title
    assert corpus_lab("pebble-3m").title == "What pebble-3m was taught"


def test_what_cannot_be_looked_up_is_said() -> None:
    with pytest.raises(XllmError, match="only bundled Pebbles"):
        corpus_lab("gpt2")
    assert "no end" in corpus_lab(Corpus(), "Paris").error
