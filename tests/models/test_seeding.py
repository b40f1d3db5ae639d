"""One call makes every global generator repeat itself."""

import random

import numpy as np
import torch

import xllm_widgets
from xllm_widgets.models import seed_everything


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))  # noqa: NPY002 (the generator that is seeded)


def test_the_same_seed_gives_the_same_draws() -> None:
    seed_everything(3)
    first = draws()
    assert draws() != first
    xllm_widgets.seed_everything(3)
    assert draws() == first
    seed_everything(4)
    assert draws() != first
