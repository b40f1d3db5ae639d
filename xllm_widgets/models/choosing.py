"""How the next token is drawn: temperature, nucleus, and one random number that decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import XllmError


@dataclass(frozen=True)
class Knobs:
    """How to sample; see `LanguageModel.generate`. XllmError for a knob out of its range."""

    n: int
    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, least in (("n", 1), ("max_new_tokens", 1), ("seed", 0)):
            number = getattr(self, name)
            if not isinstance(number, int | np.integer) or number < least:
                raise XllmError(f"{name} must be a whole number, {least} or more, not {number!r}.")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise XllmError("temperature must be 0 (greedy) or more, and top_p above 0 and at most 1.")


def stop_strings(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop strings as a tuple; XllmError if one is empty."""
    strings = () if stop is None else (stop,) if isinstance(stop, str) else tuple(stop)
    if any(not s for s in strings):
        raise XllmError("A stop string is empty; give at least one character.")
    return strings


def choose(logp: torch.Tensor, u: torch.Tensor, knobs: Knobs) -> torch.Tensor:
    """The token at which the cumulated probability, in the vocabulary's order, first passes u: (rows,).

    `logp` (rows, vocabulary), nats; `u` (rows,), uniform in 0 … 1, float64. Temperature 0 takes the likeliest.
    """
    if knobs.temperature == 0:
        return logp.argmax(-1)
    if knobs.temperature != 1:
        logp = (logp - logp.amax(-1, keepdim=True)) / knobs.temperature
    weights = logp.exp() if knobs.top_p == 1 else nucleus(logp.exp(), knobs.top_p)
    cumulated = (weights.cpu() if weights.device.type == "mps" else weights).cumsum(-1, dtype=torch.float64)
    at = u.to(cumulated.device)[:, None] * cumulated[:, -1:]
    found = torch.searchsorted(cumulated, at, right=True).clamp_(max=logp.shape[-1] - 1)
    return found[:, 0].to(logp.device)


def nucleus(weights: torch.Tensor, top_p: float) -> torch.Tensor:
    """The fewest tokens that hold the share `top_p` of all weight, the others at nought (Holtzman et al., 2020)."""
    vocabulary, share = weights.shape[-1], weights / weights.sum(-1, keepdim=True)
    k = min(256, vocabulary)
    while True:
        top, at = share.topk(k)
        before = top.cumsum(-1) - top
        if k == vocabulary or bool((before[:, -1] + top[:, -1] >= top_p).all()):
            break
        k = min(vocabulary, 8 * k)
    kept = before < top_p - 1e-6
    kept[:, 0] = True  # the likeliest stays, be `top_p` smaller than what rounding is allowed
    return torch.zeros_like(share).scatter_(-1, at, torch.where(kept, top, 0.0))
