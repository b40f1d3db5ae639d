"""What does not fit into memory and cannot be done in smaller batches: said in the package's own words."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..models.batching import halved, ran_out


@contextmanager
def indivisible() -> Iterator[None]:
    """Work on a single row, which no smaller batch could save: raises OutOfMemory where it runs out of memory.

    Whoever runs it for several rows at once may still halve them, as `in_batches` does.
    """
    try:
        yield
        return
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    halved(1, warned=True)  # not in the handler above: the error's frames hold what filled the memory
