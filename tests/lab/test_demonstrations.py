"""The editor's questions answered by a real model: right, in time, in words."""

import math

import numpy as np
import pytest
import scripted_models as scripted

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab import demonstration_lab, explain_review
from xllm_widgets.lab import demonstrations as of
from xllm_widgets.microworld import reviews

FEW = {"shots": 2}


def scores(view):
    return dict(zip(view.pieces, view.scores, strict=True))


def test_the_default_prompt_is_held_out_and_balanced(pebble):
    view = demonstration_lab(pebble)
    labels = [card["label"] for card in view.demonstrations]
    assert sorted(labels) == ["negative"] * 4 + ["positive"] * 4
    pairs = [(card["text"], card["label"]) for card in view.demonstrations]
    assert view.prompt == reviews.render_prompt(pairs, view.query)
    known = {word for words in reviews.ADJECTIVES.values() for word in words}
    for text in [view.query, *(text for text, _ in pairs)]:
        words = text.lower().replace(",", " ").replace(".", " ").split()
        nouns, adjectives = set(words) & set(reviews.NOUNS), set(words) & known
        assert all(reviews.is_reserved(noun, adjective) for noun in nouns for adjective in adjectives)
    assert demonstration_lab(pebble).prompt == view.prompt
    assert demonstration_lab(pebble, seed=1).prompt != view.prompt


def test_probabilities_are_the_models_own(pebble):
    view = demonstration_lab(pebble, **FEW)
    view.ask = {"request": view.request, "stage": "probabilities", "part": 0}
    expected = np.exp(pebble.logprobs(view.prompt, [" positive", " negative"])[0])
    assert view.probabilities == {"request": 0, "values": pytest.approx(expected.tolist())}
    view.flip_all()
    view.ask = {"request": view.request, "stage": "probabilities", "part": 0}
    assert view.probabilities["request"] == 1
    assert view.probabilities["values"] != pytest.approx(expected.tolist(), abs=1e-7)


def test_saliency_is_coarse_first_then_word_by_word_and_ends_as_occlusion(pebble, monkeypatch):
    monkeypatch.setattr(of, "PART_SECONDS", 0.004)
    view = demonstration_lab(pebble, **FEW)
    view.ask = {"request": 0, "stage": "coarse", "part": 0}
    assert view.saliency["stage"] == "coarse"
    assert not view.saliency["done"]
    coarse = scores(view)
    assert all(math.isnan(score) == (piece.kind == "field") for piece, score in coarse.items())
    first = [score for piece, score in coarse.items() if (piece.kind, piece.demonstration) == ("word", 0)]
    assert len(first) > 3
    assert len(set(first)) == 1
    parts = 0
    while not view.saliency["done"]:
        view.ask = {"request": 0, "stage": "fine", "part": parts}
        parts += 1
    assert parts > 1
    tokens = pebble.tokens(view.prompt)
    whole = pebble.attribute(view.prompt, (" positive", " negative"), "occlusion").scores[0]
    for piece, score in scores(view).items():
        a, b = tokens.covering(piece.start, piece.end)
        if b - a == 1:
            assert score == pytest.approx(whole[a], abs=1e-4)
    assert np.isfinite(view.scores).all()


def test_a_superseded_request_is_not_computed(pebble, monkeypatch):
    view = demonstration_lab(pebble, **FEW)
    answers = of.Answers(pebble)
    view.flip(0)
    monkeypatch.setattr(pebble, "logprobs", lambda *a: pytest.fail("computed in vain"))
    monkeypatch.setattr(of, "Saliency", lambda *a: pytest.fail("computed in vain"))
    for stage in ("probabilities", "coarse", "fine"):
        answers(view, 0, stage, 0)
    assert view.probabilities["request"] == -1


def test_an_edit_in_the_middle_begins_anew(pebble, monkeypatch):
    monkeypatch.setattr(of, "PART_SECONDS", 0.0)
    view = demonstration_lab(pebble, **FEW)
    view.ask = {"request": 0, "stage": "coarse", "part": 0}
    view.ask = {"request": 0, "stage": "fine", "part": 0}
    view.set_text(0, "A dull film.")
    assert np.isnan(view.scores).all()
    view.ask = {"request": 0, "stage": "fine", "part": 1}
    assert np.isnan(view.scores).all()
    view.ask = {"request": 1, "stage": "coarse", "part": 0}
    assert view.saliency["request"] == 1
    assert np.isfinite(view.scores).sum() > 3


