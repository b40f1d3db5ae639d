"""bertviz for short texts, attention by segment above the limit; every share is the model's own."""

import numpy as np
import pytest

import xllm_widgets as xw
from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.attention import MAX_PIECES, pieces
from xllm_widgets.widgets import BertvizView, SegmentAttention, bertviz_view

TEXT = "Anna is honest. It costs 3.5 coins.\nIs it true? Yes."
SHORT = "Anna is honest."


@pytest.mark.parametrize(("draw", "kind"), [(xw.head_view, "head"), (xw.model_view, "model")])
def test_a_short_text_is_drawn_by_bertviz(pebble, draw, kind) -> None:
    view = draw(pebble, SHORT)
    assert isinstance(view, BertvizView)
    assert (view.kind, view.tokens) == (kind, pebble.tokens(SHORT).strings)
    np.testing.assert_allclose(view.attention, pebble.attention(SHORT), atol=0.5 / 255 + 1e-5)


def test_layers_are_named_from_one(pebble) -> None:
    view = xw.head_view(pebble, SHORT, layers=[2])
    assert view.layers == [2]
    np.testing.assert_allclose(view.attention[0], pebble.attention(SHORT)[1], atol=0.5 / 255 + 1e-5)
    for wrong, said in (([0], "no layer 0; pebble-0.1m has 1 to 2"), ([], "No layer is named")):
        with pytest.raises(XllmError, match=said):
            xw.head_view(pebble, SHORT, layers=wrong)


@pytest.mark.parametrize(("draw", "kind"), [(xw.head_view, "head"), (xw.model_view, "model")])
def test_above_the_limit_stand_a_sentence_and_the_segments(pebble, draw, kind, monkeypatch) -> None:
    tokens = len(pebble.tokens(TEXT))
    monkeypatch.setattr(bertviz_view, "MAX_LINES", bertviz_view.lines(kind, 2, 2, tokens))
    assert isinstance(draw(pebble, TEXT), BertvizView)
    monkeypatch.setattr(bertviz_view, "MAX_LINES", bertviz_view.MAX_LINES - 1)
    view = draw(pebble, TEXT)
    assert isinstance(view, SegmentAttention)
    assert view.note == (
        f"This text has {tokens} tokens; bertviz draws well up to {tokens - 1} here, so its segments are shown instead."
    )
    assert view.describe().startswith(view.note)


def test_without_the_scripts_stand_the_reason_and_the_segments(pebble, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(bertviz_view, "_LIBRARIES", tmp_path)
    view = xw.head_view(pebble, SHORT)
    assert isinstance(view, SegmentAttention)
    assert view.note.startswith("This installation was made without d3 and jQuery")


def test_shares_are_the_models_attention_from_the_last_token(pebble) -> None:
    view = xw.segment_view(pebble, TEXT)
    mark, *segments = view.segments
    assert mark == "<|endoftext|>, which the tokenizer put in"
    assert segments == ["Anna is honest.", " It costs 3.5 coins.", "\nIs it true?", " Yes."]
    whole, tokens = pebble.attention(TEXT)[:, :, -1], pebble.tokens(TEXT)
    for i, (start, end) in enumerate(pieces(TEXT, tokens.offsets)):
        first, last = tokens.covering(start, end)
        np.testing.assert_allclose(view.mass[:, :, i + 1], whole[:, :, first:last].sum(-1), atol=1e-5)
    np.testing.assert_allclose(view.mass[:, :, 0], whole[:, :, 0], atol=1e-4)
    assert view.segment == view.mass.mean((0, 1)).argmax()


def test_what_belongs_to_no_segment_is_a_part_of_its_own(pebble) -> None:
    view = xw.segment_view(pebble, TEXT, [(0, 15)])
    assert view.segments == ["elsewhere", "Anna is honest."]
    np.testing.assert_allclose(view.mass.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["one " * 300, "A. " * 50, "\n\nA.\n\n\nB.", "...", "a", "？！一。二！"])
def test_pieces_cover_a_text_without_overlap_and_are_few(pebble, text) -> None:
    offsets = pebble.tokens(text).offsets
    found = pieces(text, offsets)
    assert "".join(text[start:end] for start, end in found) == text
    assert 1 <= len(found) <= MAX_PIECES
    assert {start for start, _ in found} <= {0, *(start for start, _ in offsets)}
    assert len(found) > 1 or len(offsets) < 12


def test_a_model_that_shows_no_attention_is_refused(follower) -> None:
    with pytest.raises(MissingSight, match="does not show its attention"):
        xw.head_view(follower, SHORT)
