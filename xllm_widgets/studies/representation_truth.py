"""Is truth a direction? Probes trained on one set of statements and tested on others (Marks & Tegmark, 2023).

A model may know whether a statement holds as soon as it has read it, or not before it is asked. So truth is looked for
in two places: at the statement's last token, and where its verdict is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.methods import probing
from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.representation_claims import claim
from xllm_widgets.studies.representation_items import Judged, draw_judged, is_bundled
from xllm_widgets.studies.representation_streams import PROMPTS_A_PART, chunks

if TYPE_CHECKING:
    import pandas as pd

TRANSFERS, REVERSES = 0.85, 0.5
READ_AT = {"statement end": "", "verdict": "\nVerdict:"}
"""Where the stream is read → what stands behind the statement there."""
METHODS = ("mass-mean", "mass-mean, tilted", "logistic", "CCS")
SPLITS = ("fit", "test")
SHOTS = (
    "Statement: Berlin is a city in Germany.\nVerdict: true\nStatement: Berlin is a city in China.\nVerdict: false\n"
    "Statement: Lima is not a city in Peru.\nVerdict: false\nStatement: Lima is not a city in Egypt.\nVerdict: true\n"
)
"""What a model from a hub is shown first; the bundled ones were taught to give verdicts."""


def before_statement(lm: Any) -> str:
    """The text in front of every statement, the same for reading, for verdicts and for steering."""
    return f"{'' if is_bundled(lm) else SHOTS}Statement:"


@dataclass
class Sets:
    """Split → set name → the statements, their streams at a place of READ_AT (statements, layers, width), and how
    likely the model finds the statement, nats a token (statements,).
    """

    place: str
    statements: dict[str, dict[str, list[Judged]]]
    streams: dict[str, dict[str, np.ndarray]]
    likelihood: dict[str, dict[str, np.ndarray]]

    def truth(self, split: str, name: str) -> np.ndarray:
        """Whether each statement of a set is true: (statements,)."""
        return np.array([statement.true for statement in self.statements[split][name]])

    @property
    def names(self) -> list[str]:
        """The sets there are, negations beside their kind."""
        return list(self.statements["fit"])

    @property
    def kinds(self) -> list[str]:
        """Subject matters, the first of which the study trains on."""
        return list(dict.fromkeys(name.removeprefix("neg ") for name in self.names))

    def of_kind(self, kind: str) -> list[str]:
        """The set of a kind, and the set of its negations where there is one."""
        return [name for name in (kind, f"neg {kind}") if name in self.names]


def read_sets(lm: Any, trials: int, seed: int, data: Any = None) -> list[Sets]:
    """Read every statement at each place of READ_AT. Stopped early, every set keeps the same number of statements."""
    statements = draw_judged(lm, trials, seed, data)
    longest = max(len(every) for split in SPLITS for every in statements[split].values())
    keys = [(split, name) for split in SPLITS for name in statements[split]]
    size = max(1, PROMPTS_A_PART // len(keys))

    def work(part: Sequence[int]) -> list[tuple[Any, ...]]:
        here = [(s, n, statements[s][n][i]) for i in part for s, n in keys if i < len(statements[s][n])]
        texts = [judged.text for *_, judged in here]
        streams = [
            lm.activations([f"{before_statement(lm)} {text}{behind}" for text in texts], positions=-1)[:, :, 0]
            for behind in READ_AT.values()
        ]
        likelihood = lm.logprobs([before_statement(lm)] * len(texts), [[f" {text}"] for text in texts])[:, 0]
        tokens = [max(1, len(lm.tokens(text).ids)) for text in texts]
        read = zip(here, likelihood, tokens, *streams, strict=True)
        return [(*case, p / n, *each) for case, p, n, *each in read]

    rows = [row for part in work_through(chunks(range(longest), size), work) for row in part]
    grouped = {key: [row for row in rows if row[:2] == key] for key in keys}
    if any(len({row[2].true for row in group}) < 2 for group in grouped.values()):
        raise XllmError("Too few statements were read to tell true from false; let it run longer, or raise trials.")

    def gathered(column: int, of: Any = np.array) -> dict[str, dict[str, Any]]:
        return {s: {n: of([row[column] for row in grouped[s, n]]) for z, n in keys if z == s} for s in SPLITS}

    judged, likelihood = gathered(2, list), gathered(3)
    return [Sets(place, judged, gathered(4 + k), likelihood) for k, place in enumerate(READ_AT)]


def centred(sets: Sets, split: str, names: Sequence[str], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Streams of some sets at one layer, each set on its own mean, and whether the statements are true."""
    streams = [sets.streams[split][name][:, layer] for name in names]
    return np.concatenate([x - x.mean(0) for x in streams]), np.concatenate([sets.truth(split, n) for n in names])


