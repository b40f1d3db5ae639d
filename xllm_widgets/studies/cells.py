"""One cell of a sweep: which study, on which model, with which settings; in words, so that it travels anywhere."""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import progress, registry

if TYPE_CHECKING:
    from xllm_widgets.models.language_model import LanguageModel

HASHED = 200_000_000  # bytes of weights up to which a model is known by their hash, above it by sizes and dates


@dataclass(frozen=True, eq=False)
class Cell:
    """One call of a study. `varied` are those of its settings that differ between cells, the seed apart."""

    study: str
    model: str
    seed: int | None
    settings: Mapping[str, Any]
    varied: Mapping[str, Any]
    weights: str
    threads: int | None

    @property
    def name(self) -> str:
        """What a person calls it: "pebble-1m, seed 0, shots = 4"."""
        seed = [] if self.seed is None else [f"seed {self.seed}"]
        return ", ".join([self.model, *seed, *(f"{name} = {value}" for name, value in self.varied.items())])

    @property
    def file(self) -> str:
        """Name of the file that keeps its evidence; it changes with the weights, any setting and the study's code."""
        settings = {name: _plainly(value) for name, value in self.settings.items()}
        key = registry.key_of(registry.find(self.study), settings | {"weights": self.weights})
        model = re.sub(r"[^\w.@-]+", "_", self.model).strip("_")
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return f"{self.study}-{model}{seed}-{key}.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a cell: its evidence as JSON, or why there is none. Text alone, which every executor can carry."""

    evidence: str = ""
    failure: str = ""


def measure(cell: Cell) -> Outcome:
    """Run a cell where this is called: in a worker, on a thread, on another machine. Raises nothing but Ctrl-C."""
    outer = progress.current()  # only where no executor lies between
    try:
        study, lm = registry.run_of(registry.find(cell.study)), _model(cell)
        with _threads(cell.threads), progress.watch(should_stop=outer.should_stop if outer else None) as watcher:
            evidence = study(lm, **cell.settings)
        if watcher.stopped:  # half a cell is none
            raise KeyboardInterrupt
        return Outcome(evidence.to_json())
    except Exception as error:  # whatever it was, the other cells must not be lost for it
        return Outcome(failure=reason(error))


def seconds(cell: Cell) -> float:
    """How long a cell would take where this is called, from its first parts; 0 where it cannot be run at all."""
    try:
        study, lm = registry.run_of(registry.find(cell.study)), _model(cell)
        with _threads(cell.threads):
            return registry.estimate_seconds(study, lm, **cell.settings)
    except Exception:  # the cell itself will say why
        return 0.0


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    lines = str(error).strip().splitlines()
    first = lines[0].strip() if lines else ""
    if isinstance(error, XllmError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def size_of(model: str) -> int | str:
    """Models of one size take one time; a name stands for itself where nothing is recorded of it."""
    from xllm_widgets.models.catalogue import recipe

    try:
        return (recipe(model) or {}).get("parameters", model)
    except (XllmError, OSError, ValueError):
        return model


def weights_of(model: str) -> str:
    """Twelve hex digits that change when a local model's files do; nothing for a model that lies on a hub.

    Read without loading the model: the sweep asks before any worker has it.
    """
    from xllm_widgets.models.catalogue import bundled_folder, bundled_models

    try:
        folder = bundled_folder(model) if model.partition("@")[0] in bundled_models() else Path(model).expanduser()
        files = [path for path in sorted(folder.glob("*")) if path.suffix in (".safetensors", ".json")]
    except (XllmError, OSError):
        return ""
    small = sum(path.stat().st_size for path in files) <= HASHED
    digest = hashlib.sha256()
    for path in files:
        about = path.stat()
        digest.update(path.read_bytes() if small else repr((path.name, about.st_size, about.st_mtime_ns)).encode())
    return digest.hexdigest()[:12] if files else ""


class _Held(threading.local):
    """The model a thread of a worker had last: the next cell is mostly about the same one."""

    key: tuple[str, str] | None = None
    lm: LanguageModel | None = None


_held = _Held()


def _model(cell: Cell) -> LanguageModel:
    from xllm_widgets.models import load

    if _held.lm is None or _held.key != (cell.model, cell.weights):
        release()
        _held.lm, _held.key = load(cell.model), (cell.model, cell.weights)
    return _held.lm


def release() -> None:
    """Let go of the model that this thread holds."""
    _held.lm = _held.key = None


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads: workers side by side that each take every core only wait for one another."""
    torch = sys.modules.get("torch")  # what does not lie on this machine needs none
    if count is None or torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plainly(value: Any) -> Any:
    """A setting as the key of a file knows it: itself, or for a table the hash of its contents."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [_plainly(item) for item in value]
    return hashlib.sha256(pickle.dumps(value)).hexdigest()[:12]
