"""A tiny model, and the benchmarks' folder on the path; torch only for the tests that want it."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "benchmarks")]


@pytest.fixture(scope="session")
def lm():
    """A tiny Llama, the family of the bundled models; its builder lies one folder up."""
    if "tiny_models" not in sys.modules:
        spec = importlib.util.spec_from_file_location("tiny_models", HERE.parent / "tiny_models.py")
        sys.modules["tiny_models"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["tiny_models"])
    return sys.modules["tiny_models"].tiny("llama")