def layers_within(n_layers: int) -> range:
    """The layers to look at: not the embeddings, the same full stop or colon for all, nor the last, which is the answer
    itself.
    """
    return range(1, max(n_layers, 2))


def choose_layer(sets: Sets) -> int:
    """The layer where mass-mean probes read their own kind's statements best, both polarities, by halves of "fit"."""
    scores = layer_scores(sets)
    return max(scores, key=lambda layer: scores[layer])


def layer_scores(sets: Sets) -> dict[int, float]:
    """Layer → mean accuracy of mass-mean probes on their own kind's statements, by halves of "fit"."""
    n_layers = sets.streams["fit"][sets.names[0]].shape[1] - 1
    return {
        layer: float(np.mean([_halves(*centred(sets, "fit", sets.of_kind(kind), layer)) for kind in sets.kinds]))
        for layer in layers_within(n_layers)
    }


def _halves(X: np.ndarray, y: np.ndarray) -> float:
    """Accuracy on every other pair of items of the probe fitted on the rest, both ways."""
    even = np.arange(len(y)) // 2 % 2 == 0
    sides = [(even, ~even), (~even, even)]
    usable = [(a, b) for a, b in sides if 0 < y[a].sum() < a.sum()]
    return float(np.mean([probing.accuracy(probing.mass_mean(X[a], y[a]), X[b], y[b]) for a, b in usable] or [0.5]))


def direction(sets: Sets, method: str, names: Sequence[str], layer: int, seed: int = 0) -> np.ndarray | None:
    """A truth direction (width,) from the "fit" half of the named sets; None where the method cannot use them.

    CCS needs statements with their negations, in the same order, and no labels but for the sign.
    """
    X, y = centred(sets, "fit", names, layer)
    if method == "CCS":
        if len(names) != 2 or not _are_pairs(sets, names):
            return None
        first, second = (sets.streams["fit"][name][:, layer] for name in names)
        return probing.ccs(first, second, sets.truth("fit", names[0]), seed=seed)
    fits = {"mass-mean": probing.mass_mean, "logistic": probing.logistic,
            "mass-mean, tilted": lambda X, y: probing.mass_mean(X, y, tilt=True)}  # fmt: skip
    return fits[method](X, y)


def _are_pairs(sets: Sets, names: Sequence[str]) -> bool:
    first, second = (sets.truth("fit", name) for name in names)
    return len(first) == len(second) and bool((first != second).all())


def hits(sets: Sets, theta: np.ndarray, names: Sequence[str], layer: int) -> np.ndarray:
    """1 for each held-out statement of the named sets that the direction puts on the right side, else 0."""
    X, y = centred(sets, "test", names, layer)
    return ((X @ theta > 0) == y).astype(float)


def trainings(sets: Sets) -> list[list[str]]:
    """What probes are trained on: each kind's affirmative statements alone, and with their negations."""
    each = [[sets.of_kind(kind)[:1], sets.of_kind(kind)] for kind in sets.kinds]
    return [names for pair in each for i, names in enumerate(pair) if i == 0 or len(names) > 1]


def transfer(sets: Sets, layer: int, seed: int) -> pd.DataFrame:
    """One row per method, training and tested set: accuracy on held-out statements with its interval."""
    import pandas as pd

    rows = []
    for method, names in ((method, names) for method in METHODS for names in trainings(sets)):
        theta = direction(sets, method, names, layer, seed)
        if theta is None:
            continue
        for tested in sets.names:
            interval = statistics.proportion(hits(sets, theta, [tested], layer))
            rows.append({"measure": "accuracy", "place": sets.place, "method": method,
                         "trained_on": " + ".join(names), "tested_on": tested,
                         "layer": layer, "estimate": interval.estimate, "low": interval.low, "high": interval.high,
                         "n": interval.n})  # fmt: skip
    return pd.DataFrame(rows)


def null_transfer(sets: Sets, layer: int, shuffles: int, seed: int) -> pd.DataFrame:
    """Trained on the first kind, tested on every set: shuffled labels, and likelihood for truth."""
    import pandas as pd

    rng, names, rows = np.random.default_rng(seed), sets.of_kind(sets.kinds[0]), []
    X, y = centred(sets, "fit", names, layer)
    shuffled = [probing.mass_mean(X, rng.permutation(y)) for _ in range(shuffles)]
    nulls = {"shuffled labels": shuffled, "likelihood": [likelihood_direction(sets, names, layer)]}
    for (name, thetas), tested in ((null, tested) for null in nulls.items() for tested in sets.names):
        values = [float(hits(sets, theta, [tested], layer).mean()) for theta in thetas]
        rows.append({"measure": "accuracy", "place": sets.place, "method": name,
                     "trained_on": " + ".join(names), "tested_on": tested, "layer": layer,
                     "estimate": float(np.mean(values)), "n": len(values)})  # fmt: skip
    return pd.DataFrame(rows)


