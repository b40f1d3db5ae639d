"""The race: every contestant in a process of its own, asked in turn, round after round."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import floor
from .bench import OURS, Benchmark, Case, Contestant, Options, Setting

HERE = Path(__file__).resolve().parent
PATIENCE, ON_A_GPU = 1800.0, 90.0  # seconds after which a contestant that does not answer is given up
ENOUGH = 8.0  # seconds of rounds after which one that runs alone is asked for no more
QUIET = {
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false", "DO_NOT_TRACK": "1",
    "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore",
}  # fmt: skip


@dataclass
class Lap:
    """What one contestant did in one case. `note`: why it did not, if it did not."""

    name: str
    seconds: list[float] = field(default_factory=list)
    peak: float = float("nan")
    figure: float | None = None
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""


class Dropped(Exception):
    """A contestant cannot take part, or not any longer; the message says why."""


class Entrant:
    """The parent's end of one contestant's process."""

    def __init__(self, script: str, contestant: Contestant, setting: Setting, options: Options) -> None:
        self.contestant, self.lap = contestant, Lap(contestant.name)
        self.patience = ON_A_GPU if options.on_gpu else PATIENCE
        python = _interpreter(contestant.environment, options)
        told = json.dumps({**asdict(setting), "folder": str(setting.folder)})
        threads = {name: str(setting.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        self.process = subprocess.Popen(
            [python, str(HERE / "contestant.py"), script, contestant.name, told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=_log(options), text=True,
            env={**os.environ, **QUIET, **threads},
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def hear(self) -> dict[str, Any]:
        """The next answer; Dropped if there is none."""
        try:
            line = self.lines.get(timeout=self.patience)
        except queue.Empty:
            raise Dropped(f"gave no answer within {self.patience / 60:g} minutes") from None
        answer = json.loads(line) if line else {"error": f"ended with code {self.process.wait()}"}
        if "missing" in answer:
            raise Dropped(_how_to_install(answer["missing"], self.contestant.environment))
        if "error" in answer:
            raise Dropped(answer["error"])
        return answer

    def ask(self, words: str) -> dict[str, Any]:
        """Ask for one run and wait for its end."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Dropped(f"ended with code {self.process.wait()}") from None
        return self.hear()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _interpreter(environment: str, options: Options) -> str:
    """Of a peer's environment: named by an option, else by a variable, else the one that runs this."""
    variable = f"XLLM_BENCH_{environment.upper()}"
    return options.interpreters.get(environment) or os.environ.get(variable, "") or sys.executable


def _log(options: Options) -> Any:
    return None if options.verbose else subprocess.DEVNULL


def _how_to_install(module: str, environment: str) -> str:
    if not environment:
        return f"{module} is not installed"
    return (
        f"{module} is not installed: make an environment with `pip install -r benchmarks/peers/{environment}.txt` and "
        f"name its interpreter by --python {environment}=PATH"
    )


def enter(benchmark: Benchmark, case: Case, options: Options, folder: Path) -> list[Entrant]:
    """Start the processes of all who take part in a case; they wait to be asked to prepare. Ours first, floor last."""
    sizes = case.small if options.small else case.sizes
    setting = Setting(folder, options.shape, options.device, options.dtype, options.threads, dict(sizes))
    plans = [(benchmark.name, c) for c in benchmark.contestants if _takes_part(c, case, options)]
    plans += [("common.floor", c) for c in floor.BENCHMARK.contestants if benchmark.work is not None]
    return [Entrant(script, contestant, setting, options) for script, contestant in plans]


def race(entrants: list[Entrant], options: Options, say: Any = print) -> list[Lap]:
    """Run one case: each contestant once to warm up and answer, once to be weighed, then `rounds` times; in turn, or,
    where they do not fit beside each other, one after the other."""
    try:
        (_apart if options.large else _in_turn)(entrants, options, say)
    finally:
        for entrant in entrants:
            entrant.stop()
    return [entrant.lap for entrant in entrants]


def _in_turn(entrants: list[Entrant], options: Options, say: Any) -> None:
    for entrant in entrants:
        say(f"{entrant.lap.name} prepares")
        _guarded(entrant, lambda entrant=entrant: _prepare(entrant))
        if entrant.contestant.name == OURS and entrant.lap.note:
            return  # nothing to compare with
    for turn in range(options.rounds):
        say(f"round {turn + 1} of {options.rounds}")
        _round([entrant for entrant in entrants if not entrant.lap.note], turn)


def _apart(entrants: list[Entrant], options: Options, say: Any) -> None:
    for entrant in entrants:
        lap, started = entrant.lap, time.perf_counter()
        _guarded(entrant, lambda entrant=entrant: _prepare(entrant))
        ready = time.perf_counter() - started
        while not lap.note and len(lap.seconds) < options.rounds and sum(lap.seconds) < ENOUGH:
            _guarded(entrant, lambda entrant=entrant: _time(entrant))
        entrant.stop()  # and leave the device to the next
        told = lap.note or ", ".join(f"{seconds:.4g} s" for seconds in lap.seconds)
        say(f"{lap.name}: {told} (prepared in {ready:.0f} s)")
        if lap.name == OURS and lap.note:
            return


def _takes_part(contestant: Contestant, case: Case, options: Options) -> bool:
    wanted = not options.only or contestant.name in (OURS, *options.only)
    able = options.device.startswith(contestant.device) and (contestant.large or not options.large)
    return wanted and able and (not contestant.cases or case.label in contestant.cases)


def _prepare(entrant: Entrant) -> None:
    """Load, run once and keep the answer, run once more to be weighed."""
    entrant.hear()
    entrant.ask("prepare")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.npz"
        entrant.lap.figure = entrant.ask(f"first {file}").get("figure")
        with np.load(file) as arrays:
            entrant.lap.arrays = dict(arrays)
    entrant.lap.peak = entrant.ask("weigh")["bytes"]


def _round(entrants: list[Entrant], turn: int) -> None:
    """Everyone once, a different one first each time, so that what drifts drifts for all."""
    start = turn % max(1, len(entrants))
    for entrant in entrants[start:] + entrants[:start]:
        _guarded(entrant, lambda entrant=entrant: _time(entrant))


def _time(entrant: Entrant) -> None:
    entrant.lap.seconds.append(entrant.ask("time")["seconds"])


def _guarded(entrant: Entrant, action: Any) -> None:
    try:
        action()
    except Dropped as reason:
        entrant.lap.note = str(reason)
        entrant.stop()


def build_model(options: Options, folder: Path) -> None:
    """Write the model that all contestants read, in a process of its own."""
    command = [sys.executable, "-m", "common.model", str(folder), options.shape, options.dtype, options.device]
    subprocess.run(command, check=True, cwd=HERE.parent, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL)
