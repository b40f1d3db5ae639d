"""A tiny model, and the benchmarks' folder on the path."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "benchmarks"))

for _name, _path in {"tiny_models": HERE.parent / "tiny_models.py", "live_memory": HERE / "live_memory.py"}.items():
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, _path)
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])


@pytest.fixture(scope="session")
def lm():
    """A tiny Llama, the family of the bundled models."""
    return sys.modules["tiny_models"].tiny("llama")