def likelihood_direction(sets: Sets, names: Sequence[str], layer: int) -> np.ndarray:
    """A mass-mean probe for "the model finds this text likelier than most of its set": what truth must not be."""
    X, _ = centred(sets, "fit", names, layer)
    ranks = [sets.likelihood["fit"][name].argsort(kind="stable").argsort() for name in names]
    likely = [rank >= len(rank) / 2 for rank in ranks]
    return probing.mass_mean(X, np.concatenate(likely))


def transfer_claims(lm: Any, sets: Sets, layer: int, control: pd.DataFrame, seed: int) -> list[Claim]:
    """From the first kind to all others; to its own negations; against logistic regression and likelihood."""
    first, others = sets.of_kind(sets.kinds[0]), [n for n in sets.names if n not in sets.of_kind(sets.kinds[0])]
    trained, where, claims = " and ".join(first), f"at the {sets.place}", []

    def say(statement: str, values: np.ndarray, threshold: float, **rule: Any) -> None:
        share = statistics.proportion if set(np.unique(values)) <= {0.0, 1.0} else statistics.bootstrap_mean
        claims.append(claim("truth_directions", lm, statement, share(values), threshold, **rule))

    if others:
        right = {
            m: hits(sets, t, others, layer)
            for m in METHODS
            if (t := direction(sets, m, first, layer, seed)) is not None
        }
        null = control[(control["method"] == "shuffled labels") & control["tested_on"].isin(others)]["estimate"].mean()
        say(f"A mass-mean direction from {trained} reads the truth of every other kind of statement {where} (layer "
            f"{layer}; accuracy ≥ 85 %)", right["mass-mean"], TRANSFERS, null=0.5, control=float(null))  # fmt: skip
        for rival in ("logistic", "CCS"):
            if rival in right:
                say(f"It reads their truth {where} better than a {rival} direction does (difference of accuracies > 0)",
                    right["mass-mean"] - right[rival], 0.0, null=0.0)  # fmt: skip
        likely = hits(sets, likelihood_direction(sets, first, layer), others, layer)
        say(f"It is not likelihood: a probe for likely text {where} reads truth less well (difference of accuracies "
            "> 0)", right["mass-mean"] - likely, 0.0, null=0.0)  # fmt: skip
    if len(first) == 2:
        alone = direction(sets, "mass-mean", first[:1], layer)
        assert alone is not None
        say(f"Trained on {first[0]} alone, it reads the negations {where} the wrong way round (accuracy under 50 %)",
            hits(sets, alone, first[1:], layer), REVERSES, null=REVERSES, kind="at most")  # fmt: skip
    return claims


def truth_plane(
    lm: Any, *, trials: int = 60, seed: int = 0, layer: int | None = None, data: Any = None
) -> pd.DataFrame:
    """Every statement as a point, for a scatter that can be centred and turned: one row a statement.

    The stream is read at the place of READ_AT where probes, by halves of what they are fitted on, do better.
    Columns: place, text, set, true, held_out, truth (projection on the unit mass-mean direction of all sets), other
    (the first principal component of what is left), each set on its own mean; and truth_raw, other_raw, with no set
    centred.
    """
    import pandas as pd
    from sklearn.decomposition import PCA

    sets = max(read_sets(lm, trials, seed, data), key=lambda sets: max(layer_scores(sets).values()))
    layer = choose_layer(sets) if layer is None else layer
    theta = probing.mass_mean(*centred(sets, "fit", sets.names, layer))
    theta /= np.linalg.norm(theta) or 1.0
    X, _ = centred(sets, "fit", sets.names, layer)
    other = PCA(1).fit(X - np.outer(X @ theta, theta)).components_[0]
    rows = []
    for split, name in ((split, name) for split in SPLITS for name in sets.names):
        x = sets.streams[split][name][:, layer]
        points = np.stack([(x - x.mean(0)) @ theta, (x - x.mean(0)) @ other, x @ theta, x @ other], axis=1)
        rows += [(sets.place, s.text, name, s.true, split == "test", *point)
                 for s, point in zip(sets.statements[split][name], points.tolist(), strict=True)]  # fmt: skip
    columns = ["place", "text", "set", "true", "held_out", "truth", "other", "truth_raw", "other_raw"]
    return pd.DataFrame(rows, columns=columns)
