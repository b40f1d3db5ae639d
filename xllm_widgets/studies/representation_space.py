"""Where cities lie and when things happened, as linear maps out of the stream (Gurnee & Tegmark, 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.methods import ridge
from xllm_widgets.studies import statistics
from xllm_widgets.studies.controls import randomised
from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.representation_claims import bootstrap, claim
from xllm_widgets.studies.representation_items import is_bundled
from xllm_widgets.studies.representation_places import Places, cities, events, own_places
from xllm_widgets.studies.representation_streams import PROMPTS_A_PART, chunks

if TYPE_CHECKING:
    import pandas as pd

SPACE, TIME = 0.8, 0.6
UNTAUGHT_LIMIT = 500_000_000  # parameters: beyond, a second copy with random weights may not fit beside the first


@dataclass
class Atlas:
    """Some places with their streams on the name's last token (items, layers, width), and the mean of the embeddings of
    the name's tokens (items, width).
    """

    places: Places
    streams: np.ndarray
    embeddings: np.ndarray

    @property
    def subject(self) -> str:
        """ "space" or "time", by what is to be found."""
        return "time" if self.places.axes == ("year",) else "space"


def all_places(trials: int, seed: int, data: Any = None) -> list[Places]:
    """Cities and events of the bundled world, or a table of one's own; at most `trials` of each."""
    return [places.first(trials, seed) for places in ([cities(), events()] if data is None else [own_places(data)])]


def name_prompts(lm: Any, places: Places) -> list[str]:
    """A name in a short frame that says nothing about where or when: only the model can know."""
    if not is_bundled(lm):
        return [f"Let us talk about {name}" for name in places.names]
    frame = "Compared with" if places.axes == ("year",) else "Seen from"
    return [f"{frame} {name}" for name in places.names]


