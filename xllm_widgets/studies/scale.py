"""The same measure over model sizes, training seeds and checkpoints: what changes with scale, and in which order.

Survey section 4.1.1, Wei et al. (2023b, arXiv 2303.03846). Our sizes differ by a factor of thirty at 10^5 to 10^6
parameters; the paper's effect was at 10^9 to 10^11. What carries over is the mechanism, not the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xllm_widgets.errors import ModelNotFound, XllmError
from xllm_widgets.models import bundled_models, checkpoints, load
from xllm_widgets.models import recipe as recipe_of
from xllm_widgets.studies import in_context_learning as icl
from xllm_widgets.studies import progress, statistics
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.studies.registry import provenance

if TYPE_CHECKING:
    import pandas as pd

SPEARMAN = 0.8
"""Threshold for the rank correlation of size and drop, fixed beforehand."""
NO_FLIPS = "noflip"
"""The recipe of the twins that read not one flipped sheet."""


@dataclass(frozen=True)
class Member:
    """A bundled model and what sets it apart: parameters, seed of its training, which recipe educated it."""

    name: str
    parameters: int
    seed: int
    recipe: str

    @property
    def taught_flips(self) -> bool:
        return self.recipe != NO_FLIPS


def family(names: Sequence[str] | None = None) -> list[Member]:
    """The bundled models (or those named), smallest first, with what their recipe files say of them.

    Without names: those of the base education and their twins without flips; other twins and assistants stay out.
    """
    members = []
    for name in names or [n for n in bundled_models() if (recipe_of(n) or {}).get("recipe") in ("base", NO_FLIPS)]:
        card = recipe_of(name) or {}
        if not {"parameters", "seed", "recipe"} <= set(card):
            raise ModelNotFound(
                f"{name!r} has no complete recipe.json; compare bundled models, or train it with xllm train."
            )
        members.append(Member(name, int(card["parameters"]), int(card["seed"]), str(card["recipe"])))
    if not members:
        raise ModelNotFound("No bundled models were found; install xllm-widgets again, or clone it afresh.")
    return sorted(members, key=lambda m: (m.parameters, m.recipe != "base", m.seed))


def first_seeds(members: Sequence[Member]) -> list[Member]:
    """Of each size the model of the first training seed; twins educated without flips apart."""
    return list({m.parameters: m for m in reversed(members) if m.taught_flips}.values())[::-1]


def over_models(study: Callable[..., Evidence], names: Sequence[str], **knobs: Any) -> Evidence:
    """One study on several models: tables one under another with columns `model` and `parameters`, all claims kept.

    A Ctrl-C between models keeps the models that were finished.
    """
    import pandas as pd

    def one(name: str) -> tuple[Evidence, dict[str, Any]]:
        lm = load(name)
        return study(lm, **knobs), {"model": lm.name, "parameters": int(lm.n_parameters)}

    finished, stopped = _one_by_one(names, one)
    tables = {
        part: pd.concat([getattr(e, part).assign(**about) for e, about in finished], ignore_index=True)
        for part in ("table", "control")
    }
    first = finished[0][0]
    return replace(
        first, **tables,
        claims=[claim for evidence, _ in finished for claim in evidence.claims],
        notes=list(dict.fromkeys(note for evidence, _ in finished for note in evidence.notes)) + stopped,
        provenance={"models": [evidence.provenance for evidence, _ in finished]},
    )  # fmt: skip


def label_override_ladder(
    models: Sequence[str] | None = None,
    *,
    flipped: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
    shots: int = 8,
    trials: int = 500,
    draws: int = 3,
    seed: int = 0,
    data: Any = None,
) -> Evidence:
    """Do larger models override what labels mean, and do the largest learn meaningless ones? (Wei et al., 2023b)

    `flipped_labels` and `unrelated_labels` on each of `models` (default: every bundled one). `table`, one row per model
    and condition: model, parameters, seed, recipe, labels (natural, arbitrary), flipped (share), against (which labels
    count as right: gold, flipped, assigned), accuracy, low, high, n, draws. `control`: the same measures without
    demonstrations and with arbitrary words shuffled. Models educated without flips are the control of the education.
    """
    knobs = {"shots": shots, "trials": trials, "draws": draws, "seed": seed, "data": data}

    def one(member: Member):
        lm = load(member.name)
        flips = icl.flipped_labels(lm, flipped=flipped, **knobs)
        unrelated = icl.unrelated_labels(lm, **knobs)
        return member, _rungs(member, flips, unrelated), provenance(lm)

    finished, stopped = _one_by_one(family(models), one)
    table = _concat([rungs[0] for _, rungs, _ in finished])
    control = _concat([rungs[1] for _, rungs, _ in finished])
    claims = ladder_claims([member for member, _, _ in finished], table, control)
    return Evidence(
        "label_override_ladder", icl.SECTION, icl.WEI, "Do larger models override what their labels mean?", table,
        claims, control, knobs={"flipped": list(flipped), **knobs}, notes=stopped,
        provenance={"models": [record for _, _, record in finished]},
    )  # fmt: skip


def ladder_claims(members: Sequence[Member], table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """The claims about scale, from a ladder's table; each rung that fails is printed as failed."""
    sizes = first_seeds(members)
    claims = [_natural(m, table) for m in sizes]
    if len(sizes) > 1:
        claims.append(_keeps_prior(sizes[0], table, "The smallest model keeps its prior"))
        claims += [_follows(m, table, control) for m in sizes[1:]]
        claims.append(_symbols(sizes[-1], table, control))
    for member in (m for m in members if m.recipe == "noflip"):
        claims.append(_does_not_flip(member, members, table))
    taught = [m for m in members if m.taught_flips]
    if len(sizes) > 2:
        claims.append(_rank_correlation(taught, table))
    return claims


