"""The dial from lie to truth: a direction added to what the model reads, and what that costs (Zou et al., 2023).

Where one steers matters as much as how hard: a model may read off the speaker's tokens, by attention, whether to tell
the truth, and then a push on the statement's own tokens comes too late. So the place, the layers and the strength are
chosen on facts of their own, by one rule, and what is reported is measured on facts that took no part in the choice.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.methods.steering import SteeringVector
from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.progress import work_through
from xllm_widgets.studies.representation_claims import bootstrap, claim
from xllm_widgets.studies.representation_items import Fact, Voice, neutral_texts
from xllm_widgets.studies.representation_reading import Pairs
from xllm_widgets.studies.representation_streams import heard, token_places

if TYPE_CHECKING:
    import pandas as pd

MOVED, RANDOM, COST = 0.3, 0.05, 0.10
STRENGTHS = (0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0)  # residual norms a layer
DIAL = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)  # of the chosen strength
WHERE = {"speaker": (0, 3), "statement": (3, 6), "everywhere": (3, 6)}
"""Tokens to steer → which of PLACES (from, to) the direction is read at. "speaker": from the speaker word to the
statement; "statement": its tokens; "everywhere": every token, also of what is written next."""
LONGEST = 64  # tokens of a statement
STRAYING = range(1000, 1004)  # seeds of the random directions to choose with; those to report on have others


@dataclass(frozen=True)
class Setting:
    """How to steer: which tokens, which layers, how many residual norms at each."""

    where: str
    layers: tuple[int, ...]
    strength: float

    def describe(self) -> str:
        """In words, for a note."""
        layers = f"layer {self.layers[0]}" if len(self.layers) == 1 else f"layers {self.layers[0]} to {self.layers[-1]}"
        return f"steered at the tokens of {self.where!r}, {layers}, {self.strength:g} residual norms each"


@dataclass(frozen=True)
class Ask:
    """A speaker about to tell a fact; `tokens`: where → the token numbers to steer."""

    item: int
    kind: str
    honest: bool
    prompt: str
    endings: tuple[str, ...]
    tokens: dict[str, tuple[int, ...] | str]


def asks_of(lm: Any, voice: Voice, facts: Sequence[Fact], seed: int, *, test: bool) -> list[Ask]:
    """Every fact before an honest and before a lying speaker of the same name, the honest one first."""
    from xllm_widgets.microworld.arithmetic import PEOPLE

    asks = []
    for item, fact in enumerate(facts):
        rng = random.Random(f"ask {item} {seed}")
        who = rng.choice(PEOPLE)
        for honest in (True, False):
            prompt, spans = heard(voice, rng.choice(voice.words(honest, test)), who, fact.stem)
            tokens = lm.tokens(prompt)
            first, start = tokens.covering(*spans["speaker word"])[0], tokens.covering(*spans["statement start"])[0]
            last = token_places(tokens, spans)["before the statement"]
            places: dict[str, tuple[int, ...] | str] = {
                "speaker": tuple(range(first, max(last + 1, first + 1))),
                "statement": tuple(range(start, start + LONGEST)),
                "everywhere": "all",
            }
            asks.append(Ask(item, fact.kind, honest, prompt, fact.endings, places))
    return asks


def p_true(
    lm: Any, asks: Sequence[Ask], where: str = "everywhere", vector: SteeringVector | None = None, strength: float = 0.0
) -> np.ndarray:
    """The share of the true ending in the probability of all endings, under the vector: (asks,)."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, ask in enumerate(asks):
        groups[ask.tokens[where]].append(i)
    shares = np.empty(len(asks))
    for tokens, members in groups.items():
        with _steered(lm, vector, strength, tokens):
            scores = lm.logprobs([asks[i].prompt for i in members], [list(asks[i].endings) for i in members])
        scores = np.where(np.isnan(scores), -np.inf, scores)
        shares[members] = np.exp(scores[:, 0] - np.logaddexp.reduce(scores, axis=1))
    return shares


def surprise(
    lm: Any, texts: Sequence[str], tokens: Any = "all", vector: SteeringVector | None = None, strength: float = 0.0
) -> np.ndarray:
    """Nats a token of each text behind its first word, under the vector: (texts,). Perplexity is its exponential."""
    heads = [text.split(" ", 1)[0] for text in texts]
    tails = [[text[len(head) :]] for text, head in zip(texts, heads, strict=True)]
    with _steered(lm, vector, strength, tokens):
        total = lm.logprobs(heads, tails)[:, 0]
    counts = [len(lm.tokens(text).ids) - len(lm.tokens(head).ids) for text, head in zip(texts, heads, strict=True)]
    return -total / np.maximum(counts, 1)


