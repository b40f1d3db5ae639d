"""Points with names in a plane: a map read from inside a model, or the plane in which truth and falsehood part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from xllm_widgets.widgets.base import BaseView, ViewError, module, styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_POINTS = 5_000  # beyond it the browser stutters
COLOURS = ("toward", "away", "base", "chat", "control", "ink")
_KNOWN = {"name", "x", "y", "group", "held_out", "target", "note"}


class Point(TypedDict):
    """One point: where it is, what it is called, and what is known of it.

    `group`: the name of one of the view's groups; `held_out`: not fitted on, drawn hollow; `target`: (x, y) where it
    ought to be, to which a line is drawn on request; `note`: a sentence, shown with the name.
    """

    name: str
    x: float
    y: float
    group: NotRequired[str]
    held_out: NotRequired[bool]
    target: NotRequired[Sequence[float]]
    note: NotRequired[str]


class ScatterMap(BaseView):
    """Which points lie together, and where do those lie that were held out?

    `points`: one `Point` each. `groups`: name → colour ("toward", "away", "base", "chat", "control" or "ink", the last
    for all if none are given, since the others mean something); each group has a shape of its own as well.
    `graticule`: degrees between the lines of a map whose x is longitude and whose y is latitude (0: plain axes).
    `rotation`: degrees counterclockwise about `origin`, which is the mean of the points while `centred`, else (0, 0);
    with `turning` the student may do both, as in the plane of truth. Raises ViewError for points that cannot be placed.
    """

    _catalogue = "scatter_map"
    _esm = module("scatter_map")
    _css = styles("scatter_map")

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    places = traitlets.Bytes(b"").tag(sync=True)  # float32, points × (x, y, target x, target y), NaN: no target
    member = traitlets.List(traitlets.Int()).tag(sync=True)  # which group each point is of
    held_out = traitlets.List(traitlets.Bool()).tag(sync=True)
    groups = traitlets.List(traitlets.Dict()).tag(sync=True)  # name, colour
    x_label = traitlets.Unicode("").tag(sync=True)
    y_label = traitlets.Unicode("").tag(sync=True)
    graticule = traitlets.Float(0.0, min=0.0).tag(sync=True)
    turning = traitlets.Bool(False).tag(sync=True)  # whether the buttons that centre and rotate are there
    centred = traitlets.Bool(False).tag(sync=True)
    rotation = traitlets.Float(0.0).tag(sync=True)
    show_targets = traitlets.Bool(False).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)  # counted up last, so that the browser paints once

    def __init__(self, points: Sequence[Point] = (), *, groups: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_points(points, groups=groups)

    @classmethod
    def from_arrays(
        cls, xy: ArrayLike, names: Sequence[str], *, held_out: Sequence[bool] | None = None,
        group: Sequence[str] | None = None, targets: ArrayLike | None = None, **kwargs: Any,
    ) -> ScatterMap:  # fmt: skip
        """From places (points, 2) and columns as long: names, whether held out, groups, targets (points, 2)."""
        columns: dict[str, Sequence[Any]] = {"name": list(names)}
        goals = None if targets is None else np.asarray(targets, dtype=float).tolist()
        given = {"held_out": held_out, "group": group, "target": goals}
        columns |= {name: list(column) for name, column in given.items() if column is not None}
        places = np.asarray(xy, dtype=float)
        if places.ndim != 2 or places.shape[1] != 2 or {len(column) for column in columns.values()} != {len(places)}:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise ViewError(f"Places (points, 2) and columns as long are needed, not {places.shape} and {lengths}.")
        rows = zip(places.tolist(), zip(*columns.values(), strict=True), strict=True)
        points = [dict(zip(("x", "y", *columns), (*place, *row), strict=True)) for place, row in rows]
        return cls(points, **kwargs)  # type: ignore[arg-type]

    def set_points(self, points: Sequence[Point], *, groups: Mapping[str, str] | None = None) -> None:
        """New points, and if given new groups, painted in one go; the choice is taken back."""
        points = list(points)
        known = self._groups(points, groups)
        order = [group["name"] for group in known]
        places = np.array([_place(point) for point in points], dtype="<f4").reshape(-1, 4)
        with self.hold_sync():
            self.groups, self.selected = known, []
            self.names = [str(point["name"]) for point in points]
            self.notes = [str(point.get("note", "")) for point in points]
            self.held_out = [bool(point.get("held_out", False)) for point in points]
            self.member = [order.index(point.get("group", order[0])) for point in points]
            self.places = places.tobytes()
            self.version += 1

    def _groups(self, points: Sequence[Point], groups: Mapping[str, str] | None) -> list[dict[str, str]]:
        """Name and colour of each group, or a sentence on the point or the colour that does not fit."""
        if len(points) > MAX_POINTS:
            raise ViewError(f"{len(points)} points are more than the {MAX_POINTS} that can be shown: pass a sample.")
        for point in points:
            if {"name", "x", "y"} - set(point) or set(point) - _KNOWN:
                raise ViewError(f"A point has name, x, y, perhaps group, held_out, target, note; not {sorted(point)}.")
        named = list(dict.fromkeys(point.get("group", "") for point in points)) or [""]
        kept = {group["name"]: group["colour"] for group in self.groups}
        if groups is None:
            groups = kept if kept and set(named) <= set(kept) else dict.fromkeys(named, "ink")
        if lost := [name for name in named if name not in groups]:
            raise ViewError(f"A point is of group {lost[0]!r}; the groups are {', '.join(groups)}.")
        if odd := [colour for colour in groups.values() if colour not in COLOURS]:
            raise ViewError(f"A group's colour is one of {', '.join(COLOURS)}, not {odd[0]!r}.")
        return [{"name": name, "colour": colour} for name, colour in groups.items()]

    # --- places ----------------------------------------------------------------------------------------------------

    @property
    def xy(self) -> NDArray[np.float32]:
        """Where the points are, (points, 2), as given."""
        return np.frombuffer(self.places, "<f4").reshape(-1, 4)[:, :2]

    @property
    def targets(self) -> NDArray[np.float32]:
        """Where the points ought to be, (points, 2), NaN where nothing is said."""
        return np.frombuffer(self.places, "<f4").reshape(-1, 4)[:, 2:]

    @property
    def origin(self) -> NDArray[np.float64]:
        """The point about which the plane turns, and which lies at zero while centred."""
        return self.xy.mean(axis=0, dtype=float) if self.centred and len(self.names) else np.zeros(2)

    def shown(self, places: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Places as they are shown, centred and turned: (points, 2)."""
        angle = np.deg2rad(self.rotation)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return (np.asarray(self.xy if places is None else places, dtype=float) - self.origin) @ turn.T

    @property
    def selected_names(self) -> list[str]:
        """The names of the points chosen by drag, click or key."""
        return [self.names[i] for i in self.selected if 0 <= i < len(self.names)]

    def on_select(self, callback: Callable[[list[int]], None]) -> None:
        """Calls back with the numbers of the points chosen; errors show in the view."""
        self._tell_selected(lambda chosen: callback(list(chosen)))

    # --- twins -----------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """How many points of which group, how many held out, their extent, and which are chosen."""
        n, held = len(self.names), sum(self.held_out)
        head = self.say("described", head=self.title or self.say("name"), n=n, held=held)
        counts = [self.member.count(k) for k in range(len(self.groups))]
        of = [f"{group['name']} {k}" for group, k in zip(self.groups, counts, strict=True) if group["name"]]
        groups = self.say("groups_line", groups=self.say("and").join(of)) if of else ""
        return self.say("between_sentences").join(
            filter(None, [head, groups, self._extent_in_words(), self._choice_in_words()])
        )

    def _choice_in_words(self) -> str:
        names = self.say("and").join(self.selected_names[:8])
        if len(self.selected) > 8:
            names = self.say("and_more", names=names, n=len(self.selected) - 8)
        return self.say("chosen_line", names=names) if self.selected else ""

    def _extent_in_words(self) -> str:
        if not self.names:
            return ""
        low, high = self.shown().min(axis=0), self.shown().max(axis=0)
        x, y = self.x_label or "x", self.y_label or "y"
        turned = self.say("centred_turned" if self.centred else "turned", rotation=f"{self.rotation:g}")
        ends = {"x_low": low[0], "x_high": high[0], "y_low": low[1], "y_high": high[1]}
        shown = {name: f"{end:.3g}" for name, end in ends.items()}
        return self.say("extent", x=x, y=y, where=turned if self.centred or self.rotation else "", **shown)

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON; `places` as x, y lists, `targets` with null where there is none."""
        state = super().to_dict()
        state["places"] = self.xy.astype(float).tolist()
        wanted = self.targets.astype(float).tolist()
        state["targets"] = [place if np.isfinite(place).all() else None for place in wanted]
        return state

    def draw(self, figure: Figure) -> None:
        """The points as they are shown, groups named where they lie, held-out points hollow."""
        from xllm_widgets.widgets.scatter_map_picture import draw

        draw(self, figure)


def _place(point: Point) -> tuple[float, float, float, float]:
    """x, y and the target of one point, finite or refused."""
    given = point.get("target")
    target = [np.nan, np.nan] if given is None else list(given)
    x, y = float(point["x"]), float(point["y"])
    if not (np.isfinite(x) and np.isfinite(y)) or len(target) != 2:
        raise ViewError(f"Point {point['name']!r} needs finite x and y and, if any, a target of two numbers.")
    return (x, y, float(target[0]), float(target[1]))
