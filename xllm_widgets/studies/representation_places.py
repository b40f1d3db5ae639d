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
    years, and groups to be held out together (countries; kinds of events).
    """

    names: tuple[str, ...]
    targets: np.ndarray
    axes: tuple[str, ...]
    groups: tuple[str, ...]

    def first(self, n: int, seed: int) -> Places:
        """`n` of them, or all, in random order: whatever comes first is a random sample."""
        return self.at(np.random.default_rng(seed).permutation(len(self.names))[:n])

    def at(self, numbers: Sequence[int] | np.ndarray) -> Places:
        """Those with these numbers, in this order."""
        names, groups = (tuple(values[i] for i in numbers) for values in (self.names, self.groups))
        return Places(names, self.targets[np.asarray(numbers, dtype=int)], self.axes, groups)


def cities() -> Places:
    """The real cities of the bundled world, latitude and longitude in degrees, grouped by country."""
    from xllm_widgets.microworld.world import World

    every = World.default().cities
    where = np.array([(city.latitude, city.longitude) for city in every])
    return Places(tuple(c.name for c in every), where, ("latitude", "longitude"), tuple(c.country for c in every))


def events() -> Places:
    """The real people, works and inventions of the bundled world with their years, grouped by kind."""
    from xllm_widgets.microworld.world import World

    every = World.default().events
    years = np.array([[event.year] for event in every], dtype=float)
    return Places(tuple(e.phrase for e in every), years, ("year",), tuple(e.kind for e in every))


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
    return Places(tuple(table["name"].astype(str)), targets, axes, tuple(groups.astype(str)))
