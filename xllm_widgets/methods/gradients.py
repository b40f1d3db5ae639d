"""Gradients of several targets from one forward pass: backward passes go in batches, within a budget of memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import torch

from ..models.batching import Stop, in_batches, memory_budget, one_row, ran_out, token_budget
from .targets import Objective

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

GRAPH_BYTES = 2**28  # what a CPU keeps of one forward pass; an accelerator may use half of what is free
_one_by_one: "WeakSet[LanguageModel]" = WeakSet()  # models with a kernel that vmap refuses


class Gradients:
    """∂f/∂x of an objective at embeddings x, for all its targets, or its product with a direction.

    `graph_bytes`: what the last forward pass kept for its backward ones, for each row.
    """

    def __init__(self, objective: Objective, stop: Stop | None = None) -> None:
        self.objective, self.stop, self.graph_bytes = objective, stop, 0

    def at(
        self, x: torch.Tensor, along: torch.Tensor | None = None, done: Callable[[float], None] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """f (rows, targets), and its gradient (targets, rows, tokens, width), or, with a direction `along` (1, tokens,
        width), their product summed over the width: (targets, rows, tokens). Both float32.

        One forward pass for each of the objective's tails, and the backward passes of the targets that read there;
        `done` is told the share of those done. Raises OutOfMemory if one row and one target are too much.
        """
        lm, tails = self.objective.lm, self.objective.weights
        shape = x.shape if along is None else x.shape[:-1]
        with one_row(), frozen(lm.hf), torch.enable_grad():
            values = x.new_zeros(x.shape[0], len(self.objective.names), dtype=torch.float32)
            out = x.new_zeros(len(self.objective.names), *shape, dtype=torch.float32)
            for number, weights in enumerate(tails):
                targets = weights.any(0).nonzero()[:, 0].tolist()

                def tell(share: float, number: int = number) -> None:
                    if done is not None:
                        done((number + share) / len(tails))

                values += self._tail(x, along, number, targets, out, tell)
        return values, out

    def rows(self, tokens: int) -> int:
        """How many rows of `tokens` tokens go into one forward pass; known better after the first."""
        device = self.objective.lm.device
        fit = memory_budget(device, GRAPH_BYTES) // self.graph_bytes if self.graph_bytes else 1
        return max(1, min(fit, token_budget(device) // tokens))

    def _tail(
        self,
        x: torch.Tensor,
        along: torch.Tensor | None,
        number: int,
        targets: list[int],
        out: torch.Tensor,
        done: Callable[[float], None],
    ) -> torch.Tensor:
        """Add the gradients of one tail's reads to `out`; gives its share of the values."""
        lm, leaf = self.objective.lm, x.detach().clone().requires_grad_()
        with counted(lm.hf) as kept:
            values = self.objective.share(leaf, number)
        self.graph_bytes = sum(kept.values()) // len(x)
        totals = values.sum(0)

        def run(batch: Sequence[int]) -> None:
            gradient = _backward(lm, totals, leaf, batch, retain=batch[-1] != targets[-1])
            gradient = gradient.float() if along is None else (gradient * along).float().sum(-1)
            out[list(batch)] += gradient
            done((targets.index(batch[-1]) + 1) / len(targets))

        in_batches(targets, self._targets_at_once(leaf), run, self.stop)
        return values.detach()

    def _targets_at_once(self, x: torch.Tensor) -> int:
        """Backward passes in one batch: enough to fill the processor, as long as one block's gradients fit."""
        rows, tokens = x.shape[:2]
        block = rows * self.graph_bytes // self.objective.lm.n_layers
        fit = memory_budget(x.device, GRAPH_BYTES) // max(1, block)
        return max(1, min(token_budget(x.device) // (rows * tokens), fit))


@contextmanager
def frozen(hf: Any) -> Iterator[None]:
    """Weights that want no gradient let a forward pass keep less: the inputs of linear layers are not needed."""
    learning = [p for p in hf.parameters() if p.requires_grad and not p.is_inference()]  # offloaded ones come anew
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


@contextmanager
def counted(hf: Any) -> Iterator[dict[int, int]]:
    """Bytes that operations keep for their backward pass, weights not counted: storage → its size."""
    weights = {p.untyped_storage().data_ptr() for p in hf.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def _backward(
    lm: "LanguageModel", totals: torch.Tensor, x: torch.Tensor, batch: Sequence[int], retain: bool
) -> torch.Tensor:
    """∂totals[batch]/∂x: (batch, rows, tokens, width). Only a batch of one gives the graph back, unless `retain`."""
    if len(batch) == 1:
        return torch.autograd.grad(totals[batch[0]], x, retain_graph=retain)[0][None]
    if lm not in _one_by_one:
        wanted = torch.eye(len(totals), dtype=totals.dtype, device=totals.device)[list(batch)]
        try:
            return torch.autograd.grad(totals, x, wanted, is_grads_batched=True, retain_graph=True)[0]
        except RuntimeError as error:
            if ran_out(error):
                raise
    singly = torch.stack([torch.autograd.grad(totals[t], x, retain_graph=True)[0] for t in batch])
    _one_by_one.add(lm)  # not before: an error that batching has no part in has been raised again
    return singly
