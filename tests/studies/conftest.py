"""Models whose answers are written down, and the smallest bundled one."""

import importlib.util
import sys
from pathlib import Path

import pytest

if "scripted_models" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "scripted_models", Path(__file__).parent.parent / "scripted_models.py"
    )
    sys.modules["scripted_models"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["scripted_models"])

import scripted_models as scripted


@pytest.fixture
def prior_keeper():
    return scripted.ScriptedLM(scripted.keep_prior, "prior-keeper")


@pytest.fixture
def follower():
    return scripted.ScriptedLM(scripted.follow_labels, "follower")


@pytest.fixture(scope="session")
def pebble():
    """The smallest bundled model; tests ask what is computed on it, never how well it does."""
    from xllm_widgets.models import bundled_models, load

    return load(bundled_models()[0])
