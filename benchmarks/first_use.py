"""Importing the package, and loading the first model: how long until a student sees something?

    python benchmarks/first_use.py [--rounds 5]

Every run is a Python process of its own, which tells the seconds its one statement took and the most memory it had.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Finish, Run, Setting, Target
from common.running import main

TORCH, LOADED = "torch and transformers imported", "transformers, model and tokenizer loaded"
IMPORTS = "import torch; from transformers import AutoModelForCausalLM, AutoTokenizer"
ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import time
started = time.perf_counter()
{}
seconds = time.perf_counter() - started
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
except OSError:
    peak = float("nan")
print(seconds, peak)
"""


def _model(setting: Setting) -> str:
    return "pebble-3m" if setting.sizes["large"] else "pebble-0.1m"


def _afresh(statement: str) -> tuple[Run, Finish]:
    """Run a statement in a new process each time."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

    def run() -> Any:
        command = [sys.executable, "-c", PROGRAM.format(statement)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seconds, peak = map(float, done.stdout.split())
        return {"seconds": seconds, "bytes": peak}

    return run, lambda outcome: {}


def ours(setting: Setting) -> tuple[Run, Finish]:
    load = f"; xllm_widgets.load({_model(setting)!r})" if setting.sizes["load"] else ""
    return _afresh("import xllm_widgets" + load)


def imported(setting: Setting) -> tuple[Run, Finish]:
    return _afresh(IMPORTS)


def loaded(setting: Setting) -> tuple[Run, Finish]:
    folder = repr(str(ROOT / "data" / "models" / _model(setting)))
    calls = [f"{kind}.from_pretrained({folder})" for kind in ("AutoModelForCausalLM", "AutoTokenizer")]
    return _afresh("; ".join([IMPORTS, *calls]))


IMPORT, LOAD = "import xllm_widgets", 'first load("pebble-3m")'
BENCHMARK = Benchmark(
    "first_use",
    "From a new Python process to the package, and to the first model.",
    (
        Case(IMPORT, {"load": 0, "large": 1}, small={"load": 0, "large": 0}),
        Case(LOAD, {"load": 1, "large": 1}, small={"load": 1, "large": 0}),
    ),
    (Contestant(OURS, ours), Contestant(TORCH, imported), Contestant(LOADED, loaded, cases=(LOAD,))),
    (Target(IMPORT, "seconds", 0.3), Target(LOAD, "excess", 1.2, (TORCH,))),
)

if __name__ == "__main__":
    main(BENCHMARK)
