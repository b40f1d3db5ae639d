"""Integrated gradients: the gradient's mean on the way from a baseline to the prompt (Sundararajan et al., 2017)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..models.batching import Stop, in_batches
from .gradients import Gradients
from .targets import Objective

FEWEST_STEPS, MOST_STEPS = 32, 256  # nodes on the path, unless the caller says how many
TOLERATED_ERROR = 0.05  # relative completeness error above which integrated gradients says so in words


class Path:
    """The straight path from a baseline to a prompt's embeddings, both (1, tokens, width)."""

    def __init__(
        self,
        objective: Objective,
        x: torch.Tensor,
        baseline: torch.Tensor,
        stop: Stop | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.objective, self.x, self.baseline, self.stop, self.progress = objective, x, baseline, stop, progress
        self.gradients = Gradients(objective, stop)
        self.behind, self.most, self.told = 0, 0, 0.0  # nodes of earlier rounds, nodes at most, share told last

    def integrate(self, steps: int | None) -> tuple[np.ndarray, np.ndarray, float]:
        """f(x) (targets,), scores (targets, tokens), and their completeness error.

        Without `steps`, double them until the scores add up: small models need more than large ones. Progress is then
        told as a share of all the nodes that may be needed, so that it may end early but never begins again.
        """
        ends = self._ends()
        nodes, self.behind, self.most = steps or FEWEST_STEPS, 0, nodes_at_most(steps)
        while True:
            scores = self._scores(nodes)
            error = completeness_error(scores, ends[0], ends[1])
            if steps or error <= TOLERATED_ERROR or nodes >= MOST_STEPS:
                self._tell(self.most - self.behind)
                return ends[0], scores, error
            self.behind += nodes
            nodes *= 2

    def _tell(self, nodes: float) -> None:
        """Nodes of this round that are done. A batch that memory cut short is done again, and nothing told of that."""
        share = (self.behind + nodes) / self.most
        if self.progress is not None and share > self.told:
            self.told = share
            self.progress(share)

    def _ends(self) -> np.ndarray:
        """f(x) and f(baseline): (2, targets), in one pass if both fit into memory."""
        ends, out = torch.cat([self.x, self.baseline]), np.zeros((2, len(self.objective.names)))

        def run(batch: Sequence[int]) -> None:
            out[list(batch)] = self.objective.value(ends[list(batch)]).cpu().numpy()

        with torch.inference_mode():
            in_batches(range(2), 2, run, self.stop)
        return out

    def _scores(self, steps: int) -> np.ndarray:
        """(targets, tokens). The first node goes alone, unless it is known how much memory a node takes."""
        nodes, weights = gauss_legendre(steps)
        way = self.x - self.baseline
        scores = np.zeros((len(self.objective.names), self.objective.length))

        def run(batch: Sequence[int]) -> None:
            here, at = list(batch), torch.tensor(nodes[list(batch)], dtype=self.x.dtype, device=self.x.device)

            def done(share: float) -> None:
                self._tell(here[0] + share * len(here))

            _, shares = self.gradients.at(self.baseline + at[:, None, None] * way, way, done)
            scores[:] += np.einsum("rnt,n->rt", shares.double().cpu().numpy(), weights[here])

        tokens = self.objective.longest
        alone = 0 if self.gradients.graph_bytes else 1
        in_batches(range(alone), 1, run, self.stop)
        in_batches(range(alone, steps), self.gradients.rows(tokens), run, self.stop)
        return scores


def nodes_at_most(steps: int | None) -> int:
    """Nodes on the path in all its rounds, if the scores never add up before the last."""
    rounds = [steps or FEWEST_STEPS]
    while not steps and rounds[-1] < MOST_STEPS:
        rounds.append(2 * rounds[-1])
    return sum(rounds)


def gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]; `steps` of them integrate polynomials of degree 2·steps - 1 exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def completeness_error(scores: np.ndarray, value: np.ndarray, baseline_value: np.ndarray) -> float:
    """How far do scores (targets, tokens) miss the change f(x) - f(baseline) they should add up to? Relative."""
    change = np.asarray(value) - np.asarray(baseline_value)
    return float(np.max(np.abs(scores.sum(-1) - change) / np.maximum(np.abs(change), 1e-12)))
