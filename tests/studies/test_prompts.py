"""A prompt knows what each of its characters is."""

import pytest

from xllm_widgets.microworld.reviews import render_prompt
from xllm_widgets.studies.prompts import Demonstration, lay_out, replace_words

DULL = Demonstration("The film was dull.", "negative", ((13, 17),))
FINE = Demonstration("好 film 😀", "positive", explanation="film is a kind word.")


def test_the_text_is_what_the_models_were_taught_to_read():
    plain = render_prompt([(DULL.text, DULL.label), (FINE.text, FINE.label, FINE.explanation)], "Was it?")
    assert lay_out([DULL, FINE], "Was it?").text == plain


def test_every_token_has_the_kind_of_its_first_visible_character(pebble):
    prompt = lay_out([DULL, FINE], "Was it?")
    tokens = pebble.tokens(prompt.text)
    kinds = dict(zip((s.strip() for s in tokens.strings), prompt.kinds(tokens), strict=True))
    expected = {"dull": "sentiment word", "negative": "label", "positive": "label", "kind": "explanation"}
    assert {word: kinds[word] for word in expected} == expected
    assert kinds["Review"] == "frame"
    assert kinds["?"] == "question"
    assert prompt.kinds(tokens)[0] == "frame"  # the mark before the text


@pytest.mark.parametrize("word", ["long", "", "very long"])
def test_words_are_replaced_and_their_places_follow(word):
    two = Demonstration("dull and dull", "negative", ((0, 4), (9, 13)))
    changed = replace_words(two, [word, "new"])
    assert changed.text == f"{word} and new"
    assert [changed.text[a:b] for a, b in changed.sentiment_words] == [word, "new"]
