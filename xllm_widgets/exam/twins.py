"""Twins beside their bases: both are put the same items, and what an education changed is a difference of pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.exam.paper import Ability, Paper
from xllm_widgets.exam.scoring import Result
from xllm_widgets.exam.sitting import choose, folder_of, keyed, paper_for, recipe, whole
from xllm_widgets.models import bundled_models
from xllm_widgets.studies.paired import paired_difference
from xllm_widgets.studies.statistics import bootstrap_mean, over_seeds

USUAL = ("base", "chat")  # the recipes that others are twins of
ABOUT = {
    "two-way": ("reversal",),
    "deleted": ("deletion",),
    "faithful": ("grounding",),
    "unfaithful-30": ("grounding",),
    "unfaithful-60": ("grounding",),
    "no-neighbours": ("companions",),
    "shuffled-names": ("summaries",),
    "repeated-10": ("fresh-documents", "copying"),
    "repeated-100": ("fresh-documents", "copying"),
    "repeated-1000": ("fresh-documents", "copying"),
}
"""Recipe → the abilities for whose sake it is taught."""


@dataclass(frozen=True)
class Pair:
    """Two models, by name or folder: alike in size, seed and tokens read, but not in what they were taught."""

    base: str
    twin: str


class Change(NamedTuple):
    """What became of one group of items, from all bases to all twins. `n` items, the same for every seed.

    difference: twin minus base, with its 95 % interval.
    """

    base: float
    twin: float
    difference: Result
    n: int


def pair(twins: Sequence[str]) -> list[Pair]:
    """Each twin with the bundled base of its size, seed and number of tokens; an assistant's is an assistant.

    Raises XllmError, in one sentence, for a model of unknown education or a base itself, for twins of more than one
    recipe or size or two of one seed, and where there is no such base.
    """
    taught = {twin: _education(twin) for twin in twins}
    if len({(card["recipe"], card["size"]) for card in taught.values()}) > 1:
        raise XllmError(
            "These twins differ in more than the seed of their training; name those of one recipe and size."
        )
    if len({card["seed"] for card in taught.values()}) < len(twins):
        raise XllmError("Two of these twins are of one training seed; a second look at it would tell nothing new.")
    cards = {name: recipe(folder_of(name)) for name in bundled_models()}
    bases = {_kin(card): name for name, card in cards.items() if card.get("recipe") in USUAL}
    return [Pair(_base(bases, twin, card), twin) for twin, card in taught.items()]


def _education(twin: str) -> dict[str, Any]:
    card = recipe(folder_of(twin))
    if not card:
        raise XllmError(
            f"Nobody knows what {twin} was taught: a twin is a Pebble, with a recipe.json beside its weights."
        )
    if card["recipe"] in USUAL:
        raise XllmError(f"{twin} is no twin of a base; name one, such as pebble-0.3m-deleted (see `xllm models`).")
    return card


def _kin(card: Mapping[str, Any]) -> tuple[Any, ...]:
    return card["size"], card["seed"], card["tokens"], card.get("begins_with")


def _base(bases: Mapping[tuple[Any, ...], str], twin: str, card: Mapping[str, Any]) -> str:
    if _kin(card) not in bases:
        size, seed, tokens, _ = _kin(card)
        raise XllmError(f"{twin} has no bundled base: none of {size}, seed {seed}, has read {tokens / 1e6:g}M tokens.")
    return bases[_kin(card)]


def abilities_for(pairs: Sequence[Pair], names: Sequence[str] = ()) -> list[Ability]:
    """The abilities of these names, or those for whose sake the twins were taught as they were.

    Raises XllmError for an unknown name, for an ability whose items cannot be compared one by one, and where none is
    named and none is known.
    """
    taught = recipe(folder_of(pairs[0].twin))["recipe"]
    if not names and taught not in ABOUT:
        raise XllmError(
            f"What to compare in twins of the recipe {taught!r} has to be said: give one --ability or several."
        )
    chosen = choose(names or ABOUT[taught])
    for ability in chosen:
        if ability.values is None:
            raise XllmError(
                f"{ability.name!r} is no mean over items, so two models cannot be compared in it item by item."
            )
    return chosen


def compare(
    pairs: Sequence[Pair], ability: Ability, n: int, seed: int = 0, on_progress: Callable[[str], None] | None = None
) -> dict[str, Change]:
    """ "ability/group" → what became of it, over all pairs; they are the seeds of one education.

    `on_progress(model)` is told before each model is put the items. Raises XllmError where a base and its twin were
    not put the same number of them.
    """
    values = []
    for each in pairs:
        both = []
        for model in (each.base, each.twin):
            if on_progress:
                on_progress(model)
            both.append(_values(paper_for(model, n, seed), ability))
        values.append(both)
    groups = {group: _change([(base[group], twin[group]) for base, twin in values], seed) for group in values[0][0]}
    return keyed(ability, groups)


def _values(paper: Paper, ability: Ability) -> dict[str, np.ndarray]:
    if not ability.fits(paper):
        raise XllmError(f"{paper.lm.name} cannot be examined in {ability.name!r}: it lacks what that needs.")
    assert ability.values is not None
    return {group: np.asarray(each) for group, each in whole(ability.values, paper).items()}


def _change(values: Sequence[tuple[np.ndarray, np.ndarray]], seed: int) -> Change:
    shapes = {each.shape for both in values for each in both}
    if len(shapes) > 1:
        raise XllmError("The models were not put the same items, so that they cannot be compared one by one.")
    difference = over_seeds([_difference(base, twin, seed) for base, twin in values])
    base, twin = (float(np.mean([both[i] for both in values])) for i in (0, 1))
    return Change(base, twin, difference, len(values[0][0]))


def _difference(base: np.ndarray, twin: np.ndarray, seed: int) -> Result:
    """Of one pair: shares keep an honest interval where all items agree, which a bootstrap alone would not."""
    if base.dtype == bool:
        return paired_difference(base, twin, seed=seed)
    return bootstrap_mean(twin - base, seed=seed)


def write_json(path: Path, changes: Mapping[str, Change]) -> None:
    """ "ability/group" → base, twin, their difference with the ends of its interval, and how many items."""
    rows = {
        name: {"base": base, "twin": twin, "difference": difference.estimate, "low": difference.low,
               "high": difference.high, "n": n}
        for name, (base, twin, difference, n) in changes.items()
    }  # fmt: skip
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
