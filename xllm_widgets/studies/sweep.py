"""One study over many models, seeds and settings, on any executor; a sweep that was killed goes on where it stopped."""

from __future__ import annotations

import itertools
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import cells, progress, registry
from xllm_widgets.studies.cells import Cell, Outcome
from xllm_widgets.studies.evidence import Evidence
from xllm_widgets.studies.executing import answers
from xllm_widgets.studies.pooling import Run, merge

Failures = dict[str, str]
"""Name of a cell → why it was not measured."""


def sweep(
    study: Callable[..., Evidence] | str,
    *,
    models: Sequence[str],
    seeds: Sequence[int] = (0, 1, 2),
    grid: Mapping[str, Sequence[Any]] | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    threads: int | None = None,
    **knobs: Any,
) -> Evidence:
    """Does it hold for other models, other seeds, other settings? The study in every cell of models × seeds × grid.

        with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as executor:
            xw.sweep(xw.flipped_labels, models=["pebble-1m", "pebble-3m"], grid={"shots": (4, 8)},
                     executor=executor, folder="runs/flips")

    `models`: names for `load`, which happens in the workers. `seeds`: values of the study's knob `seed`. `grid`: knob →
    values to try; other knobs hold for all cells. `executor`: any of `concurrent.futures` (processes, threads, a Dask
    client's `get_executor()`), or None: one cell after another, here. `folder`: where each finished cell is kept as
    Evidence JSON; the same call measures only what is missing there, and anew what has other weights or settings, or
    where the module of the study was changed (of a change elsewhere it knows nothing: then take another folder).
    `threads`: computing threads of each cell, 1 under an executor unless given.

    Gives one Evidence: `table` and `control` with columns model, parameters, seed and the knobs of `grid`; claims
    pooled over the seeds, the sampling unit of their intervals (`pooling.pooled`). The cost is told first. A cell that
    fails is named in the notes and costs no other cell; Ctrl-C keeps the finished ones. Raises XllmError for a setting
    the study lacks and where no cell could be measured, KeyboardInterrupt when stopped before the first was.
    """
    if threads is None and executor is not None:
        threads = 1
    plan = _plan(study, models, seeds, grid or {}, threads, knobs)
    kept = None if folder is None else Path(folder)
    finished, failed = _resumed(plan, kept), Failures()
    with _watched(plan[0].study, len(plan), len(finished)) as watcher:
        try:
            _measure([cell for cell in plan if cell not in finished], executor, kept, watcher, finished, failed)
        except KeyboardInterrupt:
            watcher.stopped = True
        finally:
            cells.release()
    return _merged(plan, finished, failed, {"models": list(models), "seeds": list(seeds), **(grid or {}), **knobs})


def _plan(
    study: Callable[..., Evidence] | str,
    models: Sequence[str],
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[Any]],
    threads: int | None,
    knobs: Mapping[str, Any],
) -> list[Cell]:
    """Every cell, those of one model side by side; XllmError where the call cannot be meant."""
    if isinstance(models, str) or not all(isinstance(model, str) for model in models):
        raise XllmError('Workers load the models themselves: give a list of names, models=["pebble-1m", "gpt2"].')
    info = registry.find(study) if isinstance(study, str) else getattr(study, "info", None)
    if info is None:
        raise XllmError(f"{getattr(study, '__name__', study)} is no study of one model; xw.studies() lists those.")
    known = {knob.name: knob.default for knob in info.knobs}
    for name in (*grid, *knobs):
        if name == "seed" or name not in known:
            advice = "give seeds=…" if name == "seed" else f"its settings are {', '.join(known)}"
            raise XllmError(f"{info.name} cannot be swept with {name!r}; {advice}.")
    _check_values(info.name, {"seeds": seeds, **grid}, knobs)
    _check_travels(info.name, dict(grid) | dict(knobs))
    weights = {model: cells.weights_of(model) for model in models}
    chosen = list(dict.fromkeys(seeds)) if "seed" in known else [None]
    plan = []
    for model, values, seed in itertools.product(weights, itertools.product(*grid.values()), chosen):
        varied = dict(zip(grid, values, strict=True))
        settings = known | dict(knobs) | varied | ({} if seed is None else {"seed": seed})
        plan.append(Cell(info.name, model, seed, settings, varied, weights[model], threads))
    if not plan:
        raise XllmError(f"There is nothing to sweep {info.name} over; give at least one model, seed and value.")
    return plan


