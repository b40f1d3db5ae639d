"""How long an attribution will take, told before it starts."""

import sys
from typing import TYPE_CHECKING

import torch

from ..errors import XllmError
from ..models.cost import seconds_per_token
from .ablation import Groups
from .paths import FEWEST_STEPS, nodes_at_most
from .targets import Objective, Target

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

LONG = 10.0  # seconds, from which on the time is told before it is spent
SURELY_SHORT = 10**11  # operations that no machine takes that long for; below them not even an estimate is made
BACKWARD = 1.5  # a backward pass, to the embeddings alone, in forward passes


def estimate_seconds(
    lm: "LanguageModel",
    prompt: str,
    method: str = "integrated_gradients",
    *,
    target: Target | list[Target] | None = None,
    each_token: bool = False,
    steps: int | None = None,
    n_replacements: int = 8,
    groups: Groups | None = None,
    most: bool = False,
) -> float:
    """About how long `attribute` will take on this machine now, seconds (a short forward pass is timed).

    Without `target`: for one of a single token. Integrated gradients without `steps` take this long if their first 32
    nodes suffice; with `most`, how long if they must be doubled to the end (480 nodes in all). Raises XllmError for an
    unknown method.
    """
    tokens = _work(lm, prompt, method, target, each_token, steps, n_replacements, groups, most)
    with lm.lock, torch.inference_mode():
        return tokens * seconds_per_token(lm)


def tell_if_long(
    lm: "LanguageModel",
    prompt: str,
    method: str,
    target: Target | list[Target],
    each_token: bool,
    steps: int | None,
    n_replacements: int,
    groups: Groups | None,
) -> None:
    """One line on standard error, for whoever is shown no progress, if an attribution will take more than LONG."""
    tokens = _work(lm, prompt, method, target, each_token, steps, n_replacements, groups, most=False)
    if 2 * tokens * lm.n_parameters < SURELY_SHORT:
        return
    with torch.inference_mode():
        seconds = tokens * seconds_per_token(lm)
    if seconds > LONG:
        print(f"{method.replace('_', ' ')}: about {seconds:.0f} s here; an interrupt stops it.", file=sys.stderr)


def _work(
    lm: "LanguageModel",
    prompt: str,
    method: str,
    target: Target | list[Target] | None,
    each_token: bool,
    steps: int | None,
    n_replacements: int,
    groups: Groups | None,
    most: bool,
) -> float:
    """Tokens that will be computed; a backward pass counts as BACKWARD forward ones. XllmError: unknown method."""
    length = len(lm.prompt_ids(prompt))
    starts = [a for a, _ in groups] if groups else range(length)
    tails, backwards = ([0], [1]) if target is None else _passes(Objective(lm, prompt, target, each_token))
    rows = sum(length - (s if lm.shares_prefixes else 0) + tail for s in starts for tail in tails)
    there_and_back = sum((length + tail) * (1 + BACKWARD * n) for tail, n in zip(tails, backwards, strict=True))
    tokens = {
        "occlusion": rows,
        "resampling_ablation": rows * n_replacements,
        "gradient_x_input": there_and_back,
        "gradient_norm": there_and_back,
        "integrated_gradients": there_and_back * (nodes_at_most(steps) if most else steps or FEWEST_STEPS),
    }
    if method not in tokens:
        raise XllmError(f"There is no method {method!r}; choose one of {', '.join(tokens)}.")
    return tokens[method]


def _passes(objective: Objective) -> tuple[list[int], list[int]]:
    """For each forward pass: the tokens it appends to the prompt, and the backward passes that follow."""
    targets = [int(weights.any(0).sum()) for weights in objective.weights]
    return [len(tail.ids) for tail in objective.tails], targets
