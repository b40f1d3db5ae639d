"""Linear artificial tomography: is the speaker honest or lying, read at every layer and place (Zou et al., 2023)?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xllm_widgets.methods import probing
from xllm_widgets.methods.steering import SteeringVector
from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.representation_claims import claim
from xllm_widgets.studies.representation_items import Fact, Voice, draw_facts, voice_for
from xllm_widgets.studies.representation_streams import (
    PLACES,
    PROMPTS_A_PART,
    chunks,
    heard,
    interleaved,
    residual_norms,
    streams_at,
    token_places,
    unheard,
)

if TYPE_CHECKING:
    import pandas as pd

READ = 0.90
DISTANCE = 3  # tokens between the speaker word and where honesty is read: nearer, a probe may read the word itself
SPLITS = ("fit", "validate", "test")
METHODS = ("difference PCA", "mean difference", "logistic")
MASKED, STATEMENT = PLACES[2:], PLACES[3:]


class Reading(NamedTuple):
    """A direction (width,) and the point that separates the sides: score = (stream - centre) · direction."""

    direction: np.ndarray
    centre: np.ndarray

    def hits(self, honest: np.ndarray, lying: np.ndarray) -> np.ndarray:
        """Per pair, the share of its two members read rightly: (pairs,)."""
        above = [(side - self.centre) @ self.direction > 0 for side in (honest, lying)]
        return (above[0].astype(float) + ~above[1]) / 2


@dataclass
class Pairs:
    """Streams of the same statements said by honest and by lying speakers: (pairs, layers, places, width).

    `distance` (places,): fewest tokens between the speaker word and the place. `norms` (layers,).
    """

    honest: dict[str, np.ndarray]
    lying: dict[str, np.ndarray]
    distance: np.ndarray
    norms: np.ndarray


def read_pairs(lm: Any, trials: int, seed: int, data: Any = None, *, splits: Sequence[str] = SPLITS) -> Pairs:
    """Read pairs for fitting, choosing and testing; test pairs have subjects, and a speaker word, of their own.

    Under "masked" stands what an honest speaker says truly and a liar falsely, the speaker word left out (MASKED).
    """
    counts = {"fit": trials, "validate": max(8, trials // 2), "test": trials}
    voice = voice_for(lm)
    facts = {s: draw_facts(lm, counts[s], "test" if s == "test" else "train", s, seed, data) for s in splits}
    order = [(splits[which], i) for which, i in interleaved(*(len(facts[split]) for split in splits))]
    rngs = {case: random.Random(f"{case} {seed}") for case in order}
    work = _reader(lm, voice, facts, rngs)
    parts = work_through(chunks(order, PROMPTS_A_PART // 3), work)
    rows = [row for part in parts for row in part]
    honest, lying = ({s: np.stack([row[arm] for row in rows if row["split"] == s]) for s in splits}
                     for arm in ("honest", "lying"))  # fmt: skip
    if "test" in splits:
        for arm, side in (("honest", honest), ("lying", lying)):
            side["masked"] = np.stack([row[f"masked {arm}"] for row in rows if row["split"] == "test"])
    return Pairs(honest, lying, np.min([row["distance"] for row in rows], axis=0), residual_norms(honest["fit"]))


def _reader(lm: Any, voice: Voice, facts: dict[str, list[Fact]], rngs: dict):
    def work(part: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        prompts: list[str] = []
        places: list[list[int]] = []
        rows: list[dict[str, Any]] = [{"split": split} for split, _ in part]
        for row, case in zip(rows, part, strict=True):
            for arm, prompt, spans in _arms(voice, facts[case[0]][case[1]], case[0], rngs[case]):
                at = token_places(lm.tokens(prompt), spans)
                row[arm] = len(prompts)
                if arm == "honest":
                    row["distance"] = np.array([at[place] - at["speaker word"] for place in PLACES])
                # a masked prompt lacks the first two places; its own first one stands in, and is never looked at
                places.append([at.get(place, at[MASKED[0]]) for place in PLACES])
                prompts.append(prompt)
        streams = streams_at(lm, prompts, places)
        return [{k: streams[v] if isinstance(v, int) else v for k, v in row.items()} for row in rows]

    return work


def _arms(voice: Voice, fact: Fact, split: str, rng: random.Random):
    """(arm, prompt, spans) of a pair: the same name and the same words, said by an honest and by a lying speaker."""
    from xllm_widgets.microworld.arithmetic import PEOPLE

    who, test = rng.choice(PEOPLE), split == "test"
    for arm, is_honest in (("honest", True), ("lying", False)):
        yield (arm, *heard(voice, rng.choice(voice.words(is_honest, test)), who, fact.stem))
    if test:
        yield ("masked honest", *unheard(voice, who, fact.told))
        yield ("masked lying", *unheard(voice, who, fact.mistold))


def fit(method: str, honest: np.ndarray, lying: np.ndarray) -> Reading:
    """A reading from pairs (pairs, width) by one of METHODS; its centre lies midway between the two means."""
    X, y = np.concatenate([honest, lying]), np.arange(len(honest) + len(lying)) < len(honest)
    if method == "difference PCA":
        direction = probing.difference_pca(honest, lying)
    else:
        direction = (probing.mass_mean if method == "mean difference" else probing.logistic)(X, y)
    return Reading(direction, (honest.mean(0) + lying.mean(0)) / 2)


def scan(pairs: Pairs) -> pd.DataFrame:
    """One row per method, layer and place: accuracy on validation and (with interval) on held-out test pairs.

    `chosen`: the best on validation among layers above the embeddings and places within the statement (before it, every
    pair reads alike and nothing is held out) that lie DISTANCE tokens or more behind the speaker word.
    """
    import pandas as pd

    rows = []
    layers = range(pairs.honest["fit"].shape[1])
    for method, layer, p in ((m, layer, p) for m in METHODS for layer in layers for p in range(len(PLACES))):
        reading = fit(method, pairs.honest["fit"][:, layer, p], pairs.lying["fit"][:, layer, p])
        validation, test = (reading.hits(pairs.honest[s][:, layer, p], pairs.lying[s][:, layer, p]) for s in SPLITS[1:])
        interval = statistics.proportion(test)
        rows.append({"method": method, "layer": layer, "token": PLACES[p], "distance": int(pairs.distance[p]),
                     "validation": validation.mean(), "accuracy": interval.estimate, "low": interval.low,
                     "high": interval.high, "n": interval.n})  # fmt: skip
    table = pd.DataFrame(rows)
    within = table["token"].isin(STATEMENT) & (table["distance"] >= DISTANCE)
    allowed = table[within & (table["layer"] > 0)]
    best = [group["validation"].idxmax() for _, group in allowed.groupby("method", sort=False)]
    return table.assign(chosen=table.index.isin(best))


def nulls(pairs: Pairs, table: pd.DataFrame, shuffles: int, seed: int) -> pd.DataFrame:
    """The same readings where nothing should be read: pairs put together at random, and the speaker word masked."""
    import pandas as pd

    rows, rng = [], np.random.default_rng(seed)
    for _, row in table[table["chosen"]].iterrows():
        layer, p = int(row["layer"]), PLACES.index(row["token"])
        at = {s: (pairs.honest[s][:, layer, p], pairs.lying[s][:, layer, p]) for s in pairs.honest}
        mixed = [fit(row["method"], *_shuffled(*at["fit"], rng)).hits(*at["test"]).mean() for _ in range(shuffles)]
        masked = fit(row["method"], *at["fit"]).hits(*at["masked"])
        about = {"method": row["method"], "layer": layer, "token": row["token"]}
        for control, values in (("shuffled pairs", mixed), ("speaker word masked", masked)):
            rows.append(about | {"control": control, "accuracy": float(np.mean(values)), "n": len(values)})
    return pd.DataFrame(rows)


def _shuffled(honest: np.ndarray, lying: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    every = rng.permutation(np.concatenate([honest, lying]))
    return every[: len(honest)], every[len(honest) :]


def reading_claims(lm: Any, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """For each method at its chosen layer and place: read rightly, against the stronger of the two nulls."""
    claims = []
    for _, row in table[table["chosen"]].iterrows():
        null = float(control.loc[control["method"] == row["method"], "accuracy"].max())
        statement = (
            f"By {row['method']} (layer {row['layer']}, {row['token']}), honest and lying speakers are read apart on "
            "held-out statements, the speaker word new and out of sight (accuracy ≥ 90 %)"
        )
        interval = (row["accuracy"], row["low"], row["high"], row["n"])
        claims.append(claim("reading_vectors", lm, statement, interval, READ, null=0.5, control=null))
    return claims


def reading_directions(pairs: Pairs, place: str, method: str = "mean difference") -> dict[int, Reading]:
    """Layer → reading at one place, for the layer × token lens and for steering."""
    p = PLACES.index(place)
    layers = range(pairs.honest["fit"].shape[1])
    return {k: fit(method, pairs.honest["fit"][:, k, p], pairs.lying["fit"][:, k, p]) for k in layers}


def readings_anywhere(pairs: Pairs) -> dict[int, Reading]:
    """Layer → a logistic reading fitted on every place behind the speaker word at once, for a lens over all tokens.

    A reading of one place knows only that place's word; one that has to hold at all of them cannot lean on any.
    """
    layers = range(pairs.honest["fit"].shape[1])
    sides = [side["fit"][:, :, 1:].swapaxes(1, 2) for side in (pairs.honest, pairs.lying)]
    flat = [side.reshape(-1, *side.shape[2:]) for side in sides]
    return {k: fit("logistic", flat[0][:, k], flat[1][:, k]) for k in layers}


def honesty_vector(lm: Any, *, place: str = "statement end", trials: int = 60, seed: int = 0) -> SteeringVector:
    """Honest minus lying, as a steering vector for every layer above the embeddings: a value to add, scale and save.

    `place`: one of PLACES, where the difference is taken; its natural length is kept (see `.normalised()`).
    """
    pairs = read_pairs(lm, trials, seed, splits=("fit",))
    return _as_vector(lm, pairs, place, trials, seed)


def _as_vector(lm: Any, pairs: Pairs, place: str, trials: int, seed: int) -> SteeringVector:
    directions = {k: reading.direction for k, reading in reading_directions(pairs, place).items()}
    norms = dict(enumerate(pairs.norms.tolist()))
    return SteeringVector.of(directions, norms, model=lm.name, concept="honest minus lying", method="mean difference",
                             place=place, pairs=trials, seed=seed)  # fmt: skip
