"""What a benchmark is made of. Nothing is imported here: these words are read by every contestant's interpreter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = "xllm_widgets"
LARGE = ("7b",)  # shapes


@dataclass(frozen=True)
class Setting:
    """What a contestant is told: where the model lies, on what to compute, and how much work there is."""

    folder: Path
    shape: str
    device: str
    dtype: str
    threads: int
    sizes: dict[str, int]


Run = Callable[[], Any]
Finish = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class Contestant:
    """One way to do the work.

    `make(setting)` prepares everything that is not measured and returns `run`, or (`run`, `finish`): `run()` does the
    work once and is measured; `finish(outcome)` turns what it returned into arrays, `values` to be compared with ours,
    or with `reference` where it brings its own. `environment`: whose interpreter is needed, one of peers/*.txt; "" for
    the one at hand. `cases`: labels of the cases it takes part in, all if empty. `device`: the one kind that it is
    for. `large`: whether it takes part where the model is too large for patience.
    """

    name: str
    make: Callable[[Setting], Run | tuple[Run, Finish]]
    environment: str = ""
    cases: tuple[str, ...] = ()
    device: str = ""
    large: bool = True


@dataclass(frozen=True)
class Case:
    """One amount of work; `small` is the same in little, for a quick look at whether everything runs.

    `large`: whether it is for large models alone (True), for all but them (False), or for all (None).
    """

    label: str
    sizes: dict[str, int]
    small: dict[str, int]
    large: bool | None = None


@dataclass(frozen=True)
class Target:
    """What is to be reached against one contestant or the best of several, in one case.

    `measure` is "time" or "memory" (theirs over ours, at least `bound`), "excess" (our time over theirs, at most
    `bound`; the contestant may be "floor"), "seconds" (ours) or "figure" (what our run counted), at most `bound`.
    """

    case: str
    measure: str
    bound: float
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """A hot path: the question, the amounts of work, who takes part and what is to be reached.

    `work(sizes)` gives the tokens that must go through the blocks and the rows that must reach the output layer,
    forward passes' worth (a backward pass to the embeddings costs as much as a forward pass); None where no floor can
    be named. `figure`: what the number that a run counts is called.
    """

    name: str
    question: str
    cases: tuple[Case, ...]
    contestants: tuple[Contestant, ...]
    targets: tuple[Target, ...] = ()
    work: Callable[[dict[str, int]], tuple[float, float]] | None = None
    figure: str = ""


@dataclass
class Options:
    """How to run: see `common.options`."""

    rounds: int = 5
    device: str = "cpu"
    dtype: str = "float32"
    shape: str = "6m"
    threads: int = 1
    small: bool = False
    verbose: bool = False
    only: tuple[str, ...] = ()
    interpreters: dict[str, str] = field(default_factory=dict)

    @property
    def large(self) -> bool:
        """Is the model too large to be written to a file, and to lie on a device several times?"""
        return self.shape in LARGE

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")
