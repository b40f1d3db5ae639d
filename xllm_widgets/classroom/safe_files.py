"""Files that are whole at every moment: one writer at a time, and the old text stands until the new one is complete."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from xllm_widgets.errors import XllmError

PATIENCE = 10.0  # seconds to wait for another program that writes
BLINK = 0.005  # seconds between two tries
_HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _give_back(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _give_back(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def alone(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Inside, no other process or thread is inside with the same lock file `path`; a killed holder lets go of it.

    Waits `patience` seconds. Raises XllmError if another still holds it then, OSError if the folder cannot be used.
    """
    with open(path, "a+b") as file:
        _wait_for(file, path, patience)
        try:
            yield
        finally:
            _give_back(file)


def _wait_for(file: BinaryIO, path: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            return _take(file)
        except OSError as held:
            if held.errno not in _HELD_BY_ANOTHER:
                raise
        if time.monotonic() > end:
            raise XllmError(f"Another program has held {path.parent} for {patience:g} s; close it and try again.")
        time.sleep(BLINK)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that whoever reads it, or whatever kills us, finds the old text or the new, never a part.

    Two writers of one file must take turns (`alone`): they share the draft, so that a killed one leaves no litter.
    Raises OSError where the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
