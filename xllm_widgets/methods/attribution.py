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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError, XllmError
from ..models.batching import Stop, in_batches, token_budget
from ..models.cost import seconds_per_token
from ..models.passes import embed, mean_embedding
from ..models.text import Tokens
from .ablation import Groups, Progress, Variation, resampled, values_of
from .faithfulness import Faithfulness, faithfulness
from .targets import Objective, Target

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

METHODS = ("occlusion", "resampling_ablation", "gradient_x_input", "gradient_norm", "integrated_gradients")
FEWEST_STEPS, MOST_STEPS = 32, 256  # nodes on the path of integrated gradients, unless the caller says how many
TOLERATED_ERROR = 0.05  # relative completeness error above which integrated gradients says so in words


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
    baseline: str | Any = "mean",
    steps: int | None = None,
    n_replacements: int = 8,
    seed: int = 0,
    groups: Groups | None = None,
    should_stop: Stop | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Score each token of the prompt by one of METHODS.

    `target`: a continuation, a pair (a, b) for log p(a) - log p(b), or a list of those. `baseline` (occlusion,
    integrated gradients): "mean" embedding, "zero" (misleads under RMSNorm), or an array (width,) or (tokens, width).
    `steps`: nodes of the Gauss-Legendre rule; by default 32, doubled up to 256 until the scores add up within 5 %.
    `n_replacements`, `seed`: random tokens of resampling ablation. `groups`: token ranges (start, end) to be scored as
    wholes, which is cheaper for occlusion. `should_stop` is asked between batches, Interrupted if it says yes;
    `progress` is told the share done. Raises PromptError for a prompt, target or group that cannot be scored, XllmError
    for an unknown method.
    """
    if method not in METHODS:
        raise XllmError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    if (steps is not None and steps < 1) or n_replacements < 1:
        raise XllmError("steps and n_replacements must be at least 1.")
    objective = Objective(lm, prompt, target)
    ranges = _checked(groups, objective.length)
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


def estimate_seconds(
    lm: "LanguageModel",
    prompt: str,
    method: str = "integrated_gradients",
    *,
    steps: int | None = None,
    n_replacements: int = 8,
    groups: Groups | None = None,
) -> float:
    """About how long `attribute` of one target will take on this machine now (a short forward pass is timed)."""
    length = len(lm.prompt_ids(prompt))
    starts = [a for a, _ in groups] if groups else range(length)
    rows = sum(length - s if lm.shares_prefixes else length for s in starts)
    backward = 3  # a pass forward and back costs about three forward
    tokens = {
        "occlusion": rows,
        "resampling_ablation": rows * n_replacements,
        "gradient_x_input": backward * length,
        "gradient_norm": backward * length,
        "integrated_gradients": backward * length * (steps or FEWEST_STEPS),
    }
    if method not in tokens:
        raise XllmError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    with lm.lock, torch.inference_mode():
        return tokens[method] * seconds_per_token(lm)


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
        whole = values_of(self.objective, self.x, [Variation([0], self.x[0, :1])])[0]
        if method == "occlusion":
            variations = [Variation(range(a, b), self.baseline[0, a:b]) for a, b in ranges]
            changed = values_of(self.objective, self.x, variations, self.stop, self.progress)
        else:
            variations = resampled(self.objective.lm, ranges, self.n_replacements, self.seed)
            changed = values_of(self.objective, self.x, variations, self.stop, self.progress)
            changed = changed.reshape(len(ranges), self.n_replacements, -1).mean(1)
        return whole, (whole[None] - changed).T

    def gradients(self, method: str) -> tuple[np.ndarray, np.ndarray, float | None]:
        """f(x) (targets,), scores (targets, tokens), and integrated gradients' completeness error."""
        if method == "integrated_gradients":
            return self._integrate()
        values, gradient = _gradient(self.objective, self.x)
        scores = gradient.norm(dim=-1) if method == "gradient_norm" else (gradient * self.x).sum(-1)
        return values[0], scores[:, 0].double().cpu().numpy(), None

    def _integrate(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Without `steps`, double them until the scores add up: small models need more than large ones."""
        with torch.inference_mode():
            ends = self.objective.value(torch.cat([self.x, self.baseline])).double().cpu().numpy()
        steps = self.steps or FEWEST_STEPS
        while True:
            scores = self._along_the_path(steps)
            error = completeness_error(scores, ends[0], ends[1])
            if self.steps or error <= TOLERATED_ERROR or steps >= MOST_STEPS:
                return ends[0], scores, error
            steps *= 2

    def _along_the_path(self, steps: int) -> np.ndarray:
        """(targets, tokens)"""
        nodes, weights = gauss_legendre(steps)
        path = self.x - self.baseline
        scores = np.zeros((len(self.objective.names), self.objective.length))

        def run(batch: Sequence[int]) -> None:
            alpha = torch.tensor(nodes[list(batch)], dtype=self.x.dtype, device=self.x.device)[:, None, None]
            gradient = _gradient(self.objective, self.baseline + alpha * path)[1]
            share = (gradient * path).sum(-1).double().cpu().numpy()  # (targets, nodes, tokens)
            scores[:] += np.einsum("rnt,n->rt", share, weights[list(batch)])
            if self.progress is not None:
                self.progress((batch[-1] + 1) / steps)

        in_batches(range(steps), token_budget(self.x.device) // self.objective.length, run, self.stop)
        return scores


def gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]; `steps` of them integrate polynomials of degree 2·steps - 1 exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def completeness_error(scores: np.ndarray, value: np.ndarray, baseline_value: np.ndarray) -> float:
    """How far do scores (targets, tokens) miss the change f(x) - f(baseline) they should add up to? Relative."""
    change = np.asarray(value) - np.asarray(baseline_value)
    return float(np.max(np.abs(scores.sum(-1) - change) / np.maximum(np.abs(change), 1e-12)))


def _gradient(objective: Objective, x: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """f (rows, targets) and its gradient (targets, rows, tokens, width)."""
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        values = objective.value(x)
        n = values.shape[1]
        gradients = [torch.autograd.grad(values[:, t].sum(), x, retain_graph=t < n - 1)[0] for t in range(n)]
    return values.detach().double().cpu().numpy(), torch.stack(gradients).float()


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
    ranges = [(int(a), int(b)) for a, b in groups]
    for a, b in ranges:
        if not 0 <= a < b <= length:
            raise PromptError(
                f"The group ({a}, {b}) is no range of tokens in a prompt of {length}; give 0 ≤ start < end."
            )
    if not ranges:
        raise PromptError("Give at least one group of tokens, or leave groups out.")
    return ranges


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
