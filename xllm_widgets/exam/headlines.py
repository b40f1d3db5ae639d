"""The few results of an examination by which models are told apart at a glance; free of everything heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEADLINES = {
    "head facts": "facts/head",
    "verdicts": "verdicts",
    "3 steps": "problems-worked/steps=3",
    "flips": "few-shot/flipped",
}
"""Columns of `xllm models` → key in `exam.json`."""


def read_json(folder: Path) -> dict[str, dict[str, Any]]:
    """A model's `exam.json`; empty where it was never examined."""
    path = folder / "exam.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def headlines(folder: Path) -> dict[str, str]:
    """Column → share of right answers, for those that were measured."""
    examined = read_json(folder)
    found = {column: examined[key]["estimate"] for column, key in HEADLINES.items() if key in examined}
    return {column: f"{estimate:.0%}" for column, estimate in found.items() if estimate is not None}
