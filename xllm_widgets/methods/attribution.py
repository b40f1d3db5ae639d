"""Which tokens of a prompt does an answer rest on? Five methods, one shape of answer, and a measure of how far to trust
it.

All work on the prompt's embeddings x (tokens, width) and a number f(x) = log p(target), or a difference of two.

| method | score of token i |
|---|---|
| occlusion | f(x) - f(x with x_i replaced by the baseline) (Zeiler & Fergus, 2014) |
| resampling_ablation | f(x) - mean f(x with token i replaced by a random one) |
| gradient_x_input | x_i · ∂f/∂x_i (Shrikumar et al., 2016) |
| gradient_norm | ‖∂f/∂x_i‖ (Li et al., 2016) |
| integrated_gradients | (x_i - b_i) · mean ∂f/∂x_i on the path from the baseline b (Sundararajan et al., 2017) |
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError, XllmError
from ..models.batching import Stop
from ..models.edits import whole_numbers
from ..models.passes import embed, mean_embedding
from ..models.text import Tokens
from .ablation import Groups, Progress, Variation, resampled, unchanged, values_of
from .estimates import estimate_seconds, tell_if_long
from .faithfulness import Faithfulness, faithfulness
from .gradients import Gradients
from .paths import TOLERATED_ERROR, Path, completeness_error, gauss_legendre
from .targets import Objective, Target

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

__all__ = ["METHODS", "Attribution", "attribute", "completeness_error", "estimate_seconds", "gauss_legendre"]
METHODS = ("occlusion", "resampling_ablation", "gradient_x_input", "gradient_norm", "integrated_gradients")


@dataclass
class Attribution:
    """Scores of a prompt's tokens for one or more targets.

    `scores`: (targets, prompt tokens), nats (nats per unit of embedding for gradient_norm); special tokens are scored
    too, see `tokens.special`. `values`: f(x) for each target. `completeness_error`: for integrated gradients, the
    largest relative difference between the sum of the scores and f(x) - f(baseline); None for other methods. `groups`:
    token ranges scored as wholes, with `group_scores` (targets, groups); `scores` then spreads each evenly over its
    tokens, and is 0 elsewhere.
    """

    tokens: Tokens
    scores: np.ndarray
    targets: list[str]
    method: str
    values: np.ndarray
    completeness_error: float | None = None
    groups: list[tuple[int, int]] | None = None
    group_scores: np.ndarray | None = None
    objective: Objective | None = field(default=None, repr=False)

    def faithfulness(
        self, n_replacements: int = 8, seed: int = 0, *, target: int = 0, should_stop: Stop | None = None
    ) -> Faithfulness:
        """How far does the model agree with this explanation? See `methods.faithfulness.faithfulness`."""
        assert self.objective is not None
        with self.objective.lm.lock:
            return faithfulness(self, n_replacements, seed, target=target, should_stop=should_stop)

    def describe(self, top: int = 5) -> str:
        """The scores in words: the tokens that count most for each target, and a warning where there is need of one."""
        lines = []
        for row, name, value in zip(self.scores, self.targets, self.values, strict=True):
            order = [i for i in np.argsort(-np.abs(row)) if not self.tokens.special[i]][:top]
            listed = ", ".join(f"{self.tokens.strings[i]!r} {row[i]:+.3g}" for i in order)
            lines.append(
                f"{name} = {value:.3f}; by {self.method.replace('_', ' ')} the weightiest tokens are {listed}."
            )
        if self.completeness_error is not None:
            lines.append(_completeness_in_words(self.completeness_error))
        return "\n".join(lines)


def attribute(
    lm: "LanguageModel",
    prompt: str,
    target: Target | list[Target],
    method: str = "integrated_gradients",
    *,
    each_token: bool = False,
    baseline: str | Any = "mean",
    steps: int | None = None,
    n_replacements: int = 8,
    seed: int = 0,
    groups: Groups | None = None,
    should_stop: Stop | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Score each token of the prompt by one of METHODS.

    `target`: a continuation, a pair (a, b) for log p(a) - log p(b), or a list of those. A continuation of several
    tokens is explained as a whole, the total of its log-probabilities, by one backward pass; with `each_token` every
    token of it is a target of its own, by one backward pass each (twenty tokens: about ten times the cost), and, but
    for gradient_norm, their scores add up to the whole's. `baseline` (occlusion, integrated gradients): "mean"
    embedding, "zero" (misleads under RMSNorm), or an array (width,) or (tokens, width).
    `steps`: nodes of the Gauss-Legendre rule; by default 32, doubled up to 256 until the scores add up within 5 %.
    `n_replacements`, `seed`: random tokens of resampling ablation. `groups`: token ranges (start, end) to be scored as
    wholes, which is cheaper for occlusion. `should_stop` is asked between batches, Interrupted if it says yes;
    `progress` is told the share done, never less than before, and 1 at the end alone; without either, what will take
    more than ten seconds says so first, on standard error (see `estimate_seconds`). Raises PromptError for a prompt,
    target or group that cannot be scored, XllmError for an unknown method, OutOfMemory if one row is too much.
    """
    if method not in METHODS:
        raise XllmError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    if (steps is not None and steps < 1) or n_replacements < 1:
        raise XllmError("steps and n_replacements must be at least 1.")
    objective = Objective(lm, prompt, target, each_token)
    ranges = _checked(groups, objective.length)
    if should_stop is None and progress is None:
        tell_if_long(lm, prompt, method, target, each_token, steps, n_replacements, ranges)
    x = embed(lm, objective.tokens.ids)[None]
    run = _Run(objective, x, _baseline(lm, baseline, x), steps, n_replacements, seed, should_stop, progress)
    if method in ("occlusion", "resampling_ablation"):
        values, scores = run.ablate(ranges or [(i, i + 1) for i in range(objective.length)], method)
        error = None
    else:
        values, scores, error = run.gradients(method)
        scores = scores if ranges is None else np.stack([scores[:, a:b].sum(1) for a, b in ranges], 1)
    answer = Attribution(objective.tokens, scores, objective.names, method, values, error, objective=objective)
    return answer if ranges is None else _grouped(answer, ranges)


