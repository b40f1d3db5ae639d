"""Does the model agree with an explanation? Rank correlation with resampling ablation, and deletion curves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import rankdata

from ..errors import XllmError
from ..models.batching import Stop
from ..models.passes import embed, mean_embedding
from .ablation import Groups, Variation, beginning_of, resampled, unchanged, values_of

if TYPE_CHECKING:
    from .attribution import Attribution

N_BOOTSTRAP, N_RANDOM_ORDERS, SHARES = 1000, 8, np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Faithfulness:
    """How well scores agree with what replacing tokens does.

    `rank_correlation`: Spearman's ρ between |score| and |drop under resampling ablation| over the n tokens that are not
    special, with a 95 % bootstrap interval (`low`, `high`) over tokens; `signed_rank_correlation` compares with signs.
    `deletion_curve`, `random_curve`: the target's value after the weightiest (or randomly chosen) tokens, a share
    `shares` of them, were replaced by the mean embedding; below the random curve, the order is better than chance.
    """

    rank_correlation: float
    low: float
    high: float
    n: int
    signed_rank_correlation: float
    shares: np.ndarray
    deletion_curve: np.ndarray
    random_curve: np.ndarray

    def describe(self) -> str:
        """The verdict in one sentence."""
        gap = float(np.mean(self.random_curve - self.deletion_curve))
        return (
            f"Rank correlation with resampling ablation {self.rank_correlation:.2f} (95 % interval {self.low:.2f} to "
            f"{self.high:.2f}, n = {self.n} tokens); deleting by score lowers the target {gap:.2f} nats "
            "more than at random."
        )


def faithfulness(
    attribution: "Attribution", n_replacements: int, seed: int, *, target: int = 0, should_stop: Stop | None = None
) -> Faithfulness:
    """Test an attribution's scores for one of its targets against the model itself.

    Each token is replaced by `n_replacements` random ones, one token at a time; grouped scores are tested group by
    group. Raises XllmError if the model has changed since (the attribution was made under an edit that has ended).
    """
    objective, tokens = attribution.objective, attribution.tokens
    assert objective is not None
    x = embed(objective.lm, tokens.ids)[None]
    beginning = beginning_of(objective.lm, x)
    whole = values_of(objective, x, [unchanged(x)], beginning=beginning)[0, target]
    if abs(whole - attribution.values[target]) > 1e-3 * (1 + abs(whole)):
        raise XllmError("The model answers differently than when this was made; attribute again under the same edits.")
    ranges = attribution.groups or [(i, i + 1) for i, special in enumerate(tokens.special) if not special]
    scores = _scores(attribution, ranges, target)
    replaced = resampled(objective.lm, ranges, n_replacements, (seed, 1))
    changed = values_of(objective, x, replaced, should_stop, beginning=beginning)[:, target]
    drops = whole - changed.reshape(len(ranges), n_replacements).mean(1)
    low, high = bootstrap_interval(np.abs(scores), np.abs(drops), seed)
    orders = [np.argsort(-scores), *_shuffles(len(ranges), seed)]
    mean = mean_embedding(objective.lm)
    deletions = [v for o in orders for v in _deletions(o, ranges, x, mean)]
    curves = values_of(objective, x, deletions, should_stop, beginning=beginning)[:, target]
    curves = curves.reshape(len(orders), len(SHARES))
    return Faithfulness(
        rank_correlation(np.abs(scores), np.abs(drops)),
        low,
        high,
        len(ranges),
        rank_correlation(scores, drops),
        SHARES,
        curves[0],
        curves[1:].mean(0),
    )


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ of two arrays (…, n) along the last axis, ties sharing their mean rank; NaN if one is constant."""
    return float(_spearman(np.asarray(a)[None], np.asarray(b)[None])[0])


def bootstrap_interval(a: np.ndarray, b: np.ndarray, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of Spearman's ρ when the pairs (n,) are drawn again with replacement."""
    draws = np.random.default_rng(seed).integers(0, len(a), (N_BOOTSTRAP, len(a)))
    values = _spearman(np.asarray(a)[draws], np.asarray(b)[draws])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(rows, n), (rows, n) → (rows,)"""
    ra, rb = rankdata(a, axis=-1), rankdata(b, axis=-1)
    ra, rb = ra - ra.mean(-1, keepdims=True), rb - rb.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ra * rb).sum(-1) / np.sqrt((ra**2).sum(-1) * (rb**2).sum(-1))


def _scores(attribution: "Attribution", ranges: Groups, target: int) -> np.ndarray:
    if attribution.group_scores is not None:
        return attribution.group_scores[target]
    return attribution.scores[target, [a for a, _ in ranges]]


def _shuffles(n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.permutation(n) for _ in range(N_RANDOM_ORDERS)]


def _deletions(order: np.ndarray, ranges: Groups, x: torch.Tensor, mean: torch.Tensor) -> list[Variation]:
    """One variation for each share: that many of the ordered ranges replaced by the mean embedding."""
    out = []
    for share in SHARES:
        gone = [p for i in order[: round(share * len(order))] for p in range(*ranges[i])]
        out.append(Variation(gone, mean.expand(len(gone), -1)) if gone else unchanged(x))
    return out
