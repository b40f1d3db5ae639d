"""A model sits its examination: which abilities fit it, how long that takes, and what comes out."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from xllm_widgets.errors import LabelError, PromptError, XllmError
from xllm_widgets.exam.abilities import EVERY
from xllm_widgets.exam.paper import Ability, Paper
from xllm_widgets.exam.scoring import Result
from xllm_widgets.microworld.corpus import Corpus, base_of
from xllm_widgets.models import bundled_models, load
from xllm_widgets.models.catalogue import bundled_folder
from xllm_widgets.paths import models_dir
from xllm_widgets.studies.progress import watch

T = TypeVar("T")
ITEMS = 500
TRIAL = 8  # items for each ability in the trial by which the time is estimated


def folder_of(model: str) -> Path | None:
    """Where a model's files are: of a bundled one by its name, or the folder itself; None for one from a hub."""
    if model.partition("@")[0] in bundled_models():
        return bundled_folder(model)
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else None


def education(folder: Path | None) -> tuple[Corpus, ...]:
    """What a Pebble has read, the base of a chat model first; empty for a model without a recipe."""
    card = recipe(folder)
    if folder is None or not card:
        return ()
    before: tuple[Corpus, ...] = ()
    if name := base_of(folder.resolve()):
        places = [folder.resolve().parent / name, models_dir() / name]
        before = next((education(place) for place in places if recipe(place)), ())
    return (*before, Corpus.of(folder.resolve()))


def recipe(folder: Path | None) -> dict[str, Any]:
    """A model's `recipe.json`; empty where there is none."""
    path = folder / "recipe.json" if folder else None
    return json.loads(path.read_text("utf-8")) if path and path.is_file() else {}


def paper_for(model: str, n: int = ITEMS, seed: int = 0) -> Paper:
    """Load the model and find out what it has read. Raises ModelNotFound, or XllmError for fewer than one item."""
    if n < 1:
        raise XllmError("An examination needs at least one item for each ability; set --items to 1 or more.")
    return Paper(load(model), education(folder_of(model)), n, seed)


def choose(names: Sequence[str] = ()) -> list[Ability]:
    """The abilities of these names, all when none is given. Raises XllmError, in one sentence, for an unknown name."""
    known = {ability.name: ability for ability in EVERY}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.4)
            hint = f"did you mean {close[0]!r}? There are also" if close else "there are"
            others = ", ".join(sorted(set(known) - set(close)))
            raise XllmError(f"There is no ability {name!r}; {hint} {others}.")
    return [known[name] for name in dict.fromkeys(names)] if names else list(EVERY)


def estimate_seconds(paper: Paper, abilities: Sequence[Ability]) -> float:
    """About how long these will take here, from short questions tried on this machine and each ability's weight."""
    trial = Paper(paper.lm, (), TRIAL, paper.seed)
    short = next(ability for ability in EVERY if ability.name == "deletion")
    short.measure(trial)
    start = time.perf_counter()
    short.measure(trial)
    an_item = (time.perf_counter() - start) / (2 * TRIAL)  # it asks two groups
    return an_item * paper.n * sum(ability.weight for ability in abilities if ability.fits(paper))


def measure(paper: Paper, ability: Ability) -> dict[str, Result]:
    """One ability: "ability" or "ability/group" → result. Ctrl-C goes through."""
    return keyed(ability, whole(ability.measure, paper))


def whole(measure: Callable[[Paper], Mapping[str, T]], paper: Paper) -> Mapping[str, T]:
    """What was measured, or KeyboardInterrupt after a Ctrl-C: half an ability is no result."""
    with watch() as watcher:
        results = measure(paper)
    if watcher.stopped:
        raise KeyboardInterrupt
    return results


def keyed(ability: Ability, groups: Mapping[str, T]) -> dict[str, T]:
    """By "ability/group", or "ability" for the ability as a whole."""
    return {f"{ability.name}/{group}" if group else ability.name: result for group, result in groups.items()}


def sit(
    paper: Paper,
    abilities: Sequence[Ability],
    on_progress: Callable[[Ability, int, int], None] | None = None,
    on_skip: Callable[[Ability, XllmError], None] | None = None,
) -> dict[str, Result]:
    """Measure each ability that fits the model, in the order of the course.

    `on_progress(ability, done, total)` is told before each. Ctrl-C ends early and keeps what was finished. What this
    model cannot be asked (its tokenizer cannot tell two labels apart, its context is too short) is left out and told
    to `on_skip`; without one, the error is raised.
    """
    fitting = [ability for ability in abilities if ability.fits(paper)]
    results: dict[str, Result] = {}
    try:
        for done, ability in enumerate(fitting):
            if on_progress:
                on_progress(ability, done, len(fitting))
            try:
                results |= measure(paper, ability)
            except (LabelError, PromptError) as problem:
                if on_skip is None:
                    raise
                on_skip(ability, problem)
    except KeyboardInterrupt:
        if not results:
            raise
    return results