@dataclass
class _Run:
    """One call's ingredients: x and baseline are (1, tokens, width)."""

    objective: Objective
    x: torch.Tensor
    baseline: torch.Tensor
    steps: int | None
    n_replacements: int
    seed: int
    stop: Stop | None
    progress: Progress | None

    def ablate(self, ranges: Groups, method: str) -> tuple[np.ndarray, np.ndarray]:
        """f(x), and its drop when each range is replaced: (targets,), (targets, ranges)."""
        if method == "occlusion":
            variations = [Variation(range(a, b), self.baseline[0, a:b]) for a, b in ranges]
        else:
            variations = resampled(self.objective.lm, ranges, self.n_replacements, self.seed)
        values = values_of(self.objective, self.x, [*variations, unchanged(self.x)], self.stop, self.progress)
        changed, whole = values[:-1].reshape(len(ranges), -1, values.shape[1]).mean(1), values[-1]
        return whole, (whole[None] - changed).T

    def gradients(self, method: str) -> tuple[np.ndarray, np.ndarray, float | None]:
        """f(x) (targets,), scores (targets, tokens), and integrated gradients' completeness error."""
        if method == "integrated_gradients":
            return Path(self.objective, self.x, self.baseline, self.stop, self.progress).integrate(self.steps)
        along = None if method == "gradient_norm" else self.x
        values, found = Gradients(self.objective, self.stop).at(self.x, along, self.progress)
        scores = (found.norm(dim=-1) if along is None else found)[:, 0]
        return values[0].double().cpu().numpy(), scores.double().cpu().numpy(), None


def _baseline(lm: "LanguageModel", baseline: str | Any, x: torch.Tensor) -> torch.Tensor:
    """(1, tokens, width)"""
    if isinstance(baseline, str):
        if baseline not in ("mean", "zero"):
            raise XllmError(f'There is no baseline {baseline!r}; choose "mean", "zero", or give an array.')
        row = mean_embedding(lm) if baseline == "mean" else torch.zeros_like(x[0, 0])
    else:
        row = torch.as_tensor(np.asarray(baseline, dtype=np.float32)).to(x.device, x.dtype)
    if row.shape not in (x.shape[2:], x.shape[1:]):
        raise XllmError(
            f"A baseline of shape {tuple(row.shape)} does not fit; give ({x.shape[2]},) or {tuple(x.shape[1:])}."
        )
    return row.expand(x.shape)


def _checked(groups: Groups | None, length: int) -> list[tuple[int, int]] | None:
    if groups is None:
        return None
    ranges = [_range(group, length) for group in groups]
    if not ranges:
        raise PromptError("Give at least one group of tokens, or leave groups out.")
    return ranges


def _range(group: Any, length: int) -> tuple[int, int]:
    """PromptError for anything but a range of at least one token of the prompt."""
    numbers = whole_numbers(group)
    if numbers is None or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1] <= length:
        raise PromptError(f"The group {group!r} is no range of tokens in a prompt of {length}; give 0 ≤ start < end.")
    return numbers[0], numbers[1]


def _grouped(answer: Attribution, ranges: list[tuple[int, int]]) -> Attribution:
    """Scores (targets, groups) → an answer by token, in which each group's score is shared out evenly."""
    scores = np.zeros((answer.scores.shape[0], len(answer.tokens)))
    for column, (a, b) in enumerate(ranges):
        scores[:, a:b] += answer.scores[:, column : column + 1] / (b - a)
    return replace(answer, scores=scores, groups=ranges, group_scores=answer.scores)


def _completeness_in_words(error: float) -> str:
    if error <= TOLERATED_ERROR:
        return f"Completeness error {error:.1%}: the scores add up to the change they explain."
    return (
        f"Completeness error {error:.0%}: the scores do not add up to the change they explain, so do not read this "
        "picture; take more steps, the mean baseline, or occlusion."
    )
