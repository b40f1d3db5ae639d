"""Who names what the deletion test finds wins; on a real model the drops are the plain difference of two prompts."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.models.text import Tokens
from xllm_widgets.studies import duels
from xllm_widgets.studies.problems import load_problems
from xllm_widgets.studies.solutions import Solution

TOM = Solution("Tom has 7 apples.", ("7 + 5 = 12", "12 - 3 = 9", "9 + 1 = 10"), "10")
ALL = frozenset({"text", "logprobs", "activations", "gradients"})


class Witness:
    """A model that needs one stretch of text, and whose attention, gradient and occlusion point where they are told."""

    name, sights = "witness", ALL

    def __init__(self, needs, attention, gradient, occlusion):
        self.needs, self.named = needs, {"attention": attention, "gradient": gradient, "occlusion": occlusion}

    def tokens(self, text):
        offsets = [(i, i + 1) for i in range(len(text))]
        return Tokens(text, list(text), [0] * len(text), offsets, [False] * len(text))

    def logprobs(self, prompts, continuations):
        return np.array([[-0.5 if self.needs in prompt else -4.0] for prompt in prompts])

    def attention(self, prompt, segments):
        mass = np.zeros((2, 2, len(prompt), len(segments)))
        mass[:, :, -1, self.named["attention"]] = 0.5
        return mass

    def attribute(self, prompt, target, method, groups=None):
        if groups:
            scores = np.zeros((1, len(groups)))
            scores[0, self.named["occlusion"]] = 2
            return SimpleNamespace(group_scores=scores)
        _, pieces = duels.pieces_of(TOM)
        scores = np.zeros((1, len(prompt)))
        scores[0, pieces[self.named["gradient"]].start] = -3  # a negative score is a strong one too
        return SimpleNamespace(scores=scores)


def test_the_deletion_test_decides():
    one = duels.duel(Witness("12 - 3", attention=0, gradient=1, occlusion=2), TOM, student=1)
    assert one.decisive == 1
    assert one.drops.tolist() == [0, 3.5, 0]
    table = one.table.set_index("candidate")
    assert table["piece"].to_dict() == {"student": 1, "attention": 0, "gradient": 1, "occlusion": 2}
    assert table["won"].to_dict() == {"student": True, "attention": False, "gradient": True, "occlusion": False}
    assert table["credit"].tolist() == [1, 0, 1, 0]
    assert one.table["chance"].tolist() == [pytest.approx(1 / 3)] * 4
    assert "12 - 3 = 9." in one.describe()


def test_where_nothing_matters_nobody_wins():
    one = duels.duel(Witness("absent", 0, 1, 2), TOM)
    assert not one.table["won"].any()
    assert (one.table["credit"] == 0).all()


def test_the_scoreboard_counts_and_keeps_chance_beside():
    fought = [duels.duel(Witness("12 - 3", 0, 1, 2), TOM), duels.duel(Witness("7 + 5", 0, 1, 2), TOM)]
    board = duels.scoreboard(fought).set_index("candidate")
    assert board["wins"].to_dict() == {
        "attention": 1,
        "gradient": 1,
        "occlusion": 0,
        duels.CHANCE: pytest.approx(2 / 3),
    }
    assert board.loc[duels.CHANCE, "share"] == pytest.approx(1 / 3)
    assert board.index[-1] == duels.CHANCE
    assert (board["low"].dropna() <= board["share"][:-1]).all()
    with pytest.raises(XllmError, match="no duel yet"):
        duels.scoreboard([])


def test_words_of_question_and_steps_are_pieces():
    prompt, pieces = duels.pieces_of(TOM, "word")
    assert [piece.text for piece in pieces[:4]] == ["Tom", "has", "7", "apples"]
    assert pieces[-1].text == "10"
    assert all(prompt[piece.start : piece.end] == piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("text", "piece", "left"),
    [
        ("a b. c d. The", (5, 9), "a b. The"),
        ("a b c", (2, 3), "a c"),
        ("so 7.", (3, 4), "so."),
        ("a b", (0, 1), " b"),
    ],
)
def test_a_piece_is_cut_out_without_leaving_two_spaces(text, piece, left):
    assert duels.without(text, duels.Piece(text[slice(*piece)], *piece)) == left


def test_what_cannot_be_duelled_is_said_in_a_sentence():
    lm = Witness("x", 0, 1, 2)
    with pytest.raises(XllmError, match="at least two steps"):
        duels.duel(lm, Solution("?", ("1 + 1 = 2",), "2"))
    with pytest.raises(XllmError, match="no piece 7"):
        duels.duel(lm, TOM, student=7)
    with pytest.raises(XllmError, match="no unit 'letter'"):
        duels.pieces_of(TOM, "letter")
    lm.sights = frozenset({"text"})
    with pytest.raises(MissingSight, match="activations and gradients and logprobs"):
        duels.duel(lm, TOM)


@pytest.mark.parametrize("unit", ["step", "word"])
def test_on_a_real_model(pebble, unit):
    one = load_problems(pebble, steps=3, trials=1).test[0]
    fought = duels.duel(pebble, one, student=0, unit=unit)
    assert fought.table["candidate"].tolist() == ["student", *duels.CANDIDATES]
    piece = fought.pieces[1]
    shorter = fought.prompt.replace(piece.text + " ", "", 1) if unit == "step" else duels.without(fought.prompt, piece)
    whole, cut = pebble.logprobs([fought.prompt, shorter], [fought.target])[:, 0]
    assert fought.drops[1] == pytest.approx(whole - cut, abs=1e-3)
    assert isinstance(fought.table, pd.DataFrame)
