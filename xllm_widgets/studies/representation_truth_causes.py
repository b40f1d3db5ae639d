"""Does the model use its truth direction? Push false statements along it, true ones against it, and ask (Marks &
Tegmark, 2023).

The normalised indirect effect is the share of the way from "false" to "true" that the push covers:
NIE = (PD after - PD before) / (PD of the other class - PD before), where PD = P(true) - P(false) behind the statement.
0: nothing moved; 1: a false statement is judged as true ones are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.representation_claims import bootstrap, claim
from xllm_widgets.studies.representation_items import Judged
from xllm_widgets.studies.representation_truth import (
    METHODS,
    READ_AT,
    Sets,
    before_statement,
    centred,
    direction,
    layers_within,
)

if TYPE_CHECKING:
    import pandas as pd

CAUSAL, GAP = 0.5, 0.1
ASKED, VERDICTS = READ_AT["verdict"], [" true", " false"]


def verdict_gap(
    lm: Any, statements: Sequence[Judged], place: str, push: np.ndarray | None = None, layer: int = 0
) -> np.ndarray:
    """P(true) - P(false) as the verdict on each statement, with `push` (width,) added at the last two tokens of it, or
    of the question for the verdict.
    """
    from xllm_widgets.models.edits import Steer

    groups: dict[int, list[int]] = defaultdict(list)
    prompts = [f"{before_statement(lm)} {s.text}{ASKED}" for s in statements]
    for i, prompt in enumerate(prompts):
        groups[_tokens_behind(lm, prompt, ASKED.removeprefix(READ_AT[place]))].append(i)
    gap = np.empty(len(prompts))
    for behind, members in groups.items():
        edits = [] if push is None else [Steer(push, layer, 1.0, [-behind - 2, -behind - 1])]
        with lm.edit(*edits):
            p = np.exp(lm.logprobs([prompts[i] for i in members], VERDICTS))
        gap[members] = p[:, 0] - p[:, 1]
    return gap


def _tokens_behind(lm: Any, prompt: str, behind: str) -> int:
    """How many of its tokens the prompt's last characters `behind` take up."""
    tokens = lm.tokens(prompt)
    end = len(prompt) - len(behind)
    return len(tokens.ids) - tokens.covering(end - 1, end)[1]


def pushes(sets: Sets, names: Sequence[str], layer: int, randoms: int, seed: int) -> dict[str, np.ndarray]:
    """Method → what moves a false statement to where true ones lie along that method's direction: (width,).

    Every direction is scaled to cover the whole gap between the two means; random ones are as long as mass-mean's.
    """
    X, y = centred(sets, "fit", names, layer)
    gap, rng, found = X[y].mean(0) - X[~y].mean(0), np.random.default_rng(seed), {}
    for method in METHODS:
        theta = direction(sets, method, names, layer, seed)
        if theta is not None and np.linalg.norm(theta) > 0:
            unit = theta / np.linalg.norm(theta)
            found[method] = (gap @ unit) * unit
    for number in range(randoms):
        noise = rng.normal(size=len(gap))
        found[f"random {number}"] = noise * np.linalg.norm(gap) / np.linalg.norm(noise)
    return found


def nie(false: np.ndarray, true: np.ndarray) -> float:
    """Mean of both ways, from (items, 2) gaps before and after: false statements pushed up, true ones pushed down.

    Not a number where the model itself does not tell them apart (gap under GAP): there is no way to cover.
    """
    (f, f_after), (t, t_after) = false.mean(0), true.mean(0)
    if t - f < GAP:
        return float("nan")
    return float(((f_after - f) / (t - f) + (t_after - t) / (f - t)) / 2)


def choose_layer(lm: Any, sets: Sets, names: Sequence[str], statements: Sequence[Judged]) -> int:
    """The layer at which pushing along mass-mean opens the verdict of fitting statements most."""
    base = verdict_gap(lm, statements, sets.place)
    sign = np.where([s.true for s in statements], -1, 1)

    def work(layer: int) -> float:
        theta = pushes(sets, names, layer, 0, 0)["mass-mean"]
        return float((sign * (_pushed(lm, statements, sets.place, theta, layer) - base)).mean())

    layers = layers_within(lm.n_layers)
    moved = work_through(layers, work, completes=True)
    return int(layers[int(np.argmax(moved))])


