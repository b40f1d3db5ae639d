"""The counter of a model's work tells passes, tokens and rows read, and leaves nothing behind."""

import torch

from xllm_widgets.models.counting import Work, counted
from xllm_widgets.models.language_model import LanguageModel


def test_it_counts_what_runs_inside_the_block_alone(any_lm: LanguageModel) -> None:
    ids = torch.zeros(2, 5, dtype=torch.long)
    with torch.no_grad(), counted(any_lm) as work:
        any_lm.hf(ids)
        any_lm.hf(ids[:1], logits_to_keep=1)
        assert work == Work(passes=2, tokens=15, rows=11)
    with torch.no_grad():
        any_lm.hf(ids)
    assert work == Work(passes=2, tokens=15, rows=11)
