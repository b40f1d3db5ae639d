"""One door to every language model: `load`, and the thin `LanguageModel` around a plain transformers model.

Importing this package costs nothing: torch and transformers arrive with the first name that needs them.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "load": "loading",
    "bundled_models": "catalogue",
    "checkpoints": "catalogue",
    "recipe": "catalogue",
    "LanguageModel": "language_model",
    "Generation": "sampling",
    "Steer": "edits",
    "Tokens": "text",
    "Interrupted": "errors",
    "HookDidNotFire": "errors",
    "check_labels": "labels",
    "seed_everything": "seeding",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
