"""Tokens can be shown, point at the right characters, and lead back to the same text."""

import pytest
import tiny_models
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.models.text import Reader

BYTES, SPACES = Reader(tiny_models.byte_level()), Reader(tiny_models.metaspace())
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
PLAIN = st.text(st.sampled_from("Review film was 12世😀é\n"), min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(ANY)
@example("世界 😀 שלום e\u0301 \u200f<script>")
@example("<|endoftext|> typed by hand")
def test_byte_level_text_survives_and_offsets_cover_it(text: str) -> None:
    tokens = BYTES.encode(text)
    own = [i for i, special in zip(tokens.ids, tokens.special, strict=True) if not special]
    assert BYTES.decode(own) == text
    assert BYTES.ids(text) == tokens.ids
    _covered(text, tokens)


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_offsets_cover_the_text_of_a_tokenizer_that_marks_spaces(text: str) -> None:
    _covered(text, SPACES.encode(text))


def _covered(text: str, tokens) -> None:
    """Spans run from left to right without a gap, and a token of its own characters shows just those."""
    spans = [span for span, special in zip(tokens.offsets, tokens.special, strict=True) if not special]
    at = 0
    for start, end in spans:
        assert start <= at <= end
        at = end
    assert at == len(text)
    alone = [i for i, span in enumerate(tokens.offsets) if tokens.offsets.count(span) == 1 and not tokens.special[i]]
    for i in alone:
        start, end = tokens.offsets[i]
        neighbours = [span for j, span in enumerate(tokens.offsets) if j != i and not tokens.special[j]]
        if end > start and not any(a < end and b > start for a, b in neighbours):
            assert tokens.strings[i] == text[start:end]


def test_pieces_of_a_character_are_shown_as_bytes_at_that_character() -> None:
    tokens = BYTES.encode("a海b")
    assert tokens.strings == ["<|endoftext|>", "a", "<0xE6>", "<0xB5>", "<0xB7>", "b"]
    assert tokens.offsets == [(0, 0), (0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert tokens.special == [True] + [False] * 5


def test_byte_fallback_pieces_are_shown_as_bytes() -> None:
    tokens = SPACES.encode("film 海")
    assert tokens.strings[-3:] == ["<0xE6>", "<0xB5>", "<0xB7>"]
    assert set(tokens.offsets[-3:]) == {(5, 6)}


def test_a_space_belongs_to_the_word_after_it() -> None:
    tokens = BYTES.encode("The film")
    assert tokens.strings[-1] == " film"
    assert tokens.offsets[-1] == (3, 8)


def test_characters_to_tokens() -> None:
    tokens = BYTES.encode("The film was 海")
    assert tokens.covering(4, 8) == (tokens.strings.index(" film"), tokens.strings.index(" film") + 1)
    assert tokens.covering(13, 14) == (len(tokens) - 3, len(tokens))
    with pytest.raises(PromptError, match="not in this text"):
        tokens.covering(90, 91)


@pytest.mark.parametrize("text", ["\ud83d", "film \udc00 was"])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="lone surrogate"):
        BYTES.encode(text)


@settings(max_examples=200, deadline=None)
@given(PLAIN, PLAIN)
def test_a_continuation_follows_its_prompt(prompt: str, continuation: str) -> None:
    """Either the two encode jointly, or the continuation by itself: in both cases the text comes out right."""
    ids = BYTES.ids(prompt) + BYTES.continuation(prompt, continuation)
    assert BYTES.decode(ids[1:]) == prompt + continuation


def test_a_boundary_inside_a_token_encodes_the_continuation_by_itself() -> None:
    assert BYTES.ids("The film")[:-1] != BYTES.ids("The fi")
    assert BYTES.continuation("The fi", "lm") == BYTES.encode("lm").ids[1:]


def test_a_mark_put_after_the_text_is_dropped() -> None:
    from tokenizers import processors

    fresh = tiny_models.byte_level.__wrapped__()
    mark = tiny_models.MARK
    fresh.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{mark} $A {mark}", special_tokens=[(mark, 0)]
    )
    reader = Reader(fresh)
    assert reader.encode("The film").ids == BYTES.encode("The film").ids == reader.ids("The film")
