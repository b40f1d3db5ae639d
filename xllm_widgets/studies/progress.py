"""Long work in small parts: progress for who watches, a stop that is heeded between parts, nothing finished lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


class Probed(Exception):
    """Raised by `work_through` when only the cost was wanted: carries the seconds that the whole would take."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class Watcher:
    """Who is told about the work and may stop it: `report(stage, done, total)` after each part, `should_stop()` before.

    With a `memory` folder, what a study measured on a model is kept there and not measured again.
    """

    report: Callable[[str, int, int], None] = lambda stage, done, total: None
    should_stop: Callable[[], bool] = lambda: False
    probe_parts: int = 0
    memory: Path | None = None
    stage: str = ""
    stopped: bool = False
    notes: list[str] = field(default_factory=list)


_WATCHER: ContextVar[Watcher | None] = ContextVar("xllm_watcher", default=None)


@contextmanager
def watch(
    report: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    *,
    probe_parts: int = 0,
    memory: Path | None = None,
) -> Iterator[Watcher]:
    """Every study run inside reports its progress here and stops, between parts, when asked to.

    `report(stage, done, total)`: stage is what is being worked on (often a model's name), done and total count parts.
    """
    watcher = Watcher(probe_parts=probe_parts, memory=memory)
    if report is not None:
        watcher.report = report
    if should_stop is not None:
        watcher.should_stop = should_stop
    token = _WATCHER.set(watcher)
    try:
        yield watcher
    finally:
        _WATCHER.reset(token)


@contextmanager
def joined() -> Iterator[Watcher]:
    """Whoever watches already, or else a watcher of one's own."""
    watcher = current()
    if watcher is not None:
        yield watcher
        return
    with watch() as own:
        yield own


def current() -> Watcher | None:
    """The watcher of the work under way, if anybody watches."""
    return _WATCHER.get()


def work_through(parts: Sequence[Part], work: Callable[[Part], Result], *, completes: bool = False) -> list[Result]:
    """`[work(part) for part in parts]`, except that Ctrl-C or a stop ends early and keeps the finished results.

    Raises KeyboardInterrupt only when nothing was finished; otherwise the watcher notes how far the work came. Work
    that `completes` what was finished (the control of those very items) is done even after a stop: a result without its
    control would be no result.
    """
    watcher, results = current() or Watcher(), []
    started = time.perf_counter()
    try:
        for part in parts:
            if not completes and (watcher.stopped or watcher.should_stop()):
                raise KeyboardInterrupt
            results.append(work(part))
            watcher.report(watcher.stage, len(results), len(parts))
            _probe(watcher, started, len(results), len(parts))
    except KeyboardInterrupt:
        watcher.stopped = True
        watcher.notes.append(f"stopped after {len(results)} of {len(parts)} parts; what was finished is kept")
        if not results:
            raise
    return results


def duration(seconds: float) -> str:
    """74 → "74 s", 600 → "10 min", 9000 → "2.5 h": a rough figure for a person who decides whether to wait."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _probe(watcher: Watcher, started: float, done: int, total: int) -> None:
    if watcher.probe_parts and done >= min(watcher.probe_parts, total):
        raise Probed((time.perf_counter() - started) / done * total)