def _steered(lm: Any, vector: SteeringVector | None, strength: float, tokens: Any):
    if vector is None or strength == 0:
        return nullcontext()
    return lm.edit(*vector.steer(lm, strength, tokens))


def vector_for(lm: Any, pairs: Pairs, where: str) -> SteeringVector:
    """Honest minus lying, read at the tokens that are to be steered, one residual norm long at every layer."""
    first, last = WHERE[where]
    sides = [side["fit"][:, :, first:last].mean((0, 2)) for side in (pairs.honest, pairs.lying)]
    norms = dict(enumerate(pairs.norms.tolist()))
    made = SteeringVector.of(dict(enumerate(sides[0] - sides[1])), norms, model=lm.name, concept="honest minus lying",
                             method="mean difference", place=where, pairs=len(pairs.honest["fit"]))  # fmt: skip
    return made.normalised()


def bands(n_layers: int) -> list[tuple[int, ...]]:
    """Layers to steer together: the lower, middle and upper third of the blocks, and all of them."""
    thirds = [tuple(int(k) for k in part) for part in np.array_split(np.arange(1, n_layers + 1), 3) if len(part)]
    return list(dict.fromkeys([*thirds, tuple(range(1, n_layers + 1))]))


def choose_setting(
    lm: Any, pairs: Pairs, asks: Sequence[Ask], texts: Sequence[str], wheres: Sequence[str], layers: Any
) -> tuple[Setting, SteeringVector]:
    """The setting whose weaker direction moves P(true) most, among those whose perplexity cost stays within COST and
    under which random directions surely move it by less than RANDOM.

    Where random directions stray under every setting that is cheap, the strongest of these; where none is cheap, the
    cheapest. Decided on validation facts, texts and random directions alone.
    """
    wanted = bands(lm.n_layers) if layers is None else [tuple(layers)]
    settings = [Setting(where, band, s) for where in wheres for band in wanted for s in STRENGTHS]
    vectors = {where: vector_for(lm, pairs, where) for where in wheres}
    before, plain = p_true(lm, asks), surprise(lm, texts)

    def work(setting: Setting) -> tuple[float, float, Setting]:
        vector = vectors[setting.where].at(setting.layers)
        moves = []
        for honest, sign in ((True, -1), (False, 1)):
            here = [i for i, ask in enumerate(asks) if ask.honest == honest]
            after = p_true(lm, [asks[i] for i in here], setting.where, vector, sign * setting.strength)
            moves.append(float(sign * (after - before[here]).mean()))
        tokens = asks[0].tokens[setting.where]
        costs = [np.expm1(surprise(lm, texts, tokens, vector, s * setting.strength) - plain).mean() for s in (-1, 1)]
        return min(moves), float(max(costs)), setting

    tried = work_through(settings, work, completes=True)
    cheap = [setting for _, cost, setting in sorted(tried, key=lambda row: -row[0]) if cost <= COST]
    still = (s for s in cheap if _stray(lm, asks, s, vectors[s.where].at(s.layers), before) < RANDOM)
    best = next(still, cheap[0]) if cheap else min(tried, key=lambda row: row[1])[2]
    return best, vectors[best.where].at(best.layers)


def _stray(lm: Any, asks: Sequence[Ask], setting: Setting, vector: SteeringVector, before: np.ndarray) -> float:
    """How far random directions of equal norm may move the mean P(true) of either speaker: the interval's upper end.

    Its middle would let through, of many settings tried, those that happened to look still.
    """
    honest = np.array([ask.honest for ask in asks])
    moves = []
    for number, sign in itertools.product(STRAYING, (-1, 1)):
        after = p_true(lm, asks, setting.where, vector.random(number), sign * setting.strength)
        moves += [(after - before)[side] for side in (honest, ~honest)]
    return random_size(np.stack(moves, axis=1)).high


def random_size(changes: np.ndarray) -> statistics.Interval:
    """The mean size of mean changes, one column a random direction, sign and speaker: (items, columns)."""
    return bootstrap(lambda rows: float(np.abs(rows.mean(0)).mean()), changes)


