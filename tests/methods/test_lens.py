"""The lens shows the stream itself: its last layer is the model's own prediction, its scores are projections."""

import numpy as np
import pytest
from tiny_models import FAMILIES, tiny

from xllm_widgets.errors import XllmError
from xllm_widgets.methods.lens import logit_lens, probe_lens

TEXT = "The film was bright"


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "opt", "gpt_neox"])
def test_the_last_layer_is_the_models_own_prediction(family):
    assert family in FAMILIES
    lm = tiny(family)
    lens, last = logit_lens(lm, TEXT, target=" yes"), lm.n_layers
    token = lm.reader.strings(lm.reader.continuation(TEXT, " yes")[:1])[0]
    assert lens.scores.shape == (lm.n_layers + 1, len(lm.tokens(TEXT)))
    assert lens.scores[-1, -1] == pytest.approx(np.exp(lm.logprobs(TEXT, [token])[0, 0]), rel=1e-3)
    best = logit_lens(lm, TEXT, layers=[last])
    written = lm.generate(TEXT, max_new_tokens=1, temperature=0)[0][0]
    shown = lm.reader.strings(written.ids)[0]
    assert best.words[0][-1] == shown
    assert (best.scores[0] >= lens.scores[-1] - 1e-6).all()


def test_probe_scores_are_projections_in_residual_norms():
    lm = tiny("llama")
    stream = lm.activations(TEXT, positions="all")[0]
    direction, centre = np.random.default_rng(0).normal(size=(2, lm.width))
    lens = probe_lens(lm, TEXT, {2: direction, 1: 3 * direction}, {2: centre, 1: centre})
    assert lens.layers == [1, 2]
    unit = direction / np.linalg.norm(direction)
    for row, layer in enumerate(lens.layers):
        expected = (stream[layer] - centre) @ unit / np.linalg.norm(stream[layer], axis=1).mean()
        np.testing.assert_allclose(lens.scores[row], expected, rtol=1e-5)
    table = lens.table()
    assert len(table) == lens.scores.size
    assert table["token"].tolist()[: len(lens.tokens)] == lens.tokens


def test_a_direction_of_another_width_is_refused():
    with pytest.raises(XllmError, match="32 wide"):
        probe_lens(tiny("llama"), TEXT, {0: np.ones(5)})
