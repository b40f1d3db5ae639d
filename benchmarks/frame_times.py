"""How smooth are the views on their largest inputs? Frame times in a real Chromium while a hand roams over them.

    python benchmarks/frame_times.py
    python benchmarks/frame_times.py --seconds 10

"drawn" is from the mounting of the view to the frame that shows it whole; the frames are those of the seconds after,
while the pointer moves, the wheel turns and now and then something is clicked. Nothing else should run meanwhile.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))

import browsing
import numpy as np
from rich.console import Console
from rich.table import Table

from xllm_widgets.widgets import BertvizView, SegmentAttention, TokenHeatmap, bertviz_view
from xllm_widgets.widgets.base import BaseView


def heatmap(tokens: int) -> BaseView:
    return TokenHeatmap([" word"] * tokens, np.linspace(-1, 1, tokens))


def segments(layers: int, heads: int) -> BaseView:
    mass = np.random.default_rng(0).dirichlet(np.ones(8), (layers, heads))
    return SegmentAttention([f"Sentence {i}." for i in range(8)], mass)


def bertviz(kind: str, layers: int, heads: int) -> BaseView:
    """The longest text that is drawn of such a model."""
    tokens = bertviz_view.token_limit(kind, layers, heads)
    weights = np.tril(np.random.default_rng(0).random((layers, heads, tokens, tokens)))
    return BertvizView([" word"] * tokens, weights / weights.sum(-1, keepdims=True), kind=kind)


VIEWS: dict[str, tuple[Callable[[], BaseView], str]] = {
    "token heatmap, 4,000 tokens": (lambda: heatmap(4000), ".xw-th-line"),
    "token heatmap, 16,000 tokens": (lambda: heatmap(16_000), ".xw-th-line"),
    "attention by segment, 32 × 32 heads": (lambda: segments(32, 32), ".xw-sa-scroll"),
    "bertviz head view at its limit, 6 × 4 heads": (lambda: bertviz("head", 6, 4), ".xw-bv-frame"),
    "bertviz model view at its limit, 6 × 4 heads": (lambda: bertviz("model", 6, 4), ".xw-bv-frame"),
}


def measured(browser: browsing.Browser, view: BaseView, where: str, seconds: float) -> tuple[float, list[float]]:
    """Seconds until the view is drawn, and the frame times while a hand roams over it."""
    with browsing.watched_page(browser) as seen:
        began = time.perf_counter()
        mounted = browsing.Mounted(seen.page, view)
        if isinstance(view, BertvizView):
            seen.page.frame_locator(where).locator("line").first.wait_for(state="attached")
        seen.page.frames[-1].evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        drawn = time.perf_counter() - began
        times = browsing.frame_times(seen.page, browsing.roam(seen.page, mounted.root.locator(where)), seconds)
        seen.assert_clean()
    return drawn, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args()
    table = Table("view", "drawn s", "frames", "median ms", "p95 ms", "worst ms")
    with browsing.chromium() as browser:
        for name, (make, where) in VIEWS.items():
            drawn, times = measured(browser, make(), where, asked.seconds)
            middle, late, worst = np.percentile(times, [50, 95, 100])
            table.add_row(name, f"{drawn:.2f}", str(len(times)), f"{middle:.0f}", f"{late:.0f}", f"{worst:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
