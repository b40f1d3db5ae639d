"""The corpus browser in a real browser: searched by hand, filtered, paged, its documents never read as markup."""

import pytest

from xllm_widgets.lab import corpus_lab
from xllm_widgets.microworld import Corpus
from xllm_widgets.widgets.corpus_browser import CorpusBrowser

pytestmark = pytest.mark.browser

HOSTILE = "🙂 <img src=x onerror=window.owned=1> 日本 مرحبا"
FOUND = {
    "text": "日本", "by": "phrase", "occurrences": 1, "documents": 1, "read": 10, "kinds": {"<b>": 1}, "kind": "",
    "page": 0, "pages": 1,
}  # fmt: skip


@pytest.fixture
def browser(mount, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return mount(corpus_lab(Corpus(length=400)))


def answered(mounted):
    mounted.settled()
    return mounted.root.locator(".xw-cb-said").inner_text()


def test_text_stays_text_and_places_count_characters(mount) -> None:
    start = HOSTILE.index("日")
    document = {"number": 3, "kind": "<b>", "text": HOSTILE, "spans": [[start, start + 2]], "facts": ["<i>:x"]}
    mounted = mount(CorpusBrowser([document], FOUND))
    assert mounted.root.locator(".xw-cb-text").text_content() == HOSTILE
    assert mounted.root.locator("mark").text_content() == "日本"
    assert mounted.root.locator("img, b, i").count() == 0
    assert mounted.page.evaluate("window.owned") is None


def test_a_phrase_is_looked_up_filtered_and_paged_by_keyboard(browser) -> None:
    corpus = Corpus(length=400)
    box = browser.root.get_by_role("searchbox")
    box.fill("Paris")
    box.press("Enter")
    hits = corpus.find("Paris", None)
    said = answered(browser)
    assert f"{len(hits)} of 400 documents read" in said
    assert set(browser.root.locator("mark").all_text_contents()) == {"Paris"}
    following = browser.root.get_by_role("button", name="next page")
    following.focus()
    browser.page.keyboard.press("Enter")
    answered(browser)
    assert browser.root.locator(".xw-cb-number").first.inner_text() == f"№ {hits[5]}"
    kind = browser.root.locator(".xw-cb-kind").nth(1)
    kind.focus()
    browser.page.keyboard.press("Enter")
    answered(browser)
    assert browser.root.locator(".xw-cb-kind").nth(1).get_attribute("aria-pressed") == "true"
    name = browser.view.found["kind"]
    assert {document["kind"] for document in browser.view.documents} == {name}
    assert browser.page.evaluate("document.activeElement.dataset.kind") == name, "the focus stays"


def test_a_fact_told_in_a_document_can_be_followed(browser) -> None:
    fact = browser.root.locator(".xw-cb-fact").first
    name = fact.inner_text()
    fact.click()
    assert answered(browser).startswith(f"{name} is told in {len(Corpus(length=400).documents(name))} of 400")
    assert browser.root.locator(".xw-cb-this").count() == len(browser.view.documents)
    assert browser.root.get_by_role("searchbox").input_value() == name


def test_a_long_wait_is_announced_and_a_failure_said(mount) -> None:
    view = CorpusBrowser([], FOUND)
    mounted = mount(view)
    mounted.root.get_by_role("searchbox").fill("x")
    mounted.root.get_by_role("button", name="look up").click()
    mounted.settled()
    assert mounted.root.get_attribute("aria-busy") == "true"
    view.busy = "The corpus is read once."
    mounted.push()
    assert mounted.root.locator(".xw-cb-said").inner_text() == "The corpus is read once."
    view.busy, view.error = "", "The disk is full."
    mounted.push()
    assert mounted.root.get_attribute("aria-busy") == "false"
    assert mounted.root.get_by_role("alert").inner_text() == "The disk is full."


def test_a_saved_page_says_why_it_cannot_search(chromium, tmp_path) -> None:
    from browsing import watched_page

    page = tmp_path / "page.html"
    document = {"number": 3, "kind": "sums", "text": "1 + 1", "spans": [], "facts": []}
    CorpusBrowser([document], {**FOUND, "text": ""}, examples=["Paris"]).to_html(page)
    with watched_page(chromium) as seen:
        seen.page.goto(page.as_uri())
        assert "open the notebook" in seen.page.get_by_role("searchbox").get_attribute("placeholder")
        assert seen.page.get_by_role("button", name="Paris").is_disabled()
        seen.assert_clean()