def emergence(
    model: str | None = None, *, shots: int = 8, trials: int = 500, draws: int = 3, seed: int = 0, data: Any = None
) -> Evidence:
    """In which order do the abilities appear while one model learns? Its checkpoints, youngest first, then itself.

    `model` None: the bundled model that has checkpoints. `table`, one row per checkpoint and ability (natural, flipped,
    arbitrary labels): tokens (seen in training), ability, accuracy, low, high, n, draws. Claims: the prior comes before
    the override, the override before the symbols. Wei et al. compared finished models; this is our own addition.
    """
    model = model or next((name for name in bundled_models() if checkpoints(name)), None)
    if model is None or not checkpoints(model):
        raise ModelNotFound(f"{model or 'No bundled model'} has no checkpoints; train one with xllm train --keep-at.")
    knobs = {"shots": shots, "trials": trials, "draws": draws, "seed": seed, "data": data}

    def one(name: str):
        lm = load(name)
        flips, unrelated = icl.flipped_labels(lm, flipped=(0, 1), **knobs), icl.unrelated_labels(lm, **knobs)
        return _abilities(int((recipe_of(name) or {})["tokens_seen"]), flips, unrelated), provenance(lm)

    finished, stopped = _one_by_one([*(f"{model}@{age}" for age in checkpoints(model)), model], one)
    table = _concat([rows[0] for rows, _ in finished])
    control = _concat([rows[1] for rows, _ in finished])
    return Evidence(
        "emergence", icl.SECTION, icl.WEI,
        "In which order do the prior, the override and the symbols appear in training?", table,
        emergence_claims(model, table), control, knobs={"model": model, **knobs}, notes=stopped,
        provenance={"models": [record for _, record in finished]},
    )  # fmt: skip


