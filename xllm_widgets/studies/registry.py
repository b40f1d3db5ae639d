"""Studies introduce themselves: section, paper, question, what they need to see, the knobs their signature offers."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib
import inspect
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.studies import progress
from xllm_widgets.studies.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

CHAPTERS = {"in_context_learning": "01", "chain_of_thought": "02", "representation_engineering": "03"}
"""Module of studies → number of the notebook that runs them; the two share their name."""

_STUDIES: dict[str, StudyInfo] = {}


@dataclass(frozen=True)
class Between:
    """Annotation of a numeric knob: `shots: Annotated[int, Between(2, 16, 2)]`. Bounds of the control, both allowed."""

    low: float
    high: float
    step: float = 1


@dataclass(frozen=True)
class Knob:
    """One setting of a study: its name, default, type, and what its annotation says about the values allowed."""

    name: str
    default: Any
    type: Any
    between: Between | None = None
    options: tuple = ()


@dataclass(frozen=True)
class StudyInfo:
    """What a study says about itself."""

    name: str
    section: str
    paper: str
    question: str
    needs: frozenset[str]
    chapter: str
    function: Callable

    @property
    def knobs(self) -> list[Knob]:
        """The keyword settings, read from the signature: the one place where defaults and bounds are written."""
        hints = typing.get_type_hints(self.function, include_extras=True)
        parameters = inspect.signature(self.function).parameters.values()
        return [_knob(p, hints.get(p.name, Any)) for p in parameters if p.kind is p.KEYWORD_ONLY]


def study(*, section: str, paper: str, question: str, needs: frozenset[str] | set[str]) -> Callable:
    """Register a function of a model and keyword knobs as a study.

    The function stays a plain function. Calling it also refuses, in one sentence, a model that lacks a sight the study
    needs (MissingSight) and a knob that does not exist (XllmError), and stamps the evidence with its provenance.
    """

    def register(function: Callable[..., Evidence]) -> Callable[..., Evidence]:
        chapter = CHAPTERS.get(function.__module__.rsplit(".", 1)[-1], "")
        info = StudyInfo(function.__name__, section, paper, question, frozenset(needs), chapter, function)

        @functools.wraps(function)
        def run(lm, **knobs) -> Evidence:
            settings = check_call(info, lm, knobs)
            with progress.joined() as watcher:
                watcher.stage = lm.name
                place = memory_of(info, lm, settings, watcher.memory)
                if place is not None and place.exists():
                    return Evidence.load(place)
                evidence = function(lm, **knobs)
                notes = list(dict.fromkeys(evidence.notes + watcher.notes))
                evidence = replace(evidence, knobs=settings, notes=notes, provenance=provenance(lm))
                if place is not None and not watcher.stopped:
                    evidence.save(place)
            return evidence

        run.info = info  # type: ignore[attr-defined]
        _STUDIES[info.name] = info
        return run

    return register


def check_call(info: StudyInfo, lm, knobs: dict[str, Any]) -> dict[str, Any]:
    """The complete settings of a call, defaults included; raises MissingSight or XllmError in one sentence."""
    missing = sorted(info.needs - lm.sights)
    if missing:
        raise MissingSight(
            f"{info.name} needs {' and '.join(missing)}, which {lm.name} does not offer; "
            "choose a bundled model or one loaded from a folder or a hub."
        )
    known = {knob.name: knob.default for knob in info.knobs}
    unknown = sorted(set(knobs) - set(known))
    if unknown:
        raise XllmError(f"{info.name} has no setting {unknown[0]!r}; its settings are {', '.join(known)}.")
    return known | knobs


def memory_of(info: StudyInfo, lm, settings: dict[str, Any], folder: Path | None) -> Path | None:
    """Where a study's result on these very weights, with these settings and this code, is kept; None where nowhere."""
    if folder is None or not all(isinstance(v, str | int | float | list | tuple | None) for v in settings.values()):
        return None
    weights = weights_hash(lm)
    if weights == "not hashed":
        return None
    return folder / f"{info.name}-{lm.name}-{weights}-{key_of(info, settings)}.json"


def key_of(info: StudyInfo, settings: dict[str, Any]) -> str:
    """Twelve hex digits that change with any setting and with the code of the study."""
    source = inspect.getsource(sys.modules[info.function.__module__])
    return hashlib.sha256(repr((source, sorted(settings.items()))).encode()).hexdigest()[:12]


