"""Many calls on a `concurrent.futures` executor, or one after another without one: answers as they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")

POLL = 0.2  # seconds between looks at whether the answers are still wanted
GONE = "the executor cancelled it"


def answers(
    executor: Executor | None, work: Callable[[Job], Answer], jobs: Sequence[Job], stop: Callable[[], bool]
) -> Iterator[tuple[Job, Answer | BaseException]]:
    """Each job with what `work` gave for it, or with the error that the executor met (a worker that died).

    `stop` is asked between answers. When it says yes, or at Ctrl-C (raised again), what has not begun is cancelled; of
    what has, the answers at hand are still given.
    """
    if executor is None:
        for job in jobs:
            if stop():
                return
            yield job, work(job)
        return
    futures: dict[Future[Answer], Job] = {_submit(executor, work, job): job for job in jobs}
    waiting, interrupted = set(futures), False
    while waiting:
        try:
            done, waiting = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
            stopped = stop()
        except KeyboardInterrupt:
            stopped = interrupted = True
            done = {future for future in waiting if future.done()}
        if stopped:
            for future in waiting - done:
                future.cancel()
            waiting = set()
        for future in done:
            yield futures[future], RuntimeError(GONE) if future.cancelled() else future.exception() or future.result()
    if interrupted:
        raise KeyboardInterrupt


def _submit(executor: Executor, work: Callable[[Job], Answer], job: Job) -> Future[Answer]:
    try:
        return executor.submit(work, job)
    except Exception as error:  # an executor that broke or was shut down takes no more jobs
        refused: Future[Answer] = Future()
        refused.set_exception(error)
        return refused
