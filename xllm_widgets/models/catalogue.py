"""Which models came with the package: read from the disk, never from a list. Free of torch."""

import json
import re
from pathlib import Path
from typing import Any

from ..errors import ModelNotFound
from ..paths import models_dir

_AMOUNT = re.compile(r"^(\d+(?:\.\d+)?)([kKmMbB]?)$")
_UNIT = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def bundled_models() -> list[str]:
    """Names of the models that need no network, smallest family members first."""
    root = models_dir()
    folders = [path for path in root.iterdir() if (path / "config.json").is_file()] if root.is_dir() else []
    return sorted((path.name for path in folders), key=_by_size)


def checkpoints(name: str) -> list[str]:
    """What may follow the @ in `load("name@checkpoint")`: earlier states of one training run, youngest first."""
    root = models_dir() / name / "checkpoints"
    folders = [path.name for path in root.iterdir() if (path / "config.json").is_file()] if root.is_dir() else []
    return sorted(folders, key=_amount)


def recipe(name: str) -> dict[str, Any] | None:
    """What a bundled model was taught (its `recipe.json`), or None where nothing is recorded."""
    path = bundled_folder(name) / "recipe.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def bundled_folder(name: str) -> Path:
    """The folder of a bundled model or checkpoint ("pebble-1m", "pebble-1m@2M").

    Raises ModelNotFound, naming the checkpoints there are, if the part after the @ is unknown.
    """
    base, _, checkpoint = name.partition("@")
    if not checkpoint:
        return models_dir() / base
    known = checkpoints(base)
    if checkpoint not in known:
        have = ", ".join(known) if known else "none"
        raise ModelNotFound(f"{base!r} has no checkpoint {checkpoint!r}; it has {have}.")
    return models_dir() / base / "checkpoints" / checkpoint


def _amount(text: str) -> tuple[float, str]:
    """Sort key: 0.5M before 2M before anything that is not an amount."""
    match = _AMOUNT.match(text)
    return (float(match[1]) * _UNIT[match[2].lower()] if match else float("inf"), text)


def _by_size(name: str) -> tuple[float, str]:
    sizes = [_amount(part)[0] for part in name.split("-") if _AMOUNT.match(part)]
    return (sizes[0] if sizes else float("inf"), name)
