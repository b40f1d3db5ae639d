"""Texts encoded in a row, each from where it parts from the one before, have the ids they have when encoded alone."""

import pytest
import tiny_models
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.models import coding
from xllm_widgets.models.coding import Coder
from xllm_widgets.models.text import Reader

READERS = [Reader(tiny_models.byte_level()), Reader(tiny_models.byte_level(bos=False)), Reader(tiny_models.metaspace())]
PIECES = [
    "Review:",
    " The film",
    " was",
    "  dull",
    "\n",
    " 12",
    " really bright and moving.",
    "世界 😀",
    " ",
    "<|endoftext|>",
]
LONG = "Review: The film was really bright and moving. Sentiment: positive\n" * 4


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(READERS),
    st.lists(
        st.tuples(st.integers(0, len(LONG)), st.lists(st.sampled_from(PIECES), max_size=4)), min_size=1, max_size=4
    ),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3),
)
@example(READERS[0], [(60, [" "]), (60, ["  "]), (200, [" The film"])], [" 12", " "])
def test_ids_are_those_of_each_text_alone(reader: Reader, made: list, continuations: list[str]) -> None:
    coder = Coder(reader)
    for length, pieces in made:
        text = LONG[:length] + "".join(pieces)
        if text:
            assert coder.ids(text) == reader.ids(text)
            alone = [reader.continuation(text, continuation) for continuation in continuations]
            assert coder.continuations(text, continuations) == alone


def test_what_is_common_is_not_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    coder, encoded = Coder(READERS[0]), []
    really = coder._plain
    monkeypatch.setattr(coder, "_plain", lambda text: encoded.append(len(text)) or really(text))
    whole = []
    monkeypatch.setattr(Reader, "spans", lambda self, text, spans=Reader.spans: whole.append(text) or spans(self, text))
    for number in range(5):
        coder.ids(LONG + f" number {number}")
        coder.continuations(LONG + f" number {number}", [" yes", " no"])
    assert len(whole) == 1
    assert max(encoded) < 2 * coding.MARGIN + 40


@pytest.mark.parametrize("text", ["", "half \ud83d", 3])
def test_what_is_no_text_is_refused_as_ever(text) -> None:
    coder = Coder(READERS[0])
    coder.ids(LONG)
    for ask in (lambda: coder.ids(text), lambda: coder.continuations(LONG, [text])):
        with pytest.raises(PromptError):
            ask()
