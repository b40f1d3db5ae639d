"""Where the data lie: beside the package in a wheel, at the top of the repository in a checkout."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir() -> Path:
    """The folder that holds `models/`, `facts/`, `stimuli/` and `evidence/`."""
    bundled = _PACKAGE / "data"
    return bundled if bundled.is_dir() else _PACKAGE.parent / "data"


def models_dir() -> Path:
    return data_dir() / "models"


def facts_dir() -> Path:
    return data_dir() / "facts"


def evidence_dir() -> Path:
    return data_dir() / "evidence"


def notebooks_dir() -> Path:
    bundled = _PACKAGE / "notebooks"
    return bundled if bundled.is_dir() else _PACKAGE.parent / "notebooks"


def cache_dir() -> Path:
    """Where corpora and indexes that can be made again are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "xllm_widgets"


def journal_dir() -> Path:
    """Where a student's lab journal is kept if no other folder is named: it cannot be made again, so no cache."""
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "xllm_widgets" / "journal"
