"""Every claim of a section of the survey, measured on this machine or as it was recorded: what `xllm claims` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.registry import StudyInfo, all_studies, estimate_seconds, run_of

if TYPE_CHECKING:
    from xllm_widgets.models.language_model import LanguageModel
    from xllm_widgets.studies.evidence import Evidence

ITEMS = 500
"""Questions behind a published accuracy; a study whose knob allows fewer keeps its own default."""

RECORDED: dict[str, dict[str, Any]] = {
    "worked_answers": {},  # every question is answered in a whole worked reply: their own, smaller number of trials
    "faulty_reasoning": {},
    "reading_vectors": {"trials": 240},
    "control_vectors": {"trials": 80, "texts": 24},  # more, and its table outgrows the wheel: every item is a row
    "truth_directions": {"trials": 120},
}
"""Settings behind the published claims of studies whose `trials` are no questions answered in a word: chapters 02 and
03 then take some five minutes of one core each over the family."""

LADDER = ("flipped_labels", "unrelated_labels")
"""The studies whose claims are about scale: over the whole family they are read together."""


@dataclass(frozen=True)
class Measurement:
    """Something that gives evidence when run, and the single runs it consists of: (study, model, knobs)."""

    name: str
    run: Callable[[], Evidence]
    parts: Sequence[tuple[Callable[..., Evidence], LanguageModel | str, dict[str, Any]]]


def measurements(section: str | None = None, model: str | None = None) -> list[Measurement]:
    """What has to be measured for the claims of a section: on one model, or over the whole bundled family.

    Raises XllmError for a section without studies, ModelNotFound for a model that is nowhere.
    """
    chosen = [info for info in all_studies() if _within(info.section, section)]
    if not chosen:
        known = ", ".join(sorted({info.section for info in all_studies()}))
        raise XllmError(f"No study belongs to section {section!r}; there are studies for {known}.")
    return _on_one_model(chosen, model) if model else _over_the_family(chosen)


def recorded(section: str | None = None, model: str | None = None) -> list[Evidence]:
    """The evidence shipped with the package, its claims narrowed to a section and a model.

    Raises XllmError when none was shipped for them.
    """
    from xllm_widgets.paths import evidence_dir
    from xllm_widgets.studies.evidence import Evidence

    evidence = [Evidence.load(path) for path in sorted(evidence_dir().glob("**/*.json"))]
    for each in evidence:
        here = [claim for claim in each.claims if _within(claim.section, section)]
        each.claims = [claim for claim in here if model in (None, claim.model)]
    told = [each for each in evidence if each.claims]
    if not told:
        asked = [section and f" for section {section}", model and f" on {model}"]
        what = "".join(filter(None, asked))
        raise XllmError(f"No evidence was recorded{what}; leave out --recorded to measure it here.")
    return told


def estimate(planned: Sequence[Measurement]) -> float:
    """Seconds that the measurements will take here, from the first parts of each study on one model of each size."""
    from xllm_widgets.models import load

    seconds: dict[str, float] = {}
    total = 0.0
    for study, model, knobs in (part for measurement in planned for part in measurement.parts):
        kind = f"{study.__name__} {_size(model)} {knobs}"
        if kind not in seconds:
            seconds[kind] = estimate_seconds(study, load(model) if isinstance(model, str) else model, **knobs)
        total += seconds[kind]
    return total


def _size(model: LanguageModel | str) -> int | str:
    """Models of one size take one time; a name stands for itself where nothing is recorded of it."""
    from xllm_widgets.studies.cells import size_of

    return size_of(model) if isinstance(model, str) else model.n_parameters


def _within(section: str, wanted: str | None) -> bool:
    """4.1.1 lies within 4.1 and 4, not within 4.11."""
    return wanted is None or section == wanted or section.startswith(f"{wanted}.")


def _knobs(info: StudyInfo) -> dict[str, Any]:
    """Its own of RECORDED, else ITEMS trials where the study allows so many, its own defaults otherwise."""
    if info.name in RECORDED:
        return RECORDED[info.name]
    allows = any(knob.name == "trials" and (knob.between is None or knob.between.high >= ITEMS) for knob in info.knobs)
    return {"trials": ITEMS} if allows else {}


def _on_one_model(chosen: Sequence[StudyInfo], name: str) -> list[Measurement]:
    from xllm_widgets.models import load

    lm = load(name)
    plans = [(info, run_of(info), _knobs(info)) for info in chosen]
    return [Measurement(info.name, partial(study, lm, **knobs), [(study, lm, knobs)]) for info, study, knobs in plans]


def _over_the_family(chosen: Sequence[StudyInfo]) -> list[Measurement]:
    """Claims about scale over every bundled model and checkpoint; what has no such claim, on each size in turn."""
    on_the_ladder = [info for info in chosen if info.name in LADDER]
    climbs = [_ladder(on_the_ladder), *_emergence(on_the_ladder)] if len(on_the_ladder) == len(LADDER) else []
    return [*climbs, *(_on_each_size(info) for info in chosen if not climbs or info not in on_the_ladder)]


def _ladder(rungs: Sequence[StudyInfo]) -> Measurement:
    from xllm_widgets.studies.scale import family, label_override_ladder

    runs = [(run_of(info), member.name, {"trials": ITEMS}) for member in family() for info in rungs]
    return Measurement("label_override_ladder", partial(label_override_ladder, trials=ITEMS), runs)


def _emergence(rungs: Sequence[StudyInfo]) -> list[Measurement]:
    """Over the checkpoints of the model that has them; nothing where none has."""
    from xllm_widgets.models import bundled_models, checkpoints
    from xllm_widgets.studies.scale import emergence

    name = next((name for name in bundled_models() if checkpoints(name)), None)
    if name is None:
        return []
    ages = [*(f"{name}@{age}" for age in checkpoints(name)), name]
    ends = {"flipped_labels": {"flipped": (0, 1)}}  # the order of emergence needs no shares in between
    runs = [(run_of(info), age, {"trials": ITEMS} | ends.get(info.name, {})) for age in ages for info in rungs]
    return [Measurement("emergence", partial(emergence, name, trials=ITEMS), runs)]


def _on_each_size(info: StudyInfo) -> Measurement:
    from xllm_widgets.studies.scale import family, first_seeds, over_models

    study, knobs = run_of(info), _knobs(info)
    names = [member.name for member in first_seeds(family())]
    return Measurement(info.name, partial(over_models, study, names, **knobs), [(study, name, knobs) for name in names])