def _pushed(lm: Any, statements: Sequence[Judged], place: str, theta: np.ndarray, layer: int) -> np.ndarray:
    """False statements pushed up, true ones down."""
    gap, true = np.empty(len(statements)), np.array([s.true for s in statements])
    for members, sign in ((np.flatnonzero(~true), 1), (np.flatnonzero(true), -1)):
        if len(members):
            gap[members] = verdict_gap(lm, [statements[i] for i in members.tolist()], place, sign * theta, layer)
    return gap


def effects(
    lm: Any, sets: Sets, names: Sequence[str], layer: int, randoms: int, seed: int
) -> tuple[pd.DataFrame, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """NIE of every method's push on held-out statements of the kinds it was not trained on (its own, where alone).

    Gives rows in the shape of `transfer`, and method → gaps (before, after) of false and of true statements.
    """
    import pandas as pd

    tested = [name for name in sets.names if name not in names and not name.startswith("neg ")] or list(names[:1])
    statements = [s for name in tested for s in sets.statements["test"][name]]
    base, true = verdict_gap(lm, statements, sets.place), np.array([s.true for s in statements])
    every = pushes(sets, names, layer, randoms, seed)

    def work(method: str) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
        both = np.stack([base, _pushed(lm, statements, sets.place, every[method], layer)], axis=1)
        return method, (both[~true], both[true])

    gaps = dict(work_through(list(every), work, completes=True))
    rows = []
    for method, (false, right) in gaps.items():
        interval = bootstrap(nie, false, right)
        rows.append({"measure": "NIE", "place": sets.place, "method": method, "trained_on": " + ".join(names),
                     "layer": layer, "tested_on": ", ".join(tested), "estimate": interval.estimate, "low": interval.low,
                     "high": interval.high, "n": interval.n})  # fmt: skip
    return pd.DataFrame(rows), gaps


def causal_claims(lm: Any, rows: pd.DataFrame, gaps: dict[str, tuple[np.ndarray, np.ndarray]]) -> list[Claim]:
    """Mass-mean covers at least half the way, a random direction next to nothing, logistic less."""
    table = rows.set_index("method")
    random = table[table.index.str.startswith("random")]["estimate"]
    null = None if random.isna().all() else float(random.abs().mean())
    found = table.loc["mass-mean", ["estimate", "low", "high", "n"]]
    where = f"at the {rows['place'].iloc[0]}"
    claims = [claim("truth_directions", lm, f"Pushed along mass-mean {where} (layer "
                    f"{int(table.loc['mass-mean', 'layer'])}), false statements are judged true and true ones false "
                    "(NIE ≥ 0.5)", found, CAUSAL, null=0.0, control=null)]  # fmt: skip
    for rival in ("logistic", "CCS"):
        if rival in gaps:
            samples = [
                np.concatenate([a, b[:, 1:]], axis=1) for a, b in zip(gaps["mass-mean"], gaps[rival], strict=True)
            ]
            lead = bootstrap(lambda f, t: nie(f[:, :2], t[:, :2]) - nie(f[:, ::2], t[:, ::2]), *samples)
            statement = f"Mass-mean {where} is more causal than {rival} (difference of NIE > 0)"
            claims.append(claim("truth_directions", lm, statement, lead, 0.0, null=0.0))
    return claims


def random_note(rows: pd.DataFrame) -> list[str]:
    """Whether the null held, in words; or that the model gives no verdicts, so that nothing can be said."""
    random = rows[rows["method"].str.startswith("random")]["estimate"]
    if random.isna().all():
        return [f"the model does not tell true from false in its verdicts (gap under {GAP}): no NIE can be given"]
    size = float(random.abs().mean())
    return [f"random directions of equal norm: |NIE| {size:.2f}{'' if size < 0.1 else ', above the 0.1 allowed'}"]
