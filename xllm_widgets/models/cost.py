"""How long a computation will take, from a short forward pass timed on this machine."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .passes import last_logits
from .scoring import means, texts_of

if TYPE_CHECKING:
    from .language_model import LanguageModel


def seconds_per_token(lm: "LanguageModel", rows: int = 4, tokens: int = 64) -> float:
    """Seconds a forward pass takes for one token: the quicker of two short timed passes."""
    tokens = min(tokens, lm.context_length)
    ids = torch.arange(rows * tokens).view(rows, tokens) % lm.structure.embeddings.weight.shape[0]
    return min(_timed(lm, ids) for _ in range(2)) / (rows * tokens)


def logprobs_seconds(lm: "LanguageModel", prompts: str | Sequence[str], continuations: Sequence) -> float:
    """See `LanguageModel.estimate_seconds`: the tokens that will be computed; what texts share counts once."""
    _, steps = means(lm, texts_of(lm, prompts, continuations)[0])
    return sum(len(row) for step in steps for row in step.rows) * seconds_per_token(lm)


def _timed(lm: "LanguageModel", ids: torch.Tensor) -> float:
    start = time.perf_counter()
    last_logits(lm, ids, 1)[0, 0, 0].item()
    return time.perf_counter() - start
