"""One contestant in an interpreter of its own, which stays alive and does its work each time it is asked to.

    python common/contestant.py SCRIPT CONTESTANT SETTING      (SETTING is JSON; started by common.race)

It says that it is there, is then asked by lines on standard input, and answers each by one line of JSON: `prepare`
loads the model, `first FILE` runs once and leaves the answer's arrays in FILE, `weigh` measures memory, `time` measures
seconds. What the libraries print goes to standard error. Runs in the interpreters of peers, so it imports nothing but
the standard library and numpy.
"""

import contextlib
import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent
sys.path[0] = str(FOLDER)
sys.path.insert(1, str(FOLDER.parent))  # this checkout is what is measured, whatever is installed


class Memory:
    """Most memory in use during a run beyond what was in use before it, bytes; NaN where it cannot be told."""

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")

    def start(self) -> None:
        gc.collect()
        if self.cuda:
            import torch

            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
            return
        _give_memory_back()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self.before = _status("VmRSS")

    def stop(self) -> float:
        if self.cuda:
            import torch

            return torch.cuda.max_memory_allocated() - self.before
        return _status("VmHWM") - self.before


def _give_memory_back() -> None:
    """What the allocator keeps for later would hide what a run needs."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith(field + ":")), float("nan"))


def _synchronize(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


class Worker:
    """Holds a contestant's prepared work, and answers."""

    def __init__(self, script: str, name: str, setting: dict[str, Any]) -> None:
        from common.bench import Setting

        self.setting = Setting(**{**setting, "folder": Path(setting["folder"])})
        module = importlib.import_module(script)
        chosen = next(c for c in module.BENCHMARK.contestants if c.name == name)
        made = chosen.make(self.setting)
        self.run, self.finish = made if isinstance(made, tuple) else (made, lambda outcome: {"values": outcome})

    def answer(self, word: str, rest: str) -> dict[str, Any]:
        """Do what a line asks."""
        known: dict[str, Callable[[str], dict[str, Any]]] = {
            "first": self._first,
            "weigh": self._weigh,
            "time": self._time,
        }
        return known[word](rest)

    def _first(self, file: str) -> dict[str, Any]:
        import numpy as np

        arrays = self.finish(self.run())
        np.savez(file, **{k: v for k, v in arrays.items() if v is not None and k != "figure"})
        return {"figure": arrays.get("figure")}

    def _weigh(self, _: str) -> dict[str, Any]:
        memory = Memory(self.setting.device)
        memory.start()
        outcome = self.run()
        _synchronize(self.setting.device)
        told = outcome.get("bytes") if isinstance(outcome, dict) else None
        return {"bytes": memory.stop() if told is None else told}

    def _time(self, _: str) -> dict[str, Any]:
        gc.collect()
        _synchronize(self.setting.device)
        started = time.perf_counter()
        outcome = self.run()
        _synchronize(self.setting.device)
        seconds = time.perf_counter() - started
        told = outcome.get("seconds") if isinstance(outcome, dict) else None
        return {"seconds": seconds if told is None else told}


def _safely(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or what is missing, or what went wrong, in a line."""
    try:
        return action()
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    except Exception as error:  # whatever a library can raise is told, and the others go on
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0][:200]}"}


def main() -> None:
    """Prepare, then serve."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    script, name, setting = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    made: list[Worker] = []

    def answer(word: str, rest: str) -> dict[str, Any]:
        if word != "prepare":
            return made[0].answer(word, rest)
        made.append(Worker(script, name, setting))
        return {}

    def say(reply: dict[str, Any]) -> None:
        print(json.dumps(reply), file=answers, flush=True)

    say(_safely(lambda: _begin(setting)))
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        say(_safely(lambda word=word, rest=rest: answer(word, rest)))


def _begin(setting: dict[str, Any]) -> dict[str, Any]:
    """Keep to one's cores; beside a GPU there is nothing to share, and imports can be made before one's turn."""
    if not setting["device"].startswith("cuda"):
        _choose_cores(setting["threads"])
        return {}
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401
        from transformers import AutoTokenizer, LlamaForCausalLM  # noqa: F401
    return {}


def _choose_cores(threads: int) -> None:
    """Stay on the last cores there are (the first serves the machine), one a thread."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


if __name__ == "__main__":
    main()
