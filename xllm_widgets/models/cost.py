"""How long a computation will take, from a short forward pass timed on this machine."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .passes import last_logits

if TYPE_CHECKING:
    from .language_model import LanguageModel


def seconds_per_token(lm: "LanguageModel", rows: int = 4, tokens: int = 64) -> float:
    """Seconds a forward pass takes for one token: the quicker of two short timed passes."""
    tokens = min(tokens, lm.context_length)
    ids = torch.arange(rows * tokens).view(rows, tokens) % lm.structure.embeddings.weight.shape[0]
    return min(_timed(lm, ids) for _ in range(2)) / (rows * tokens)


def logprobs_seconds(lm: "LanguageModel", prompts: str | Sequence[str], continuations: Sequence) -> float:
    """See `LanguageModel.estimate_seconds`; continuations of one token cost nothing beyond their prompt."""
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    lists = [continuations] * len(texts) if all(isinstance(c, str) for c in continuations) else continuations
    total = 0
    for prompt, options in zip(texts, lists, strict=True):
        tails = [len(lm.reader.continuation(prompt, option)) for option in options]
        total += len(lm.prompt_ids(prompt)) + sum(n for n in tails if n > 1)
    return total * seconds_per_token(lm)


def _timed(lm: "LanguageModel", ids: torch.Tensor) -> float:
    start = time.perf_counter()
    last_logits(lm, ids, 1)[0, 0, 0].item()
    return time.perf_counter() - start
