"""The world's words are single tokens, digits stand alone, and any text comes back as it went in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.microworld import Corpus, World, reviews
from xllm_widgets.microworld.tokenizer import build, save


@pytest.fixture(scope="module")
def tokenizer():
    return build()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_comes_back(text):
    encoder = build()
    assert encoder.decode(encoder.encode(text).ids) == text


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_offsets_cover_the_text_in_order(text):
    offsets = build().encode(text).offsets[1:]
    covered = sorted({place for start, end in offsets for place in range(start, end)})
    assert covered == list(range(len(text)))


def test_names_and_label_words_are_single_tokens(tokenizer):
    words = [*reviews.ARBITRARY_LABELS, *reviews.SENTIMENTS, *reviews.NEUTRAL]
    words += [word for name in World.default().names for word in name.split()]
    split = [word for word in words if len(tokenizer.encode(f" {word}").ids) != 2]
    assert split == []


def test_digits_stand_alone(tokenizer):
    assert tokenizer.encode("1984 + 7").tokens[1:] == ["1", "9", "8", "4", "Ġ+", "Ġ", "7"]


def test_documents_hardly_need_bytes(tokenizer):
    vocabulary = tokenizer.get_vocab()
    pieces = [token for d in Corpus().read(0, 300) for token in tokenizer.encode(d.text).tokens]
    single = [
        token for token in pieces if len(token) == 1 and token.isalpha() and token not in ("Ġ", "Ċ", "I", "A", "B", "a")
    ]
    assert len(single) / len(pieces) < 0.001
    assert len(vocabulary) < 3600


def test_it_serves_transformers(tmp_path):
    from transformers import AutoTokenizer

    save(tmp_path, 512)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Review: Łódź 日本 🙂 <script>\nSentiment:"
    assert loaded.decode(loaded(text).input_ids, skip_special_tokens=True) == text
    assert loaded(text).input_ids == build().encode(text).ids
    assert loaded(text).input_ids[0] == loaded.bos_token_id