def emergence_claims(model: str, table: pd.DataFrame) -> list[Claim]:
    """Prior first, override next, symbols last: read at the first checkpoint that has the earlier ability."""
    wide = table.pivot(index="tokens", columns="ability", values="accuracy").sort_index()
    claims = []
    for earlier, bar, later, limit in (
        ("natural", icl.NATURAL, "flipped", 0.5),
        ("flipped", icl.FOLLOWS, "arbitrary", icl.SYMBOLS),
    ):
        reached = wide.index[wide[earlier] >= bar]
        if not len(reached):
            statement = f"{earlier.capitalize()} labels are mastered at some checkpoint (accuracy ≥ {bar:.0%})"
            best = table[table["ability"] == earlier].sort_values("accuracy").iloc[-1]
            claims.append(_claim("emergence", model, statement, _interval(best), bar, null=0.5, control=0.5,
                                 seeds=int(best["draws"])))  # fmt: skip
            continue
        tokens = reached[0]
        row = table[(table["tokens"] == tokens) & (table["ability"] == later)].iloc[0]
        statement = (
            f"When {earlier} labels are first mastered ({tokens / 1e6:.2g}M tokens), {later} labels are not yet "
            f"(accuracy ≤ {limit:.0%})"
        )
        claims.append(_claim("emergence", model, statement, _interval(row), limit, null=float(wide.at[tokens, earlier]),
                             control=None, seeds=int(row["draws"]), kind="at most"))  # fmt: skip
    return claims


# --- one row of the ladder, one claim of it -----------------------------------------------------------------------


