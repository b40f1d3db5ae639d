"""The command line that all benchmarks share: options in, tables on the terminal and in a file out."""

import argparse
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import machine, report
from .bench import OURS, Benchmark, Case, Options
from .model import SHAPES
from .race import Entrant, build_model, enter, race

INTRODUCTION = """# Our figures beside the peers'

Each contestant runs in a process of its own that stays alive; in every round each does the same work once, in turn, so
that a machine that slows down slows down for all. Times are medians; ratios are medians of the rounds' ratios to ours,
so more than 1 is slower, or hungrier, than ours. Memory is the most that a run needs beyond what was in use before it.
The largest difference is relative to the largest value of the reference: our answer, or, for samples, which differ by
nature, a plain forward pass over the same tokens. The floor is what the model's matrices alone would cost: two
operations for each weight that a token must pass, at the rate measured for matrices of these shapes in the same round;
attention is not counted in it.
"""
ALONE = "turns: each contestant has the device to itself for all its rounds, since several do not fit beside each other"
NOT_JUDGED = "The targets are about two cores of a CPU; on a GPU nothing is judged by them.\n"


def options(arguments: list[str] | None = None, names: tuple[str, ...] = ()) -> tuple[Options, argparse.Namespace]:
    """What was asked for; `names`: the benchmarks to choose from, if there is a choice."""
    parser = argparse.ArgumentParser(description="Measure our way beside the obvious idiom and the peers.")
    if names:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all if left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="6m")
    parser.add_argument("--threads", type=int, default=1, help="threads of each contestant, and the cores it stays on")
    parser.add_argument("--small", action="store_true", help="the same work in little: does everything run?")
    parser.add_argument("--verbose", action="store_true", help="show what the libraries print")
    parser.add_argument("--only", action="append", default=[], metavar="CONTESTANT", help="beside ours; repeatable")
    parser.add_argument(
        "--python", action="append", default=[], metavar="ENVIRONMENT=PATH", help="a peer's interpreter"
    )
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(getattr(asked, "names", ())) - set(names)):
        parser.error(f"there is no benchmark {unknown[0]!r}; choose of {', '.join(names)}")
    told = {f.name: getattr(asked, f.name) for f in fields(Options) if f.name not in ("only", "interpreters")}
    interpreters = dict(_environment(word, parser) for word in asked.python)
    return Options(**told, only=tuple(asked.only), interpreters=interpreters), asked


def _environment(word: str, parser: argparse.ArgumentParser) -> tuple[str, str]:
    """ "recent=/path/to/python" → its two halves; ends the program in one sentence where they make no sense."""
    name, _, path = word.partition("=")
    known = sorted(file.stem for file in (Path(__file__).resolve().parent.parent / "peers").glob("*.txt"))
    if name not in known:
        parser.error(f"--python wants NAME=PATH with a name of {', '.join(known)}, not {word!r}")
    if shutil.which(path) is None:
        parser.error(f"there is no interpreter {path!r} for {name}")
    return name, path


def run(benchmarks: list[Benchmark], chosen: Options, out: Path | None = None) -> bool:
    """Run them one after the other; what is finished is printed, and written, at once. Did our way run in all?"""
    console, parts, judged, complete = Console(width=150), [], [], True
    told = [f"command: `{machine.command()}`", *machine.describe(chosen)]
    told += [f"processes at work before the first race: {machine.load()}", f"rounds: {chosen.rounds}"]
    with tempfile.TemporaryDirectory() as folder:
        build_model(chosen, Path(folder))
        for benchmark, case, entrants in _fields(benchmarks, chosen, Path(folder)):
            found, verdicts = _one(benchmark, case, entrants, chosen, console)
            _print(benchmark, case, found, verdicts, console)
            complete &= not found[0].note
            parts.append(_section(benchmark, case, found))
            judged += [[benchmark.name, *verdict.cells()] for verdict in verdicts]
            if out is not None:
                out.write_text(_document(told, parts, judged, chosen), encoding="utf-8")
    return complete


def _fields(
    benchmarks: list[Benchmark], chosen: Options, folder: Path
) -> Iterator[tuple[Benchmark, Case, list[Entrant]]]:
    """Every case with its entrants' processes. Those that will take turns on a GPU are started together: what they
    import, they import at once."""
    cases = [(b, case) for b in benchmarks for case in b.cases if case.large in (None, chosen.large)]
    ahead = [enter(b, case, chosen, folder) for b, case in cases] if chosen.large and chosen.on_gpu else []
    try:
        for number, (benchmark, case) in enumerate(cases):
            yield benchmark, case, ahead[number] if ahead else enter(benchmark, case, chosen, folder)
    finally:
        for entrant in itertools.chain(*ahead):
            entrant.stop()


def _one(
    benchmark: Benchmark, case: Case, entrants: list[Entrant], chosen: Options, console: Console
) -> tuple[list, list]:
    """Rows and verdicts of one case; without ours there is nothing to compare with. On a GPU nothing is judged."""
    where = f"{benchmark.name}, {case.label}"
    with console.status("…") as status:
        tell = console.out if chosen.large else status.update
        laps = race(entrants, chosen, lambda words: tell(f"{where}: {words}"))
    ours = next(lap for lap in laps if lap.name == OURS)
    found = [report.Row(OURS, *[float("nan")] * 6, note=ours.note)] if ours.note else []
    found = found or report.rows(benchmark, case, laps, chosen)
    return found, [] if chosen.on_gpu else report.verdicts(benchmark, case, [] if ours.note else found, ours)


def _print(benchmark: Benchmark, case: Case, found: list, verdicts: list, console: Console) -> None:
    head, *body = report.table(benchmark, found)
    table = Table(*head, title=f"{benchmark.name} · {case.label}", title_justify="left")
    for cells in body:
        table.add_row(*cells)
    console.print(table)
    for line in _skipped(found):
        console.print(f"  skipped: {line}", markup=False)
    for verdict in verdicts:
        console.print(f"  {verdict.word}: {verdict.words}; measured {report.plain(verdict.measured)}", markup=False)


def _skipped(found: list) -> list[str]:
    return [f"{row.name}: {row.note}" for row in found if row.note]


def _section(benchmark: Benchmark, case: Case, found: list) -> str:
    head, *body = report.table(benchmark, found)
    table = report.markdown(head, body)
    skipped = "".join(f"\nSkipped: {line}\n" for line in _skipped(found))
    return f"## {benchmark.name} · {case.label}\n\n{benchmark.question}\n\n{table}{skipped}"


def _document(told: list[str], parts: list[str], judged: list[list[str]], chosen: Options) -> str:
    facts = "".join(f"- {line}\n" for line in [*told, ALONE] if line is not ALONE or chosen.large)
    targets = report.markdown(["benchmark", "case", "target", "measured", ""], judged)
    return "\n".join([INTRODUCTION, facts, "## Targets\n", NOT_JUDGED if chosen.on_gpu else targets, *parts])


def main(benchmark: Benchmark) -> None:
    """One benchmark from its own script."""
    chosen, asked = options()
    raise SystemExit(not run([benchmark], chosen, asked.out))
