"""From laps to rows, from rows to words: ratios to ours, agreement, distance to the floor, targets met or missed."""

from dataclasses import dataclass
from statistics import median

import numpy as np

from . import floor
from .bench import OURS, Benchmark, Case, Options, Target
from .race import Lap

OTHER_ANSWER = 0.05  # relative difference that no rounding explains, 16-bit numbers' included
HEAD = ["contestant", "time", "ratio to ours", "memory", "ratio to ours", "largest difference", "times the floor"]


@dataclass
class Row:
    """One contestant: medians over the rounds; NaN where there is nothing to tell."""

    name: str
    seconds: float
    time_ratio: float
    peak: float
    memory_ratio: float
    difference: float
    over_floor: float
    note: str = ""
    figure: float | None = None

    def cells(self) -> list[str]:
        """As printed, under HEAD."""
        if self.note:
            return [self.name, "skipped", *[""] * 5]
        return [
            self.name, _time(self.seconds), _ratio(self.time_ratio), _memory(self.peak), _ratio(self.memory_ratio),
            "–" if np.isnan(self.difference) else f"{self.difference:.0e}", _ratio(self.over_floor),
        ]  # fmt: skip


@dataclass
class Verdict:
    """A target, what was measured, and whether that is enough; `measured` is NaN where nothing could be."""

    target: Target
    words: str
    measured: float

    @property
    def word(self) -> str:
        if np.isnan(self.measured):
            return "not measured"
        at_least = self.target.measure in ("time", "memory")
        met = self.measured >= self.target.bound if at_least else self.measured <= self.target.bound
        return "met" if met else "missed"

    def cells(self) -> list[str]:
        return [self.target.case, self.words, plain(self.measured), self.word]


def table(benchmark: Benchmark, found: list[Row]) -> list[list[str]]:
    """Titles and rows as text; what the benchmark's runs count, if they do, stands in a column of its own."""
    if not benchmark.figure:
        return [HEAD, *(row.cells() for row in found)]
    figures = ["–" if row.figure is None else plain(row.figure) for row in found]
    return [
        [*HEAD, benchmark.figure], *([*row.cells(), figure] for row, figure in zip(found, figures, strict=True)),
    ]  # fmt: skip


def rows(benchmark: Benchmark, case: Case, laps: list[Lap], options: Options) -> list[Row]:
    """Ours first; the floor last, where there is one."""
    by_name = {lap.name: lap for lap in laps}
    ours, rate = by_name[OURS], by_name.get(floor.NAME)
    if benchmark.work is None or rate is None:
        return [_row(lap, ours, []) for lap in laps]
    share = floor.flops(benchmark.work(_sizes(case, options)), options.shape) / floor.flops_of_a_run(options.shape)
    least = [share * seconds for seconds in rate.seconds]
    return [_row(lap, ours, least) for lap in (*laps[:-1], Lap(floor.NAME, least))]


def _sizes(case: Case, options: Options) -> dict[str, int]:
    return case.small if options.small else case.sizes


def _row(lap: Lap, ours: Lap, least: list[float]) -> Row:
    return Row(
        lap.name, median(lap.seconds) if lap.seconds else float("nan"), _over(lap.seconds, ours.seconds),
        lap.peak, lap.peak / max(ours.peak, 1.0) if ours.peak == ours.peak else float("nan"),
        difference(lap.arrays, ours.arrays), _over(lap.seconds, least), lap.note, lap.figure,
    )  # fmt: skip


def _over(these: list[float], those: list[float]) -> float:
    """The median of the rounds' ratios."""
    pairs = [a / b for a, b in zip(these, those, strict=False) if b > 0]
    return median(pairs) if pairs else float("nan")


def difference(arrays: dict[str, np.ndarray], ours: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the largest value, from the reference: ours, or one brought along."""
    reference = arrays.get("reference", ours.get("values"))
    values = arrays.get("values")
    if values is None or reference is None or values.shape != reference.shape:
        return float("nan")
    return float(np.nanmax(np.abs(values - reference)) / np.nanmax(np.abs(reference)))


def verdicts(benchmark: Benchmark, case: Case, found: list[Row], ours: Lap) -> list[Verdict]:
    """The targets of this case. Whoever gave another answer than ours did other work, and no ratio to it counts."""
    by_name = {row.name: row for row in found if not row.note and not row.difference > OTHER_ANSWER}
    here = [target for target in benchmark.targets if target.case == case.label]
    return [Verdict(t, words(t, benchmark.figure), _measured(t, by_name, ours)) for t in here]


def _measured(target: Target, by_name: dict[str, Row], ours: Lap) -> float:
    nan = float("nan")
    if target.measure == "seconds":
        return by_name[OURS].seconds if OURS in by_name else nan
    if target.measure == "figure":
        return nan if ours.figure is None else ours.figure
    column = "memory_ratio" if target.measure == "memory" else "time_ratio"
    ratios = [getattr(by_name[name], column) for name in target.against if name in by_name]
    ratios = [1 / r for r in ratios] if target.measure == "excess" else ratios
    return min(ratios, default=nan) if target.measure != "excess" else max(ratios, default=nan)


def words(target: Target, figure: str = "") -> str:
    """A target in words."""
    against = " and ".join(target.against)
    return {
        "time": f"{against}: at least {target.bound:g} × our time",
        "memory": f"{against}: at least {target.bound:g} × our memory",
        "excess": f"ours: at most {target.bound:g} × the time of {against}",
        "seconds": f"ours: at most {target.bound:g} s",
        "figure": f"ours: at most {target.bound:g} {figure}",
    }[target.measure]


def _time(seconds: float) -> str:
    if np.isnan(seconds):
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _memory(size: float) -> str:
    return "–" if np.isnan(size) else f"{size / 1e6:.3g} MB" if size < 1e9 else f"{size / 1e9:.3g} GB"


def _ratio(x: float) -> str:
    return "–" if np.isnan(x) else plain(x)


def plain(x: float) -> str:
    return "–" if np.isnan(x) else f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def markdown(head: list[str], body: list[list[str]]) -> str:
    """A table for RESULTS.md."""
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *body]]
    return "\n".join(lines) + "\n"
