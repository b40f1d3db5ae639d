"""bertviz's own scripts as they are, the weights a byte each, and a limit said in numbers."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from xllm_widgets.widgets import BertvizView, bertviz_view
from xllm_widgets.widgets.base import ViewError

TOKENS = ["a", " b", "</script>"]


def causal(layers: int, heads: int, tokens: int) -> np.ndarray:
    weights = np.tril(np.random.default_rng(0).random((layers, heads, tokens, tokens)))
    return weights / weights.sum(-1, keepdims=True)


def test_weights_keep_their_place() -> None:
    given = causal(2, 4, 3)
    view = BertvizView(TOKENS, given)
    np.testing.assert_allclose(view.attention, given, atol=0.5 / 255 + 1e-6)
    assert (view.layers, view.heads) == ([1, 2], 4)


def test_a_weight_is_a_byte_and_none_lies_above_the_diagonal() -> None:
    assert len(BertvizView(TOKENS, causal(2, 4, 3)).weights) == 2 * 4 * 6


def test_bertviz_runs_unchanged_behind_its_libraries() -> None:
    folder = Path(find_spec("bertviz").origin).parent
    for kind in ("head", "model"):
        d3, jquery, own = BertvizView(TOKENS, causal(1, 1, 3), kind=kind).scripts
        assert "d3js.org v5." in d3[:60]
        assert "jQuery v3." in jquery[:60]
        assert own == (folder / f"{kind}_view.js").read_text("utf-8")


def test_without_the_scripts_it_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(bertviz_view, "_LIBRARIES", tmp_path)
    with pytest.raises(bertviz_view.ScriptsMissing, match="made without d3 and jQuery"):
        BertvizView(TOKENS, causal(1, 1, 3))


@pytest.mark.parametrize(
    ("kind", "layers", "heads"), [("head", 6, 4), ("head", 32, 32), ("model", 6, 4), ("model", 2, 2)]
)
def test_the_limit_is_the_longest_text_that_is_drawn(kind, layers, heads) -> None:
    limit = bertviz_view.token_limit(kind, layers, heads)
    assert bertviz_view.lines(kind, layers, heads, limit) <= bertviz_view.MAX_LINES
    assert bertviz_view.lines(kind, layers, heads, limit + 1) > bertviz_view.MAX_LINES
    assert len(BertvizView(["x"] * limit, causal(layers, heads, limit), kind=kind).tokens) == limit
    with pytest.raises(ViewError, match=f"more than the {limit} that bertviz draws well"):
        BertvizView(["x"] * (limit + 1), causal(layers, heads, limit + 1), kind=kind)


@pytest.mark.parametrize(
    ("tokens", "attention", "more", "said"),
    [
        (["a"], causal(1, 1, 2), {}, "1 tokens need attention of shape (layers, heads, 1, 1)"),
        (TOKENS, causal(1, 1, 3)[0], {}, "3 tokens need attention of shape"),
        (TOKENS, causal(2, 1, 3), {"layers": [1]}, "2 layers needs as many numbers of layers, not 1"),
        (TOKENS, causal(1, 1, 3), {"kind": "neuron"}, "head or model, not 'neuron'"),
        ([], np.zeros((1, 1, 0, 0)), {}, "0 tokens need attention"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(tokens, attention, more, said) -> None:
    with pytest.raises(ViewError, match=re.escape(said)):
        BertvizView(tokens, attention, **more)


def test_words_name_the_heads_that_look_most_at_one_token() -> None:
    weights = np.zeros((1, 2, 2, 2))
    weights[0, :, 0, 0] = 1
    weights[0, 0, 1] = [0.2, 0.8]
    weights[0, 1, 1] = [1.0, 0.0]
    said = BertvizView(["a", " b"], weights, layers=[5]).describe()
    assert said.endswith("from the last token, most at one: layer 5 head 2 at 'a' 1.00, layer 5 head 1 at ' b' 0.80.")


def test_the_state_is_plain_json_without_scripts() -> None:
    state = BertvizView(TOKENS, causal(1, 2, 3)).to_dict()
    assert np.shape(state["attention"]) == (1, 2, 3, 3)
    assert "scripts" not in state
    assert "d3" not in json.dumps(state)


def test_the_static_twin_has_a_square_for_each_head() -> None:
    small, large = (BertvizView(TOKENS, causal(n, 2, 3)).to_png() for n in (1, 3))
    assert small.startswith(b"\x89PNG")
    assert len(large) > len(small)