def measure_dial(
    lm: Any, asks: Sequence[Ask], setting: Setting, vector: SteeringVector, randoms: int, seed: int
) -> pd.DataFrame:
    """P(true) of every ask at every notch of the dial, and under random directions of equal norm both ways."""
    import pandas as pd

    cells = [("concept", vector, notch) for notch in DIAL]
    cells += [(f"random {r}", vector.random(seed + r), notch) for r in range(randoms) for notch in (-1.0, 1.0)]

    def work(part: Sequence[int]) -> pd.DataFrame:
        here = [ask for ask in asks if ask.item in set(part)]
        rows = []
        for name, pushed, notch in cells:
            strength = notch * setting.strength
            values = p_true(lm, here, setting.where, pushed, strength)
            about = {"measure": "P(true)", "direction": name, "notch": notch, "strength": strength}
            rows += [about | {"item": ask.item, "kind": ask.kind, "speaker": "honest" if ask.honest else "lying",
                              "value": float(value)} for ask, value in zip(here, values, strict=True)]  # fmt: skip
        return pd.DataFrame(rows)

    items = sorted({ask.item for ask in asks})
    return pd.concat(work_through([items[i : i + 8] for i in range(0, len(items), 8)], work), ignore_index=True)


def measure_cost(
    lm: Any, texts: Sequence[str], tokens: Any, setting: Setting, vector: SteeringVector, randoms: int, seed: int
) -> pd.DataFrame:
    """Perplexity of neutral texts, divided by the unsteered one, minus 1; both ways, concept and random directions."""
    import pandas as pd

    plain, rows = surprise(lm, texts), []
    pushes = [("concept", vector), *((f"random {r}", vector.random(seed + r)) for r in range(randoms))]
    for (name, pushed), notch in ((push, notch) for push in pushes for notch in (-1.0, 1.0)):
        strength = notch * setting.strength
        costs = np.expm1(surprise(lm, texts, tokens, pushed, strength) - plain)
        rows += [{"measure": "perplexity cost", "item": i, "kind": "neutral text", "speaker": "nobody",
                  "direction": name, "notch": notch, "strength": strength, "value": float(cost)}
                 for i, cost in enumerate(costs)]  # fmt: skip
    return pd.DataFrame(rows)


def changes(table: pd.DataFrame, speaker: str, direction: str, notch: float, base: pd.DataFrame) -> np.ndarray:
    """P(true) at a notch minus P(true) unsteered, per item, of one speaker under one direction: (items,)."""

    def column(rows: pd.DataFrame, name: str, at: float) -> pd.Series:
        here = (rows["measure"] == "P(true)") & (rows["speaker"] == speaker)
        return rows[here & (rows["direction"] == name) & (rows["notch"] == at)].set_index("item")["value"]

    return (column(table, direction, notch) - column(base, "concept", 0.0)).to_numpy()


def control_claims(lm: Any, table: pd.DataFrame, control: pd.DataFrame) -> list[Claim]:
    """Both directions, the random direction, the price."""
    claims = []
    randoms = sorted(set(control["direction"]))
    every = {
        s: np.stack([changes(control, s, r, n, table) for r in randoms for n in (-1.0, 1.0)])
        for s in ("honest", "lying")
    }
    for speaker, notch, words in (("lying", 1.0, "Towards honesty, a lying speaker's P(true) rises"),
                                  ("honest", -1.0, "Towards lying, an honest speaker's P(true) falls")):  # fmt: skip
        moved = statistics.bootstrap_mean(notch * changes(table, speaker, "concept", notch, table))
        null = float(np.abs(every[speaker].mean(1)).mean())
        claims.append(claim("control_vectors", lm, f"{words} by 0.3 or more on unseen facts", moved, MOVED, null=0.0,
                            control=null))  # fmt: skip
    both = np.concatenate(list(every.values())).T  # (items, random directions × signs × speakers)
    claims.append(claim("control_vectors", lm, "A random direction of equal norm moves P(true) by less than 0.05",
                        random_size(both), RANDOM, null=RANDOM, seeds=len(randoms), kind="at most"))  # fmt: skip
    rows = table[table["measure"] == "perplexity cost"].groupby("item")["value"].mean()
    null = float(control.loc[control["measure"] == "perplexity cost", "value"].mean())
    claims.append(claim("control_vectors", lm, f"Neutral texts become at most 10 % more perplexing (random direction "
                        f"{null:+.0%})", statistics.bootstrap_mean(rows), COST, null=COST, kind="at most"))  # fmt: skip
    return claims


def held_out_texts(n: int, seed: int) -> tuple[list[str], list[str]]:
    """Neutral texts to choose with (a third of `n`, at least three) and `n` others to report on."""
    few = max(3, n // 3)
    texts = neutral_texts(n + few, seed)
    return texts[:few], texts[few:]
