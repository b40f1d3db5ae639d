"""The scatter and map with a model behind it: a world map and a time line read from the stream, the plane of truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.code import with_code, with_cost
from xllm_widgets.studies.representation_space import hidden_map
from xllm_widgets.studies.representation_truth import truth_plane
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    import pandas as pd

    from xllm_widgets.widgets.scatter_map import Point, ScatterMap

SUBJECTS = ("space", "time", "truth")


@with_code()
@with_cost
def map_lab(
    lm: Any,
    subject: str = "space",
    *,
    hidden: Sequence[str] = (),
    centred: bool = True,
    trials: int = 400,
    seed: int = 0,
    data: Any = None,
    **view: Any,
) -> ScatterMap:
    """Points that were read from inside a model, each with its name: a "space" map, a "time" line, a plane of "truth".

    Every place and year is predicted by a map that was not fitted on it; those of `hidden` groups (countries, kinds of
    events) by one that saw nothing of their whole group: they are hollow and named, and a line leads to where each
    belongs (on request to where every name belongs, if none is hidden). In the plane of truth the hollow statements
    were not fitted on; `centred` takes away each set's own mean. At most `trials` names, or statements a set. Other
    keywords go to the `ScatterMap`.

    Raises XllmError for another subject or for a group that nobody is in, MissingSight for a model without activations.
    """
    from xllm_widgets.widgets.scatter_map import ScatterMap

    if "activations" not in lm.sights:
        raise MissingSight(f"{lm.name} does not show its activations; use a bundled model.")
    if subject not in SUBJECTS:
        raise XllmError(f"There is no map of {subject!r}; choose one of {', '.join(SUBJECTS)}.")
    if subject == "truth":
        points, about = _plane(lm, centred, trials, seed, data)
    else:
        points, about = _places(hidden_map(lm, subject, hidden=hidden, trials=trials, seed=seed, data=data))
        about["show_targets"] = any(point["held_out"] for point in points)
    made = ScatterMap(points, **{**about, **view})
    if subject != "truth" and not made.selected:
        made.selected = [i for i, hollow in enumerate(made.held_out) if hollow]
    return made


def _places(found: pd.DataFrame) -> tuple[list[Point], dict[str, Any]]:
    """Cities where the model has them, or events by the year it gives them against their own."""
    points: list[Point] = []
    say = speech("lab")
    on_a_globe, any_hidden = "longitude" in found, found["hidden"].any()
    for row in found.to_dict("records"):
        if on_a_globe:
            here, there = ("read longitude", "read latitude"), ("longitude", "latitude")
            note = row["group"]
        else:
            here, there = ("year", "read year"), ("year", "year")
            note = say("event", group=row["group"], year=f"{row['year']:.0f}", read=f"{row['read year']:.0f}")
        points.append({"name": row["name"], "x": row[here[0]], "y": row[here[1]], "note": note,
                       "held_out": row["hidden"]})  # fmt: skip
        if row["hidden"] or not any_hidden:
            points[-1]["target"] = [row[axis] for axis in there]
    if on_a_globe:
        return points, {"x_label": say("longitude"), "y_label": say("latitude"), "graticule": 30.0,
                        "title": say("map_inside")}  # fmt: skip
    return points, {"x_label": say("year"), "y_label": say("year_read"), "title": say("time_line_inside")}


def _plane(lm: Any, centred: bool, trials: int, seed: int, data: Any) -> tuple[list[Point], dict[str, Any]]:
    found = truth_plane(lm, trials=trials, seed=seed, data=data)
    x, y = ("truth", "other") if centred else ("truth_raw", "other_raw")
    say = speech("lab")
    points: list[Point] = [
        {"name": row["text"], "x": row[x], "y": row[y], "group": say("true" if row["true"] else "false"),
         "held_out": bool(row["held_out"]), "note": row["set"]}
        for row in found.to_dict("records")
    ]  # fmt: skip
    groups = {say("true"): "toward", say("false"): "away"}
    place = say({"statement end": "statement_end", "verdict": "verdict"}[found["place"].iloc[0]])
    return points, {"groups": groups, "x_label": say("along_truth"), "y_label": say("across_truth"), "turning": True,
                    "title": say("plane_of_truth", place=place)}  # fmt: skip
