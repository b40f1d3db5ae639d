"""What does our way spend its time on? Shares by kind of operation, from torch's profiler: no race, no peer.

    python benchmarks/where_time_goes.py shared_prefix integrated_gradients

Each operation is counted without those it calls; what remains of the measured time is Python's, the dispatcher's and
the profiler's own. Run it where a target was missed: what lies beyond the matrix products, the floor does not count.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common.bench import OURS, Benchmark, Case, Options, Setting
from common.race import build_model
from rich.console import Console
from rich.table import Table
from run import NAMES

KINDS = ("matrix products", "attention", "other operations")
REST = "Python and dispatch"
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "addbmm"}


def kind(operation: str) -> str:
    """Of one of torch's operations; a fused attention kernel counts as attention, whatever it multiplies."""
    name = operation.removeprefix("aten::")
    return KINDS[1] if "attention" in name else KINDS[0] if name in PRODUCTS else KINDS[2]


def profile(run: Callable[[], Any]) -> dict[str, float]:
    """Seconds of one run by kind; warmed up before."""
    run()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        started = time.perf_counter()
        run()
        whole = time.perf_counter() - started
    shares = dict.fromkeys(KINDS, 0.0)
    for event in seen.key_averages():
        if event.key.startswith("aten::"):
            shares[kind(event.key)] += event.self_cpu_time_total / 1e6
    return {**shares, REST: whole - sum(shares.values())}


def ours(benchmark: Benchmark, case: Case, folder: Path, small: bool) -> Callable[[], Any]:
    """Our contestant's work, prepared."""
    sizes = dict(case.small if small else case.sizes)
    setting = Setting(folder, "tiny" if small else "6m", "cpu", "float32", 1, sizes)
    made = next(c for c in benchmark.contestants if c.name == OURS).make(setting)
    return made[0] if isinstance(made, tuple) else made


def main() -> None:
    """Profile what was asked for, and print one row a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = [name for name in NAMES if importlib.import_module(name).BENCHMARK.work is not None]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(choice)}; all if left out")
    parser.add_argument("--small", action="store_true", help="the same work in little: does everything run?")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(choice)):
        parser.error(f"there is nothing to profile under {unknown[0]!r}; choose of {', '.join(choice)}")
    torch.set_num_threads(1)
    table = Table("hot path", "case", "time", *KINDS, REST)
    with tempfile.TemporaryDirectory() as place:
        build_model(Options(shape="tiny" if asked.small else "6m"), Path(place))
        for name in asked.names or choice:
            benchmark = importlib.import_module(name).BENCHMARK
            for case in benchmark.cases:
                seconds = profile(ours(benchmark, case, Path(place), asked.small))
                whole = sum(seconds.values())
                table.add_row(name, case.label, f"{whole:.2f} s", *(f"{part / whole:.0%}" for part in seconds.values()))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
