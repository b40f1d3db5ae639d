"""Measure every claim over the whole bundled family, and keep the evidence that ships with the package.

    python scripts/record_evidence.py [--section 4.1.1]

The cost is told first. What was measured on one model is remembered by its weights, its settings and the study's code,
so after a Ctrl-C, or when one model was educated anew, the same command measures only what is missing.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from xllm_widgets import claims, paths
from xllm_widgets.models import load
from xllm_widgets.studies import registry
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.progress import watch

DIGITS = 5  # significant ones that are kept of each number


def unmeasured(planned: Sequence[claims.Measurement], memory: Path) -> list[claims.Measurement]:
    """The plan without the runs that are remembered already: what the cost is estimated for."""

    def is_known(study, model, knobs) -> bool:
        lm = load(model)
        place = registry.memory_of(study.info, lm, registry.check_call(study.info, lm, knobs), memory)
        return place is not None and place.exists()

    return [replace(each, parts=[part for part in each.parts if not is_known(*part)]) for each in planned]


def record(planned: Sequence[claims.Measurement], folder: Path, memory: Path) -> Iterator[tuple[Evidence, Path]]:
    """Each measurement's evidence as soon as it is complete, kept in `folder`; an unfinished one is not kept."""
    for measurement in planned:
        with watch(_tell(measurement.name), memory=memory) as watcher:
            evidence = measurement.run()
        if watcher.stopped:
            raise KeyboardInterrupt
        yield evidence, compact(evidence).save(folder / f"{measurement.name}.json")


def compact(evidence: Evidence) -> Evidence:
    """The evidence with its numbers cut to DIGITS: files a tenth the size that draw the same picture."""
    return replace(evidence, table=_cut(evidence.table), control=_cut(evidence.control))


def _cut(table: pd.DataFrame) -> pd.DataFrame:
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: [float(f"{value:.{DIGITS}g}") for value in table[name]] for name in floats})


def _tell(name: str):
    last = [0.0]

    def report(stage: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] > 20 or done == total:
            last[0] = time.monotonic()
            print(f"  {name}: {stage} {done}/{total}", file=sys.stderr, flush=True)

    return report


@contextmanager
def _stopping_well() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from here.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", help="a section of the survey, 4.1.1 or 4.1; all if left out")
    section = parser.parse_args().section
    memory = paths.cache_dir() / "evidence"
    planned = claims.measurements(section)
    with _stopping_well():
        seconds = claims.estimate(unmeasured(planned, memory))
        print(f"{', '.join(each.name for each in planned)}: about {seconds / 60:.0f} min here.", file=sys.stderr)
        for evidence, path in record(planned, paths.evidence_dir(), memory):
            print(f"{path.name}, {path.stat().st_size / 1e3:.0f} kB\n{evidence.describe()}\n")


if __name__ == "__main__":
    main()
