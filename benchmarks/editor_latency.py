"""From a flipped label to the repainted answer and its reasons, in a real JupyterLab and Chromium.

    python benchmarks/editor_latency.py pebble-3m
    python benchmarks/editor_latency.py pebble-3m --flips 60 --shots 8 --subshells

Each flip is a real click on a label word. Measured on the page, from the click to the frame that shows: the label
probabilities, the coarse attribution (whole reviews), the attribution word by word. Below them the computation alone,
in this process, without Jupyter. Nothing else should run meanwhile: trainings and tests make the numbers meaningless.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))

import browsing
import numpy as np
from rich.console import Console
from rich.table import Table

from xllm_widgets.lab.demonstrations import Answers, demonstration_lab
from xllm_widgets.models import load

BARS = ".xw-de-bars"
MILESTONES = {
    "probabilities": (BARS, "data-request", "."),
    "attribution, coarse": (BARS, "data-saliency", "coarse"),
    "attribution, fine": (BARS, "data-saliency", "done$"),
}
CELL = """import xllm_widgets as xw
from xllm_widgets.lab import demonstration_lab
demonstration_lab(xw.load({model!r}), shots={shots})"""


def in_the_browser(model: str, shots: int, flips: int, subshells: bool) -> dict[str, list[float]]:
    """Milliseconds from click to frame, of `flips` flips one after the other."""
    turn = iter(range(flips))
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        browsing.jupyter_lab(Path(home), subshells) as lab,
        browsing.chromium() as browser,
        browsing.watched_page(browser, lab.base) as seen,
    ):
        page = browsing.run_cells(seen.page, lab, [CELL.format(model=model, shots=shots)], "latency")
        page.locator(f"{BARS}[data-saliency$='done']").wait_for()
        labels = page.locator(".xw-de-label")
        times = browsing.latency(page, lambda: labels.nth(next(turn) % shots).click(), MILESTONES, flips)
        seen.assert_clean()
    return times


def computation_alone(model: str, shots: int, flips: int) -> dict[str, list[float]]:
    """Milliseconds that the same stages compute, without browser, messages or painting; the stages add up."""
    view = demonstration_lab(load(model), shots=shots)
    answers = Answers(load(model))
    times: dict[str, list[float]] = {name: [] for name in MILESTONES}
    for turn in range(flips + 1):  # the first warms up
        view.flip(turn % shots)
        started = time.perf_counter()
        for name, stage in zip(MILESTONES, ("probabilities", "coarse", "fine"), strict=True):
            answers(view, view.request, stage)
            while stage == "fine" and not view.saliency["done"]:
                answers(view, view.request, stage)
            times[name].append(1000 * (time.perf_counter() - started))
    return {name: values[1:] for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="pebble-3m")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--flips", type=int, default=30)
    parser.add_argument("--subshells", action="store_true", help="JupyterLab's default way of carrying messages")
    asked = parser.parse_args()
    table = Table("from the flip to", "", "median ms", "p95 ms", "max ms")
    table.title = f"{asked.model}, {asked.shots} demonstrations, {asked.flips} flips"
    rows = {
        "painted in the browser": in_the_browser(asked.model, asked.shots, asked.flips, asked.subshells),
        "computed, no browser": computation_alone(asked.model, asked.shots, asked.flips),
    }
    for name in MILESTONES:
        for where, times in rows.items():
            middle, late = np.percentile(times[name], [50, 95])
            table.add_row(name, where, f"{middle:.0f}", f"{late:.0f}", f"{max(times[name]):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