def read_atlas(lm: Any, places: Places, *, completes: bool = False) -> Atlas:
    """The streams of every name; stopped early, those of the names that were reached."""
    prompts = name_prompts(lm, places)

    def work(part: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        here = [prompts[i] for i in part]
        every = lm.activations(here, layers="all", positions="all")
        last, bags = [], []
        for stream, prompt, i in zip(every, here, part, strict=True):
            first, end = lm.tokens(prompt).covering(len(prompt) - len(places.names[i]), len(prompt))
            last.append(stream[:, end - 1])
            bags.append(stream[0, first:end].mean(0))
        return np.stack(last), np.stack(bags)

    parts = work_through(chunks(range(len(prompts)), PROMPTS_A_PART), work, completes=completes)
    streams, embeddings = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Atlas(places.at(range(len(streams))), streams, embeddings)


def predictions(streams: np.ndarray, places: Places, seed: int, *, grouped: bool = False) -> tuple[np.ndarray, int]:
    """Held-out predictions (items, axes), the layer chosen in each fold on a quarter of its training part.

    Gives also the layer most often chosen. `grouped`: whole groups (countries) are held out, in the folds and for the
    choice alike.
    """
    groups = np.asarray(places.groups)
    predicted, chosen = np.zeros_like(places.targets), []
    for train, test in ridge.splits(len(streams), groups=groups if grouped else None, seed=seed):
        inner = ridge.splits(len(train), groups=groups[train] if grouped else None, folds=4, seed=seed)[0]
        fit, check = train[inner[0]], train[inner[1]]
        scores = [
            ridge.ridge(streams[fit, k], places.targets[fit]).score(streams[check, k], places.targets[check])
            for k in range(streams.shape[1])
        ]
        chosen.append(int(np.argmax(scores)))
        fitted = ridge.ridge(streams[train, chosen[-1]], places.targets[train])
        predicted[test] = np.asarray(fitted.predict(streams[test, chosen[-1]])).reshape(len(test), -1)
    return predicted, int(np.bincount(chosen).argmax())


def layer_rows(atlas: Atlas, seed: int) -> list[dict[str, Any]]:
    """Held-out R² of each axis at each layer, for random items and for whole groups held out."""
    rows = []
    for split, layer in ((split, k) for split in splits_of(atlas.places) for k in range(atlas.streams.shape[1])):
        groups = atlas.places.groups if split == "group held out" else None
        predicted = ridge.held_out_predictions(atlas.streams[:, layer], atlas.places.targets, groups=groups, seed=seed)
        rows += _r2_rows(atlas.places, predicted, layer, split, seed)
    return rows


def splits_of(places: Places) -> tuple[str, ...]:
    """Ways to hold items out; whole groups only where there are groups enough."""
    return (
        ("random", "group held out") if ridge.FOLDS * 2 <= len(set(places.groups)) < len(places.names) else ("random",)
    )


def _r2_rows(places: Places, predicted: np.ndarray, layer: int, split: str, seed: int) -> list[dict[str, Any]]:
    rows = []
    for a, axis in enumerate(places.axes):
        estimate, low, high, n = ridge.r_squared_interval(places.targets[:, a], predicted[:, a], seed=seed)
        rows.append({"measure": "R²", "axis": axis, "layer": layer, "split": split, "name": "", "group": "",
                     "truth": float("nan"), "estimate": estimate, "low": low, "high": high, "n": n})  # fmt: skip
    return rows


def place_rows(places: Places, predicted: np.ndarray, layer: int, split: str) -> list[dict[str, Any]]:
    """One row per item and axis: where it is and where the map puts it, for the picture."""
    return [
        {"measure": "place", "axis": axis, "layer": layer, "split": split, "name": name, "group": places.groups[i],
         "truth": float(places.targets[i, a]), "estimate": float(predicted[i, a])}
        for i, name in enumerate(places.names) for a, axis in enumerate(places.axes)
    ]  # fmt: skip


@dataclass(frozen=True)
class MapOf:
    """What the map of an atlas comes to. `predicted` (items, axes): random items held out; `grouped`: whole groups held
    out, or None; `nulls`: control → (targets, predictions), each (items, axes).
    """

    atlas: Atlas
    predicted: np.ndarray
    layer: int
    grouped: np.ndarray | None
    nulls: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def shuffled(self) -> float:
        """Mean R² of the axes with shuffled targets."""
        return mean_r_squared(*self.nulls["shuffled"])


def survey(lm: Any, atlas: Atlas, seed: int) -> MapOf:
    """Draw the map each way, and once more where nothing, or only the names, should be found."""
    places = atlas.places
    predicted, layer = predictions(atlas.streams, places, seed)
    has_groups = len(splits_of(places)) > 1
    grouped = predictions(atlas.streams, places, seed, grouped=True)[0] if has_groups else None
    mixed = replace(places, targets=np.random.default_rng(seed).permutation(places.targets))
    nulls = {"shuffled": (mixed.targets, predictions(atlas.streams, mixed, seed)[0]),
             "token embeddings": (places.targets, predictions(atlas.embeddings[:, None], places, seed)[0])}  # fmt: skip
    if getattr(lm, "hf", None) is not None and lm.n_parameters <= UNTAUGHT_LIMIT:
        untaught = read_atlas(randomised(lm, seed), places, completes=True)
        nulls["random weights"] = (places.targets, predictions(untaught.streams, places, seed)[0])
    if has_groups:
        nulls["group mean"] = (places.targets, places.group_means)
    return MapOf(atlas, predicted, layer, grouped, nulls)


def null_rows(found: MapOf, seed: int) -> list[dict[str, Any]]:
    """R² of every axis under every null, in the shape of `layer_rows`."""
    rows = []
    for name, (targets, predicted) in found.nulls.items():
        places = found.atlas.places
        under = replace(places, targets=targets)
        rows += [row | {"control": name} for row in _r2_rows(under, predicted, found.layer, "random", seed)]
    return rows


def mean_r_squared(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R² of each axis, then their mean: latitude and longitude count alike."""
    return float(np.mean([ridge.r_squared(truth[:, a], predicted[:, a]) for a in range(truth.shape[1])]))


def space_claims(lm: Any, found: MapOf) -> list[Claim]:
    """Held-out R²; more than the names' embeddings hold; new groups; within groups."""
    places, subject = found.atlas.places, found.atlas.subject
    what = " and ".join(places.axes)
    axes = len(places.axes)

    def r2_of(packed: np.ndarray, first: int = 1) -> float:
        return mean_r_squared(packed[:, :axes], packed[:, first * axes : (first + 1) * axes])

    def lead(packed: np.ndarray) -> float:
        return r2_of(packed, 1) - r2_of(packed, 2)

    def say(statement: str, measure: Any, columns: Sequence[np.ndarray], threshold: float, **rule: Any) -> Claim:
        interval = bootstrap(measure, np.concatenate([places.targets, *columns], axis=1))
        return claim("space_and_time", lm, statement, interval, threshold, **rule)

    bar = SPACE if subject == "space" else TIME
    claims = [
        say(f"{what.capitalize()} of held-out names can be read off the stream (R² ≥ {bar})", r2_of,
            [found.predicted], bar, null=0.0, control=found.shuffled),
        say(f"There is more of {what} in the stream than in the names' token embeddings (difference of R² > 0)", lead,
            [found.predicted, found.nulls["token embeddings"][1]], 0.0, null=0.0),
    ]  # fmt: skip
    if found.grouped is not None:
        group = "countries" if subject == "space" else "groups"
        claims += [
            say(f"Even whole {group} held out are placed (R² of {what} > 0)", r2_of, [found.grouped], 0.0, null=0.0),
            say(f"The map is finer than its {group}: it beats each item's group mean (difference of R² > 0)", lead,
                [found.predicted, found.nulls["group mean"][1]], 0.0, null=0.0),
        ]  # fmt: skip
    return claims


def world_map(lm: Any, *, trials: int = 1000, seed: int = 0, data: Any = None, grouped: bool = False) -> pd.DataFrame:
    """Every name where it is and where the model has it, for a map with names: one row an item.

    Columns: name, group, one per axis (truth), and "read" before each axis (held-out prediction). `grouped`: each item
    predicted by a map that saw nothing of its country. Of several subjects the first (the bundled cities) is drawn.
    """
    atlas = read_atlas(lm, all_places(trials, seed, data)[0])
    predicted, layer = predictions(atlas.streams, atlas.places, seed, grouped=grouped)
    return _side_by_side(atlas.places, predicted).assign(layer=layer)


def hidden_map(
    lm: Any, subject: str = "space", *, hidden: Sequence[str] = (), trials: int = 400, seed: int = 0, data: Any = None
) -> pd.DataFrame:
    """A map ("space") or time line ("time") drawn without the `hidden` groups: columns of `world_map`, and `hidden`.

    Names of other groups are predicted held out, as ever; hidden ones by a map fitted on all the others, at the layer
    chosen there. Raises XllmError where a group has no members, or too few names are left.
    """
    places = next((p for p in all_places(trials, seed, data) if (p.axes == ("year",)) == (subject == "time")), None)
    if places is None:
        raise XllmError(f"This table has nothing about {subject}; it needs latitude and longitude, or year.")
    if missing := [name for name in hidden if name not in places.groups]:
        raise XllmError(f"Nobody is in {missing[0]!r}; the groups are {', '.join(sorted(set(places.groups))[:8])} …")
    atlas = read_atlas(lm, places)
    away = np.isin(atlas.places.groups, list(hidden))
    known, predicted = atlas.places.at(np.flatnonzero(~away)), np.empty_like(atlas.places.targets)
    predicted[~away], layer = predictions(atlas.streams[~away], known, seed)
    if away.any():
        fitted = ridge.ridge(atlas.streams[~away, layer], known.targets)
        predicted[away] = np.asarray(fitted.predict(atlas.streams[away, layer])).reshape(away.sum(), -1)
    return _side_by_side(atlas.places, predicted).assign(hidden=away, layer=layer)


def _side_by_side(places: Places, predicted: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {"name": places.names, "group": places.groups}
    columns |= {axis: places.targets[:, a] for a, axis in enumerate(places.axes)}
    return pd.DataFrame(columns | {f"read {axis}": predicted[:, a] for a, axis in enumerate(places.axes)})


def summary_notes(found: MapOf) -> list[str]:
    """Spearman's correlation and the proximity error beside R², as the paper gives them."""
    places = found.atlas.places
    rho = float(
        np.mean([statistics.spearman(places.targets[:, a], found.predicted[:, a]) for a in range(len(places.axes))])
    )
    near = ridge.proximity_error(places.targets, found.predicted)
    held = (
        ""
        if found.grouped is None
        else f", {ridge.proximity_error(places.targets, found.grouped):.3f} with groups held out"
    )
    return [f"{found.atlas.subject}: Spearman {rho:.2f}, proximity error {near:.3f}{held} (layer {found.layer})"]
