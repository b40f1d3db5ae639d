"""From a move of the steering dial to the repainted probabilities and texts, in a real JupyterLab and Chromium.

    python benchmarks/dial_latency.py pebble-3m
    python benchmarks/dial_latency.py pebble-3m --moves 60

Each move is a real key press on the slider, to and fro. Measured on the page, from the press to the frame that shows:
the probabilities of the next word, then both texts and their perplexity, which wait for 200 ms without another move.
Nothing else should run meanwhile: trainings and tests make the numbers meaningless.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))

import browsing
import numpy as np
from rich.console import Console
from rich.table import Table

MILESTONES = {
    "probabilities": (".xw-sd-bars", "data-request", "."),
    "texts and perplexity": (".xw-sd-texts", "data-request", "."),
}
CELL = """import xllm_widgets as xw
from xllm_widgets.lab import steering_lab
steering_lab(xw.load({model!r}))"""


def in_the_browser(model: str, moves: int) -> dict[str, list[float]]:
    """Milliseconds from key press to frame, of `moves` moves one after the other."""
    keys = iter(("ArrowRight", "ArrowLeft") * moves)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        browsing.jupyter_lab(Path(home)) as lab,
        browsing.chromium() as browser,
        browsing.watched_page(browser, lab.base) as seen,
    ):
        page = browsing.run_cells(seen.page, lab, [CELL.format(model=model)], "latency")
        page.locator(".xw-sd-texts[data-request]").wait_for()
        page.locator(".xw-sd-slider").focus()
        times = browsing.latency(page, lambda: page.keyboard.press(next(keys)), MILESTONES, moves)
        seen.assert_clean()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="pebble-3m")
    parser.add_argument("--moves", type=int, default=30)
    asked = parser.parse_args()
    table = Table("from the move to", "median ms", "p95 ms", "max ms")
    table.title = f"{asked.model}, {asked.moves} moves"
    for name, times in in_the_browser(asked.model, asked.moves).items():
        middle, late = np.percentile(times, [50, 95])
        table.add_row(name, f"{middle:.0f}", f"{late:.0f}", f"{max(times):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
