"""Neurons are found in every family by shape, and their activations are what the block's way out multiplies."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

if "tiny_models" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).parent.parent / "tiny_models.py")
    sys.modules["tiny_models"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["tiny_models"])

from tiny_models import FAMILIES, tiny

from xllm_widgets.studies import representation_neurons as neurons

PROMPTS = ["The film was bright", "Review: yes"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_shows_its_neurons(family):
    lm = tiny(family)
    ways_in, out = neurons.mlp_matrices(lm, 1)
    count = 128 if family == "gpt2" else 64
    assert neurons.weights_of(out).shape == (count, lm.width)
    assert all(neurons.weights_of(way).shape == (lm.width, count) for way in ways_in)
    assert len(ways_in) == (1 if family in ("gpt2", "gpt_neox", "opt", "phi") else 2)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_activations_times_the_way_out_are_what_the_neurons_write(family):
    lm, written = tiny(family), []
    mlp = lm.structure.blocks[1].mlp
    handle = mlp.register_forward_hook(lambda *args: written.append(args[2][0, -1].detach().numpy()))
    acts = neurons.neuron_activations(lm, PROMPTS, 2)
    handle.remove()
    out = neurons.mlp_matrices(lm, 2)[1]
    bias = 0 if out.bias is None else out.bias.detach().numpy()
    np.testing.assert_allclose(acts @ neurons.weights_of(out) + bias, np.stack(written), atol=1e-4)


def test_a_model_without_such_neurons_has_none_to_list():
    assert neurons.mlp_matrices(tiny("mamba"), 1) is None
