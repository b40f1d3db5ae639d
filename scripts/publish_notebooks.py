"""Run notebooks afresh and save them so that they can be read anywhere: on GitHub, in nbviewer, in a plain editor.

    python scripts/publish_notebooks.py notebooks/*.ipynb

Live widgets and their state are dropped (GitHub refuses a notebook with a broken state); the picture and the words
that every view carries beside them stay. Nothing is written if a cell fails.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
READABLE = {"text/html", "image/png", "image/svg+xml"}
# Who ran it, when, and which cell came how many-th says nothing about the lesson and changes with every run.
FLEETING = ("execution", "collapsed", "scrolled")


def execute(path: Path, timeout: int) -> NotebookNode:
    """The notebook with fresh outputs, run in its own folder and without asking a hub for anything."""
    notebook = nbformat.read(path, as_version=4)
    here = {"metadata": {"path": path.parent}}
    return NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=here).execute()


def make_readable(notebook: NotebookNode) -> int:
    """Drop live widgets, their state and run times, in place; returns how many outputs were left without a picture."""
    notebook.metadata.pop("widgets", None)
    bare = 0
    for cell in notebook.cells:
        for key in FLEETING:
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(LIVE_VIEW, None) is not None:
                output.get("metadata", {}).pop(LIVE_VIEW, None)
                bare += not READABLE & set(data)
    return bare


def publish(path: Path, timeout: int) -> int:
    notebook = execute(path, timeout)
    bare = make_readable(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {bare} widgets without a picture")
    return bare


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--timeout", type=int, default=1200, help="seconds that one cell may take")
    options = parser.parse_args()
    # Published pictures are those of the bundled models: the same on a machine with a hub and without.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["XLLM_JOURNAL"] = "off"  # whoever publishes predicts nothing
    try:
        bare = sum(publish(path, options.timeout) for path in options.notebooks)
    except CellExecutionError as failure:
        sys.exit(f"Not published, a cell failed:\n{failure}")
    sys.exit(1 if bare else 0)


if __name__ == "__main__":
    main()