def _check_values(study: str, lists: Mapping[str, Any], knobs: Mapping[str, Any]) -> None:
    """XllmError for a single value where several are asked for, and for a setting that is both varied and held."""
    for name, values in lists.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise XllmError(f"{study} is swept over lists, and {name}={values!r} is none; put it in brackets.")
        if name in knobs:
            raise XllmError(f"{study} cannot both vary {name} and hold it; leave one of the two out.")


def _check_travels(study: str, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        try:
            pickle.dumps(value)
        except Exception:  # pickle raises many kinds
            raise XllmError(f"{study} cannot be swept with this {name}: it cannot be sent to a worker.") from None


def _resumed(plan: Sequence[Cell], folder: Path | None) -> dict[Cell, Evidence]:
    """The cells that an earlier sweep left in the folder; a file that cannot be read is measured again."""
    found: dict[Cell, Evidence] = {}
    if folder is None:
        return found
    for cell in plan:
        path = folder / cell.file
        if path.is_file():
            try:
                found[cell] = Evidence.load(path)
            except XllmError:
                continue
    return found


def _measure(
    missing: Sequence[Cell],
    executor: Executor | None,
    folder: Path | None,
    watcher: progress.Watcher,
    finished: dict[Cell, Evidence],
    failed: Failures,
) -> None:
    """Fill `finished` and `failed` as the answers come in; each is on the disk before the next one is looked at."""
    total = len(missing) + len(finished)
    _tell_cost(missing, executor, watcher)
    for cell, answer in answers(executor, cells.measure, missing, watcher.should_stop):
        if isinstance(answer, KeyboardInterrupt):  # Ctrl-C reaches the workers too; the cell is merely missing
            continue
        outcome = answer if isinstance(answer, Outcome) else Outcome(failure=cells.reason(answer))
        if outcome.failure:
            failed[cell.name] = outcome.failure
            _say(f"{cell.name} failed: {outcome.failure}")
        else:
            finished[cell] = Evidence.from_json(outcome.evidence)
            if folder is not None:
                finished[cell].save(folder / cell.file)
        watcher.report(cell.name, len(finished) + len(failed), total)


def _tell_cost(missing: Sequence[Cell], executor: Executor | None, watcher: progress.Watcher) -> None:
    """Measured where the work will be done: the first parts of one cell of each kind (size of model, settings)."""
    kinds: dict[tuple, list[Cell]] = {}
    for cell in missing:
        kinds.setdefault((cells.size_of(cell.model), repr(cell.varied)), []).append(cell)
    counts = {group[0]: len(group) for group in kinds.values()}
    asked = answers(executor, cells.seconds, list(counts), watcher.should_stop)
    total = sum(took * counts[cell] for cell, took in asked if isinstance(took, float))
    if total:
        shared = "" if executor is None else ", shared by the workers"
        about = progress.duration(total)
        _say(
            f"{missing[0].study}: {len(missing)} cells, about {about} of computing{shared}; Ctrl-C keeps what is done."
        )


def _merged(plan: Sequence[Cell], finished: dict[Cell, Evidence], failed: Failures, knobs: dict[str, Any]) -> Evidence:
    """What was finished, in the order of the plan, with a note on what was not."""
    runs = [Run(cell.model, cell.seed, cell.varied, finished[cell]) for cell in plan if cell in finished]
    if not runs and not failed:
        raise KeyboardInterrupt
    if not runs:
        name, why = next(iter(failed.items()))
        raise XllmError(f"None of the {len(plan)} cells could be measured; {name}: {why}")
    whole = merge(runs)
    notes = [f"{name} failed: {why}" for name, why in failed.items()]
    if len(runs) + len(failed) < len(plan):
        notes.append(f"stopped after {len(runs) + len(failed)} of {len(plan)} cells; what was finished is kept")
    return replace(whole, knobs=knobs, notes=whole.notes + notes)


@contextmanager
def _watched(study: str, cells_in_all: int, done: int) -> Iterator[progress.Watcher]:
    """Whoever watches already, or else a bar of one's own."""
    watcher = progress.current()
    if watcher is not None:
        yield watcher
        return
    from tqdm.auto import tqdm

    with tqdm(total=cells_in_all, initial=done, desc=study, unit=" cells") as bar:

        def report(cell: str, done: int, total: int) -> None:
            bar.set_postfix_str(cell, refresh=False)
            bar.update(done - bar.n)

        with progress.watch(report) as own:
            yield own


def _say(text: str) -> None:
    """A line above the bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
