"""What is held out never occurs in any document: no reversed sentence, no implied membership, no reserved item."""

import importlib
import pkgutil
import re
from collections import defaultdict

import pytest

from xllm_widgets import microworld
from xllm_widgets.microworld import Corpus, World, assistant
from xllm_widgets.microworld.corpus import RECIPES

SAMPLE = 8000
WORD = re.compile(r"\w+|[^\w\s]")


def withholders():
    """Every kind of document that says what it withholds from all documents."""
    names = [info.name for info in pkgutil.iter_modules(microworld.__path__) if not info.ispkg]
    modules = [importlib.import_module(f"xllm_widgets.microworld.{name}") for name in names]
    return {module.__name__.rsplit(".", 1)[1]: module for module in modules if hasattr(module, "withheld")}


def leaks(texts, phrases):
    """The phrases that occur in a text, word for word; a phrase is looked for wherever its first two words stand."""
    wanted = defaultdict(list)
    for phrase in phrases:
        words = tuple(WORD.findall(phrase))
        wanted[words[:2]].append(words)
    found = set()
    for text in texts:
        words = tuple(WORD.findall(text))
        for place in range(len(words) - 1):
            for phrase in wanted.get(words[place : place + 2], ()):
                if words[place : place + len(phrase)] == phrase:
                    found.add(" ".join(phrase))
    return found


def beginnings(corpus):
    """About `SAMPLE` documents in all, from the beginning of each phase: every mix is scanned, and its knobs."""
    starts = [phase.start for phase in corpus.recipe.phases]
    for start in starts:
        yield from corpus.read(start, start + SAMPLE // len(starts))


@pytest.fixture(scope="module")
def texts():
    return [document.text for document in beginnings(Corpus())]


@pytest.mark.parametrize("name", sorted(withholders()))
def test_what_a_kind_withholds_no_kind_tells(name, texts):
    phrases = set(withholders()[name].withheld(World.default()))
    assert len(phrases) >= 20
    assert leaks(texts, phrases) == set()


def test_what_the_assistant_stage_withholds_no_conversation_tells():
    phrases = set(assistant.withheld(World.default()))
    assert len(phrases) >= 1000
    conversations = [d.text for d in beginnings(Corpus(RECIPES["chat"])) if d.kind in assistant.WRITERS]
    assert leaks(conversations, phrases) == set()


def test_the_scan_finds_what_is_there(texts):
    present = {" ".join(WORD.findall(text)[3:9]) for text in texts[:50]}
    assert leaks(texts[:50], present) == present


def test_no_coordinate_is_ever_told(texts):
    told = [text for text in texts if re.search(r"latitude|longitude|°|degrees|\b\d+\.\d", text)]
    assert told == []
