"""The editor's prompt is the corpus's layout, edits are exact and can be taken back, stale answers are dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.errors import PromptError
from xllm_widgets.microworld import reviews
from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor

SHOWN = [
    {"text": "The film was great.", "label": "positive"},
    {"text": "A dull, slow meal.", "label": "negative", "explanation": "dull is a harsh word."},
    {"text": "I loved it!", "label": "positive"},
]


def editor(**more):
    neutral = {"great": "long", "dull": "short"}
    return DemonstrationEditor(SHOWN, "A bright song.", neutral=neutral, **more)


def test_the_prompt_is_laid_out_as_the_corpus_is():
    rows = [("The film was great.", "positive"), ("A dull, slow meal.", "negative", "dull is a harsh word."),
            ("I loved it!", "positive")]  # fmt: skip
    assert editor().prompt == reviews.render_prompt(rows, "A bright song.")


texts = st.text(max_size=30).map(lambda t: " ".join(t.split()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, st.sampled_from(["foo", "bar"]), texts), max_size=4), texts)
def test_pieces_cover_everything_but_blanks(rows, query):
    cards = [{"text": t, "label": label, "explanation": e} for t, label, e in rows]
    view = DemonstrationEditor(cards, query, ["foo", "bar"])
    prompt, covered = view.prompt, np.zeros(len(view.prompt), dtype=int)
    for piece in view.pieces:
        covered[piece.start : piece.end] += 1
    assert covered.max(initial=0) <= 1
    assert [piece.id for piece in view.pieces] == list(range(len(view.pieces)))
    assert all(char.isspace() for char, hit in zip(prompt, covered, strict=True) if not hit)
    shown = [prompt[p.start : p.end] for p in view.pieces]
    assert shown == [piece[2] for piece in view.layout_pieces]


def test_edits_do_what_they_say():
    view = editor()
    view.flip(0)
    assert [card["label"] for card in view.demonstrations] == ["negative", "negative", "positive"]
    view.flip_all()
    assert [card["label"] for card in view.demonstrations] == ["positive", "positive", "negative"]
    view.neutralise()
    assert [card["text"] for card in view.demonstrations[:2]] == ["The film was long.", "A short, slow meal."]
    view.move(2, 0)
    view.remove(1)
    assert [card["text"] for card in view.demonstrations] == ["I loved it!", "A short, slow meal."]
    view.set_text(0, "two\nlines")
    view.set_query("日本 🙂")
    view.explain(1, "")
    view.add("more", "negative")
    assert view.prompt.endswith("Review: more\nSentiment: negative\n\nReview: 日本 🙂\nSentiment:")
    assert view.prompt.startswith("Review: two lines\n")
    assert "Explanation" not in view.prompt
    view.reset()
    assert view.prompt == editor().prompt


def test_neutralising_one_word_keeps_its_capital():
    shown = [{"text": "Great, a great film.", "label": "positive"}]
    view = DemonstrationEditor(shown, "great", neutral={"great": "long"})
    view.neutralise_word(0, 0)
    view.neutralise_word(-1, 0)
    assert (view.demonstrations[0]["text"], view.query) == ("Long, a great film.", "long")
    with pytest.raises(ViewError, match="no word number 9"):
        view.neutralise_word(0, 9)


def test_shuffled_labels_stand_at_other_texts_and_are_the_same_labels():
    cards = [{"text": f"review {i}", "label": "positive" if i < 3 else "negative"} for i in range(6)]
    view, again = (DemonstrationEditor(cards, "q") for _ in range(2))
    view.shuffle_labels(1)
    again.shuffle_labels(1)
    labels = [card["label"] for card in view.demonstrations]
    assert labels == [card["label"] for card in again.demonstrations]
    assert labels != [card["label"] for card in cards]
    assert sorted(labels) == sorted(card["label"] for card in cards)
    assert [card["text"] for card in view.demonstrations] == [card["text"] for card in cards]
    assert [card["given"] for card in view.demonstrations] == [card["label"] for card in cards]


def test_undo_goes_back_edit_by_edit():
    view = editor()
    prompts = [view.prompt]
    for edit in (lambda: view.flip(1), lambda: view.set_query("x"), lambda: view.shuffle(3)):
        edit()
        prompts.append(view.prompt)
    for prompt in reversed(prompts[:-1]):
        view.undo()
        assert view.prompt == prompt
    request = view.request
    view.undo()
    assert (view.prompt, view.request) == (prompts[0], request)


def test_every_change_counts_and_no_change_does_not():
    view = editor()
    view.flip(0)
    view.set_query(view.query)
    assert view.request == 1


def test_answers_to_an_earlier_prompt_are_dropped():
    view = editor()
    view.answer_probabilities(0, [0.9, 0.1])
    view.answer_saliency(0, "coarse", {1: 2.0}, False)
    view.flip(0)
    assert np.isnan(view.scores).all()
    view.answer_probabilities(0, [0.5, 0.5])
    view.answer_saliency(0, "fine", {1: 9.0}, True)
    assert view.probabilities == {"request": 0, "values": [0.9, 0.1]}
    assert view.saliency["stage"] == "coarse"


def answering(view, log, fine_parts=2):
    def answer(asking, request, stage, part):
        log.append((request, stage, part))
        if stage == "probabilities":
            asking.answer_probabilities(request, [0.7, 0.3])
        else:
            asking.answer_saliency(request, stage, {1: -3.0, 2: 1.0}, stage == "fine" and part + 1 == fine_parts)

    view.on_ask(answer)
    return view


def test_refresh_goes_through_all_stages_and_the_picture_shows_them():
    log = []
    view = answering(editor(), log).refresh()
    assert log == [(0, "probabilities", 0), (0, "coarse", 0), (0, "fine", 0), (0, "fine", 1)]
    assert "positive with 70.0%" in view.describe()
    assert "'The' -3.00" in view.describe()
    bundle, _ = view._repr_mimebundle_()
    assert bundle["text/plain"] == view.describe()
    assert len(log) == 4  # what is answered already is not asked again
    assert view.to_png()[:4] == b"\x89PNG"


def test_a_command_from_the_browser_is_answered_in_the_same_turn():
    log = []
    view = answering(editor(), log)
    view.command = {"n": 1, "name": "flip", "arguments": [0]}
    assert log == [(1, "probabilities", 0)]
    assert view.probabilities["request"] == view.request == 1
    view.ask = {"request": 0, "stage": "coarse", "part": 0}
    assert len(log) == 1  # asked for a prompt that is gone
    view.command = {"n": 2, "name": "close", "arguments": []}
    assert view.request == 1  # only edits can be commanded


def test_failures_are_said_in_words():
    view = editor()

    def refuse(asking, request, stage, part):
        raise PromptError("The prompt is too long; remove a demonstration.")

    view.on_ask(refuse)
    view.refresh()
    assert view.error == "The prompt is too long; remove a demonstration."
    view.command = {"n": 1, "name": "explain", "arguments": [0]}
    assert "write the explanation yourself" in view.error
    answering(view, []).flip(0)
    view.refresh()
    assert view.error == ""


@pytest.mark.parametrize("labels", [["one"], ["a", "a"], ["a", " "]])
def test_labels_must_differ(labels):
    with pytest.raises(ViewError, match="two different labels"):
        DemonstrationEditor(SHOWN, "x", labels)


def test_a_demonstration_needs_text_and_label():
    with pytest.raises(ViewError, match="label is missing"):
        DemonstrationEditor([{"text": "x"}], "y")
    with pytest.raises(ViewError, match="no demonstration 7"):
        editor().flip(7)
