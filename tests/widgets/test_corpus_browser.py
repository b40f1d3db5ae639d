"""Documents and numbers in, a sentence out; searches are events that somebody answers."""

import json

import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.corpus_browser import CorpusBrowser, sentence

DOCUMENT = {"number": 1006, "kind": "geography", "text": "Paris\nis the capital.", "spans": [[0, 5]], "facts": ["f:P"]}
FOUND = {
    "text": "Paris", "by": "phrase", "occurrences": 900, "documents": 450, "read": 9000,
    "kinds": {"geography": 400, "stories": 50}, "kind": "", "page": 0, "pages": 90,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "“Paris” stands 900 times in 450 of 9,000 documents read: one in 20."),
        ({"occurrences": 1, "documents": 1}, "“Paris” stands once in 1 of 9,000 documents read: one in 9,000."),
        ({"by": "fact", "text": "f:P"}, "f:P is told in 450 of 9,000 documents read: one in 20."),
        ({"documents": 0}, "“Paris” was never read: not once in 9,000 documents read."),
        ({"text": ""}, "9,000 documents read."),
        ({"text": "", "read": 0}, ""),
    ],
)
def test_the_numbers_as_a_sentence(change, said) -> None:
    assert sentence({**FOUND, **change}) == said


def test_words_name_the_numbers_and_each_document() -> None:
    assert CorpusBrowser([DOCUMENT], FOUND, title="What it read").describe() == (
        "What it read\n“Paris” stands 900 times in 450 of 9,000 documents read: one in 20.\n"
        "  № 1,006 (geography): Paris is the capital."
    )
    assert "Nothing was looked up" in CorpusBrowser().describe()


def test_the_state_is_plain_json_and_comes_back_as_it_was() -> None:
    view = CorpusBrowser([DOCUMENT], FOUND)
    state = json.loads(json.dumps(view.to_dict()))
    assert state["documents"] == [DOCUMENT]
    assert CorpusBrowser(state["documents"], state["found"]).describe() == view.describe()


def test_a_search_is_answered_and_a_failure_is_said_until_the_next() -> None:
    view, heard = CorpusBrowser(), []

    def answer(browser: CorpusBrowser, text: str, kind: str, page: int) -> None:
        heard.append((text, kind, page))
        browser.busy = "reading"
        if text == "bad":
            raise XllmError("Give a word.")
        browser.show([DOCUMENT], FOUND)

    view.on_search(answer)
    view.search("bad")
    assert (view.error, view.answered, view.busy) == ("Give a word.", 1, "")
    view.search("Paris", "geography", 2)
    assert (view.error, view.answered, view.found["text"]) == ("", 2, "Paris")
    assert heard == [("bad", "", 0), ("Paris", "geography", 2)]


@pytest.mark.parametrize(
    ("documents", "found", "said"),
    [
        ([{"number": 1}], FOUND, "A document lacks kind, text, spans, facts"),
        ([], {"text": "x"}, "A result lacks by"),
        ([DOCUMENT] * 101, FOUND, "pass fewer"),
    ],
)
def test_what_is_no_page_is_refused(documents, found, said) -> None:
    with pytest.raises(ViewError, match=said):
        CorpusBrowser(documents, found)