def provenance(lm) -> dict[str, Any]:
    """Where numbers came from: the model, a hash of its weights, the package's version, the day."""
    return {
        "model": lm.name,
        "parameters": int(lm.n_parameters),
        "weights": weights_hash(lm),
        "dtype": str(lm.dtype),
        "version": _version(),
        "date": datetime.date.today().isoformat(),
    }


def weights_hash(lm, limit: int = 50_000_000) -> str:
    """Twelve hex digits that change with any weight; above `limit` parameters, the hub's commit instead (cheaper)."""
    model = getattr(lm, "hf", None)
    if model is None or lm.n_parameters > limit:
        return str(getattr(getattr(model, "config", None), "_commit_hash", None) or "not hashed")
    weights = model.state_dict()
    if any(tensor.is_meta for tensor in weights.values()):  # accelerate keeps them elsewhere
        return "not hashed"
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def find(name: str) -> StudyInfo:
    """The study of this name; raises XllmError that lists the names there are."""
    _import_all()
    if name not in _STUDIES:
        raise XllmError(f"No study is called {name!r}; there are {', '.join(info.name for info in all_studies())}.")
    return _STUDIES[name]


def run_of(info: StudyInfo) -> Callable[..., Evidence]:
    """The study as it is called, with its checks and its provenance."""
    return getattr(importlib.import_module(info.function.__module__), info.name)


def all_studies() -> list[StudyInfo]:
    """Every registered study, in the order of the survey."""
    _import_all()
    return sorted(_STUDIES.values(), key=lambda info: info.section)


def studies() -> pd.DataFrame:
    """A table of the studies there are: study, section of the survey, paper, question, chapter."""
    import pandas as pd

    columns = ("name", "section", "paper", "question", "chapter")
    rows = [[getattr(info, column) for column in columns] for info in all_studies()]
    return pd.DataFrame(rows, columns=["study", *columns[1:]])


def estimate_seconds(function: Callable, lm, *, parts: int = 2, **knobs) -> float:
    """How long would this call take here? Measured: the first parts are run on this model, then the rest is scaled.

    The first part also warms the model up, so the answer errs on the long side.
    """
    with progress.watch(probe_parts=parts):
        try:
            function(lm, **knobs)
        except progress.Probed as probed:
            return probed.seconds
    return 0.0


def code(function: Callable, model_name: str, knobs: dict[str, Any]) -> str:
    """The few lines that regenerate a result, settings included: what "show me the code" shows.

    A setting that cannot be written down (a table) stands under its own name, for the reader to fill in.
    """
    settings = {knob: written(knob, value) for knob, value in knobs.items()}
    shown = call("evidence", f"xw.{function.__name__}", "lm", settings)
    return f"import xllm_widgets as xw\n\nlm = xw.load({model_name!r})\n{shown}\nevidence\n"


def call(result: str, function: str, first: str, settings: dict[str, str]) -> str:
    """`result = function(first, name=value, …)`, a setting a line where one line would be too long."""
    arguments = [*filter(None, [first]), *(f"{name}={value}" for name, value in settings.items())]
    line = f"{result} = {function}({', '.join(arguments)})"
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return line if len(line) <= 100 else f"{result} = {function}(\n{lines})"


def written(name: str, value: Any) -> str:
    """A value as Python; one that cannot be written down (a table) stands under the name of its setting."""
    return repr(value) if _can_be_written(value) else name


def _can_be_written(value: Any) -> bool:
    if isinstance(value, list | tuple | dict):
        return all(map(_can_be_written, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | int | float | None)


def import_pictures() -> None:
    """Let every chapter, and the sweep, register how its evidence is drawn."""
    importlib.import_module("xllm_widgets.studies.sweep_pictures")
    for module in CHAPTERS:
        importlib.import_module(f"xllm_widgets.studies.{module}_pictures")


def _import_all() -> None:
    for module in CHAPTERS:
        importlib.import_module(f"xllm_widgets.studies.{module}")


def _knob(parameter: inspect.Parameter, hint: Any) -> Knob:
    extras = getattr(hint, "__metadata__", ())
    base = typing.get_args(hint)[0] if extras else hint
    between = next((extra for extra in extras if isinstance(extra, Between)), None)
    options = typing.get_args(base) if typing.get_origin(base) is typing.Literal else ()
    return Knob(parameter.name, parameter.default, base, between, options)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("xllm-widgets")
    except PackageNotFoundError:
        return "checkout"
