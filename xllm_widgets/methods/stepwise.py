"""Occlusion a few tokens at a time, for a view that paints what is known and may be interrupted between steps."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import XllmError
from ..models.edits import ActiveEdit
from ..models.passes import embed, mean_embedding
from .ablation import Groups, Variation, beginning_of, unchanged, values_of
from .targets import Objective, Target

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel


class StepwiseOcclusion:
    """Occlusion (mean-embedding baseline) of one prompt, asked range by range.

    What every range needs, f(x) and the keys and values of the unchanged prompt, is computed once, so that asking in
    many small steps costs no more than asking once. The scores are those of `attribute(..., method="occlusion")`, under
    the edits that were active when this was made.
    """

    def __init__(self, lm: "LanguageModel", prompt: str, target: Target | list[Target]) -> None:
        """Raises PromptError for a prompt or target that cannot be scored, OutOfMemory if one row is too much."""
        with lm.lock, torch.inference_mode():
            self.edits = list(lm.active_edits)
            self.objective = Objective(lm, prompt, target)
            self.x = embed(lm, self.objective.tokens.ids)[None]
            self.baseline = mean_embedding(lm)
            self.beginning = beginning_of(lm, self.x)
            self.whole = values_of(self.objective, self.x, [self._without((0, 0))], beginning=self.beginning)[0]

    def scores(self, ranges: Groups) -> np.ndarray:
        """f(x) - f(x with the tokens start … end replaced): (targets, ranges), nats.

        Raises XllmError if the model is edited otherwise than when this was made: what was kept, and what a view has
        painted already, would be another model's.
        """
        with self.objective.lm.lock:
            self._check_edits()
            changed = values_of(self.objective, self.x, [self._without(r) for r in ranges], beginning=self.beginning)
        return (self.whole[None] - changed).T

    def _check_edits(self) -> None:
        """The same edits in another `with` block are the same; only what they do to the model is compared."""
        then, now = self.edits, self.objective.lm.active_edits
        if len(then) != len(now) or not all(map(_alike, then, now)):
            raise XllmError("The model's edits have changed since this occlusion was begun; begin it again under them.")

    def _without(self, tokens: tuple[int, int]) -> Variation:
        """An empty range changes nothing."""
        start, end = tokens
        if start == end:
            return unchanged(self.x)
        return Variation(range(start, end), self.baseline.expand(end - start, -1))


def _alike(one: ActiveEdit, other: ActiveEdit) -> bool:
    return (one.number, one.positions) == (other.number, other.positions) and torch.equal(one.push, other.push)
