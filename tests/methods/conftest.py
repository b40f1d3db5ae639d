"""Tiny models shared by these tests; the builders lie one folder up."""

import importlib.util
import sys
from pathlib import Path

import pytest

if "tiny_models" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).parent.parent / "tiny_models.py")
    sys.modules["tiny_models"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["tiny_models"])

import tiny_models

_made: dict = {}


def _cached(family: str):
    if family not in _made:
        _made[family] = tiny_models.tiny(family)
    return _made[family]


@pytest.fixture(params=list(tiny_models.FAMILIES))
def any_lm(request: pytest.FixtureRequest):
    """One tiny model of each family in turn."""
    return _cached(request.param)


@pytest.fixture
def lm():
    """A tiny Llama, the family of the bundled models."""
    return _cached("llama")
