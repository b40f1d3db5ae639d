"""Cities and events with their real coordinates and years: what chapter 03 looks for inside a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.items import read_table
from xllm_widgets.studies.representation_items import table_with


@dataclass(frozen=True)
class Places:
    """Things to be found on a map or on a time line: names as sentences say them, `targets` (items, axes) in degrees or
    years, groups to be held out together (countries; kinds of events), and `group_means` (items, axes): where somebody
    would look for an item who knows all the others of its group, those included that a sample leaves out.
    """

    names: tuple[str, ...]
    targets: np.ndarray
    axes: tuple[str, ...]
    groups: tuple[str, ...]
    group_means: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], targets: np.ndarray, axes: tuple[str, ...], groups: Sequence[str]) -> Places:
        """All the places there are, which say where each group lies."""
        return cls(tuple(names), targets, axes, tuple(groups), _group_means(targets, np.asarray(groups)))

    def first(self, n: int, seed: int) -> Places:
        """`n` of them, or all, in random order: whatever comes first is a random sample."""
        return self.at(np.random.default_rng(seed).permutation(len(self.names))[:n])

    def at(self, numbers: Sequence[int] | np.ndarray) -> Places:
        """Those with these numbers, in this order."""
        names, groups = (tuple(values[i] for i in numbers) for values in (self.names, self.groups))
        chosen = np.asarray(numbers, dtype=int)
        return Places(names, self.targets[chosen], self.axes, groups, self.group_means[chosen])


def _group_means(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean of the other members of an item's group; of all other items, where it is alone."""
    means = np.zeros_like(targets)
    for i in range(len(groups)):
        others = np.arange(len(groups)) != i
        fellows = others & (groups == groups[i])
        means[i] = targets[fellows if fellows.any() else others].mean(0)
    return means


def cities() -> Places:
    """The real cities of the bundled world, latitude and longitude in degrees, grouped by country."""
    from xllm_widgets.microworld.world import World

    every = World.default().cities
    where = np.array([(city.latitude, city.longitude) for city in every])
    return Places.of([c.name for c in every], where, ("latitude", "longitude"), [c.country for c in every])


def events() -> Places:
    """The real people, works and inventions of the bundled world with their years, grouped by kind."""
    from xllm_widgets.microworld.world import World

    every = World.default().events
    years = np.array([[event.year] for event in every], dtype=float)
    return Places.of([e.phrase for e in every], years, ("year",), [e.kind for e in every])


def own_places(data: Any) -> Places:
    """A table of one's own: name, and latitude and longitude or year; country (or group) where there are groups."""
    table = read_table(data)
    axes = ("latitude", "longitude") if {"latitude", "longitude"} <= set(table.columns) else ("year",)
    table = table_with(table, ("name", *axes), keep=("country", "group")).dropna(subset=["name", *axes])
    try:
        targets = table[list(axes)].to_numpy(dtype=float)
    except ValueError as reason:
        raise XllmError(f"The columns {' and '.join(axes)} must hold numbers.") from reason
    group = next((name for name in ("country", "group") if name in table.columns), None)
    groups = table[group] if group else table["name"]
    return Places.of(table["name"].astype(str), targets, axes, groups.astype(str))