@pytest.mark.parametrize("method", ["gradient_x_input", "gradient_norm"])
def test_gradients_come_in_one_piece(pebble, method):
    view = demonstration_lab(pebble, method=method, **FEW).refresh()
    assert view.saliency["done"]
    assert view.saliency["stage"] == "coarse"
    whole = pebble.attribute(view.prompt, (" positive", " negative"), method).scores[0]
    tokens, last = pebble.tokens(view.prompt), view.pieces[-2]
    a, b = tokens.covering(last.start, last.end)
    assert scores(view)[last] == pytest.approx(whole[a:b].sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda view: view.set_query("  "), "The review to be judged is empty; write at least one word."),
        (lambda view: view.set_text(1, ""), "The review of demonstration 2 is empty; write at least one word."),
        (lambda view: view.set_query("word " * 600), "reads at most 512; shorten it by"),
        (lambda view: view.set_query("half \ud83d"), "half of a character"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_and_forgotten_when_mended(pebble, edit, words):
    view = demonstration_lab(pebble, **FEW)
    edit(view)
    for stage in ("probabilities", "coarse"):
        view.error = ""
        view.ask = {"request": view.request, "stage": stage, "part": 0}
        assert words in view.error
        assert view.error.count(". ") == 0
    view.undo()
    view.ask = {"request": view.request, "stage": "probabilities", "part": 0}
    assert view.error == ""


def test_labels_that_share_a_first_token_are_refused_in_words(pebble):
    view = demonstration_lab(pebble, labels=("zebra", "zygote"), **FEW).refresh()
    assert "begin with the same token" in view.error
    with pytest.raises(XllmError, match="two different labels"):
        demonstration_lab(pebble, labels=("one", "one"))


@pytest.mark.parametrize(
    "text", ["好电影 😀!", "<script>alert(1)</script>", "</style>", "שלום a\u202eb", "_", "e\u0301" * 30]
)
def test_any_text_is_answered(pebble, text):
    view = demonstration_lab(pebble, **FEW)
    view.set_text(0, text)
    view.set_query(text)
    view.refresh()
    assert view.error == ""
    assert view.saliency["done"]
    assert np.isfinite(view.scores).all()


def test_three_labels_are_weighed_by_the_first(pebble):
    shown = [("a red film", "red"), {"text": "a blue film", "label": "blue"}, ("a gold film", "gold", "gold is gold.")]
    view = demonstration_lab(pebble, shown, "a red show", ("red", "blue", "gold")).refresh()
    assert len(view.probabilities["values"]) == 3
    assert view.saliency["done"]
    assert "Explanation: gold is gold.\n" in view.prompt


def test_a_model_that_cannot_be_looked_into_is_refused():
    with pytest.raises(MissingSight, match="gradients"):
        demonstration_lab(scripted.ScriptedLM(scripted.keep_prior))


def test_an_unknown_method_names_the_known_ones(pebble):
    with pytest.raises(XllmError, match=r"'lime'; choose one of occlusion"):
        demonstration_lab(pebble, method="lime")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("The film was dull and bland.", "dull and bland are harsh words."),
        ("A Gorgeous song", "Gorgeous is a kind word."),
        ("A great film, great and boring", "great and boring are kind words."),
        ("The film was long.", ""),
    ],
)
def test_explanations_name_the_words_that_carry_the_sentiment(text, line):
    assert explain_review(text) == line


def test_explaining_and_neutralising_go_through_the_editor(pebble):
    view = demonstration_lab(
        pebble, [("The film was dull.", "negative"), ("An awful show", "negative")], "A great song"
    )
    view.explain(0)
    assert view.demonstrations[0]["explanation"] == "dull is a harsh word."
    view.neutralise()
    assert view.demonstrations[0]["text"] == f"The film was {reviews.neutral_word('dull')}."
    assert view.demonstrations[1]["text"].split()[1] in reviews.NEUTRAL
