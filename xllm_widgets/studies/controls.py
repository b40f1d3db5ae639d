"""Nulls that more than one study is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xllm_widgets.models.language_model import LanguageModel


def randomised(lm: LanguageModel, seed: int = 0) -> LanguageModel:
    """The same architecture and tokenizer with freshly drawn weights: what a finding looks like without any education.

    An attribution that looks alike on both says nothing about what was learned (Adebayo et al., 2018).
    """
    import torch

    from xllm_widgets.models import LanguageModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        untaught = type(lm.hf)(lm.hf.config)
    return LanguageModel(untaught.to(lm.device, lm.dtype), lm.tokenizer, f"{lm.name}, random weights")
