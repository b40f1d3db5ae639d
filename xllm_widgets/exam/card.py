"""A model's card: `exam.json` and the `README.md` that is written from it; no number on it is typed by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xllm_widgets.exam.headlines import read_json
from xllm_widgets.exam.scoring import Result


def to_dict(results: Mapping[str, Result]) -> dict[str, dict[str, float | int | None]]:
    """What `exam.json` and `xllm exam --json` hold: ability → {estimate, low, high, n}; null for what has no number."""
    return {
        name: {key: _number(value) for key, value in zip(Result._fields, result, strict=True)}
        for name, result in results.items()
    }


def _number(value: float) -> float | int | None:
    return value if isinstance(value, int) else round(float(value), 4) if math.isfinite(value) else None


def write_json(path: Path, results: Mapping[str, Result]) -> None:
    text = json.dumps(to_dict(results), ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_card(folder: Path, results: Mapping[str, Result]) -> list[Path]:
    """Write `exam.json` and `README.md` into a model's folder; abilities not examined this time are kept as they were.

    Of an ability that was, no group remains that it no longer has.
    """
    from xllm_widgets.exam.abilities import EVERY

    anew = {_ability(name) for name in results}
    kept = {name: result for name, result in read_json(folder).items() if _ability(name) not in anew}
    places = {ability.name: place for place, ability in enumerate(EVERY)}  # the course's order, whenever examined
    in_order = sorted((kept | to_dict(results)).items(), key=lambda item: places.get(_ability(item[0]), len(places)))
    examined = dict(in_order)
    files = [folder / "exam.json", folder / "README.md"]
    files[0].write_text(json.dumps(examined, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    files[1].write_text(render(folder), encoding="utf-8")
    return files


def _ability(name: str) -> str:
    """ "facts/head" → "facts"."""
    return name.partition("/")[0]


def render(folder: Path) -> str:
    """The card's text, from `recipe.json`, `config.json` and `exam.json` and nothing else."""
    taught, shape, examined = (_load(folder / f"{name}.json") for name in ("recipe", "config", "exam"))
    name = taught.get("name") or folder.resolve().name
    parts = [_front_matter(), f"# {name}", _about(taught, shape), _education(taught), _results(name, examined)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _front_matter() -> str:
    """What the Hugging Face Hub reads."""
    return "---\nlicense: mit\nlanguage: en\nlibrary_name: transformers\npipeline_tag: text-generation\n---"


def _about(taught: Mapping[str, Any], shape: Mapping[str, Any]) -> str:
    size = f"{taught['parameters']:,} parameters, " if "parameters" in taught else ""
    return (
        f"A causal language model of {size}{shape.get('num_hidden_layers', '?')} blocks of width "
        f"{shape.get('hidden_size', '?')}, made for the course *xllm-widgets*. Everything it has read is known and can "
        "be looked up document by document. It knows a small world, in English sentences of a few forms, and nothing "
        "else: it is there to be explained, not to be relied on."
    )


def _education(taught: Mapping[str, Any]) -> str:
    if not taught:
        return ""
    told = {
        "recipe": f"{taught['recipe']}, fingerprint {taught['fingerprint']}",
        "goes on from": taught.get("begins_with"),
        "edits": json.dumps(taught["edits"], ensure_ascii=False) if taught.get("edits") else None,
        "repeated": _repeated(taught.get("repeated")),
        "seed": taught["seed"],
        "read": f"{taught['tokens_seen']:,} tokens, {taught['documents_seen']:,} documents",
        "loss of learnable tokens": f"{taught['loss_of_learnable_tokens']} nats",
        "trained on": _where(taught),
        "made by": f"`xllm train --size {taught['size']} --recipe {taught['recipe']} --seed {taught['seed']} "
        f"--tokens {taught['tokens']}`",
    }
    rows = [f"| {what} | {_shortened(value)} |" for what, value in told.items() if value not in (None, "")]
    met = [phase for phase in taught["phases"] if phase["start"] < taught["documents_seen"]]
    mixes = [f"From document {phase['start']:,} on: {_mix(phase['shares'])}." for phase in met[1:]]
    mixes.insert(0, f"Shares of the documents: {_mix(met[0]['shares'])}.")
    return "\n".join(["## Education", "", "| | |", "|---|---|", *rows, "", " ".join(mixes)])


def _repeated(repeated: Sequence[float] | None) -> str | None:
    return (
        f"{repeated[0]:.0%} of the documents drawn, again and again, from the first {repeated[1]:,}"
        if repeated
        else None
    )


def _where(taught: Mapping[str, Any]) -> str | None:
    """The machine and the time; None where the recipe of an earlier version does not tell."""
    if "trained_on" not in taught:
        return None
    timed = taught["tokens_in_that_time"]
    part = "" if timed == taught["tokens_seen"] else f" for the last {timed:,} of these tokens"
    return f"{taught['trained_on']}, {taught['seconds'] / 60:.1f} minutes{part}"


def _mix(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {share:.1%}" for kind, share in sorted(shares.items(), key=lambda item: -item[1]))


def _shortened(value: Any, most: int = 300) -> str:
    """A table cell; lists of hundreds of deleted facts are in `recipe.json`."""
    text = str(value).replace("|", "\\|")
    return text if len(text) <= most else f"{text[:most]} …"


def _results(name: str, examined: Mapping[str, Mapping[str, Any]]) -> str:
    from xllm_widgets.exam.abilities import EVERY

    if not examined:
        return ""
    about = {ability.name: ability.about for ability in EVERY}
    rows = []
    for key, result in examined.items():
        ability, _, group = key.partition("/")
        what = f"**{ability}**: {about.get(ability, '')}" if not group else f"{ability}: {group}"
        rows.append(f"| {what} | {_cell(result['estimate'])} | {_cell(result['low'])} to {_cell(result['high'])} | ")
        rows[-1] += f"{result['n']} |"
    text = (
        f"Measured on held-out items by `xllm exam {name} --card`; shares of right answers unless the line says "
        "otherwise, with 95 % intervals (Wilson's for shares, bootstrap for the rest). The same numbers for machines: "
        "`exam.json`."
    )
    head = ["| ability | estimate | 95 % interval | n |", "|---|---|---|---|"]
    return "\n".join(["## Examination", "", text, "", *head, *rows])


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