def _rungs(member: Member, flips: Evidence, unrelated: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    about = {"model": member.name, "parameters": member.parameters, "seed": member.seed, "recipe": member.recipe}
    rows = []
    for share, group in flips.table.groupby("flipped"):
        for against, column in (("gold", "correct"), ("flipped", "follows")):
            rows.append(about | {"labels": "natural", "flipped": share, "against": against} | _measured(group, column))
    arbitrary = {"labels": "arbitrary", "flipped": float("nan"), "against": "assigned"}
    rows.append(about | arbitrary | _measured(unrelated.table, "correct"))
    control = [
        about | {"labels": "no demonstrations", "against": "gold"} | _measured(flips.control, "correct"),
        about | {"labels": "no demonstrations", "against": "flipped"} | _measured(flips.control, "follows"),
        about | {"labels": "arbitrary, shuffled", "against": "assigned"} | _measured(unrelated.control, "correct"),
    ]
    return pd.DataFrame(rows), pd.DataFrame(control)


def _abilities(tokens: int, flips: Evidence, unrelated: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    shares = flips.table["flipped"]
    measures = {
        "natural": (flips.table[shares == 0], "correct"),
        "flipped": (flips.table[shares == 1], "follows"),
        "arbitrary": (unrelated.table, "correct"),
    }
    rows = [{"tokens": tokens, "ability": name} | _measured(*what) for name, what in measures.items()]
    control = [{"tokens": tokens, "ability": "arbitrary, shuffled"} | _measured(unrelated.control, "correct")]
    return pd.DataFrame(rows), pd.DataFrame(control)


def _measured(table: pd.DataFrame, column: str) -> dict[str, Any]:
    estimate, low, high, n = icl.accuracy(table, column)
    return {"accuracy": estimate, "low": low, "high": high, "n": n, "draws": int(table["draw"].nunique())}


def _rung(member: Member, table: pd.DataFrame, labels: str, against: str, share: float | None = None) -> pd.Series:
    rows = table[(table["model"] == member.name) & (table["labels"] == labels) & (table["against"] == against)]
    rows = rows if share is None else rows[rows["flipped"] == share]
    if rows.empty:
        raise XllmError("The ladder's claims need flipped shares 0 and 1; put both into flipped.")
    return rows.iloc[0]


def _interval(row: pd.Series) -> statistics.Interval:
    return statistics.Interval(row["accuracy"], row["low"], row["high"], int(row["n"]))


def _claim(study_name: str, model: str, statement: str, interval, threshold: float, **rule: Any) -> Claim:
    return icl.claim(study_name, model, statement, interval, threshold, **rule)


def _on_ladder(member: Member, row: pd.Series, statement: str, threshold: float, **rule: Any) -> Claim:
    seeds = int(row["draws"])
    return _claim(
        "label_override_ladder", member.name, statement, _interval(row), threshold, null=0.5, seeds=seeds, **rule
    )


def _natural(member: Member, table: pd.DataFrame) -> Claim:
    row = _rung(member, table, "natural", "gold", 0)
    return _on_ladder(
        member, row, "With natural labels it gives the right label (accuracy ≥ 95 %)", icl.NATURAL, control=0.5
    )


def _keeps_prior(member: Member, table: pd.DataFrame, subject: str) -> Claim:
    row = _rung(member, table, "natural", "flipped", 1)
    statement = f"{subject} under fully flipped labels (accuracy against the flipped labels ≤ 20 %)"
    return _on_ladder(member, row, statement, icl.KEEPS_PRIOR, control=0.5, kind="at most")


def _follows(member: Member, table: pd.DataFrame, control: pd.DataFrame) -> Claim:
    row = _rung(member, table, "natural", "flipped", 1)
    unshown = _rung(member, control, "no demonstrations", "flipped")["accuracy"]
    statement = "A larger model follows fully flipped labels (accuracy against the flipped labels ≥ 90 %)"
    return _on_ladder(member, row, statement, icl.FOLLOWS, control=float(unshown))


def _symbols(member: Member, table: pd.DataFrame, control: pd.DataFrame) -> Claim:
    row = _rung(member, table, "arbitrary", "assigned")
    shuffled = _rung(member, control, "arbitrary, shuffled", "assigned")["accuracy"]
    statement = "The largest model also uses arbitrary label words (accuracy ≥ 85 %)"
    return _on_ladder(member, row, statement, icl.SYMBOLS, control=float(shuffled))


def _does_not_flip(member: Member, members: Sequence[Member], table: pd.DataFrame) -> Claim:
    """The control of the education; its own control is the twin of the same size that did read flipped sheets."""
    twin = next((m for m in members if m.taught_flips and m.parameters == member.parameters), None)
    taught = 0.5 if twin is None else float(_rung(twin, table, "natural", "flipped", 1)["accuracy"])
    row = _rung(member, table, "natural", "flipped", 1)
    statement = "Educated without flips, it does not flip (accuracy against the flipped labels ≤ 20 %)"
    return _on_ladder(member, row, statement, icl.KEEPS_PRIOR, control=taught, kind="at most")


def _rank_correlation(taught: Sequence[Member], table: pd.DataFrame) -> Claim:
    sizes = [m.parameters for m in taught]
    drops = [
        _rung(m, table, "natural", "gold", 0)["accuracy"] - _rung(m, table, "natural", "gold", 1)["accuracy"]
        for m in taught
    ]
    rho, p = statistics.spearman_interval(sizes, drops), statistics.spearman_p(sizes, drops)
    seeds = len({m.seed for m in taught})
    statement = (
        f"The drop under flipped labels rises with size (Spearman ≥ 0.8 over {len(taught)} models of "
        f"{len(set(sizes))} sizes, permutation p = {p:.2g})"
    )
    return _claim("label_override_ladder", "all sizes", statement, rho, SPEARMAN, null=0.0, control=0.0, seeds=seeds)


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _one_by_one(models: Sequence[Any], work: Callable[[Any], Any]) -> tuple[list[Any], list[str]]:
    """Work on one model after another, and a note where it ended early.

    A stop in the middle of a model drops that one and keeps those before it; KeyboardInterrupt where there are none.
    """
    finished: list[Any] = []
    with progress.joined() as watcher:
        for model in models:
            if watcher.stopped or watcher.should_stop():
                break
            try:
                result = work(model)
            except KeyboardInterrupt:
                watcher.stopped = True
            if watcher.stopped:
                break
            finished.append(result)
    if not finished:
        raise KeyboardInterrupt
    early = len(finished) < len(models)
    return finished, [f"stopped after {len(finished)} of {len(models)} models"] if early else []
