"""The passes forward and backward of one training step: called one by one, or recorded once and replayed on a GPU.

A Pebble's kernels are over long before Python has launched the next one, so that a GPU mostly waits: a CUDA graph
launches all of a step's kernels at once. It needs shapes that never change, and so scores every token, most of them
with no weight; a CPU computes the output layer only where there is one.
"""

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

WARM_UPS = 3  # before a graph is recorded: what a library allocates at its first call must not be part of it


class Passes:
    """Leaves in every parameter's `grad` the gradient of the weighted mean loss, and tells the learnable one."""

    def __init__(self, model: "LlamaForCausalLM"):
        self.model = model

    def __call__(self, tokens: torch.Tensor, weights: torch.Tensor, learnable: torch.Tensor) -> float:
        """The mean loss of the learnable tokens, in nats.

        tokens: (rows, window). weights, learnable: of each token but the first of its row, (rows · (window − 1),).
        """
        self.model.zero_grad()
        read = weights.nonzero()[:, 0]
        hidden = self.model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
        losses = cross_entropy(self.model.lm_head(hidden[read]), tokens[:, 1:].flatten()[read], reduction="none")
        ((losses * weights[read]).sum() / weights.sum()).backward()
        return losses.detach()[learnable[read]].mean().item()


class RecordedPasses(Passes):
    """The same as one CUDA graph, recorded anew whenever the batch has another shape."""

    shape: tuple[int, ...] = ()

    def __call__(self, tokens: torch.Tensor, weights: torch.Tensor, learnable: torch.Tensor) -> float:
        if self.shape != tuple(tokens.shape):
            self._record(tokens, weights)
        self.tokens.copy_(tokens)
        self.weights.copy_(weights)
        self.graph.replay()
        return ((self.losses * learnable).sum() / learnable.sum()).item()

    def _record(self, tokens: torch.Tensor, weights: torch.Tensor) -> None:
        self.shape = tuple(tokens.shape)
        self.tokens, self.weights = tokens.clone(), weights.clone()
        # given, because transformers would look at the numbers in a mask of its own, which a recording cannot
        self.mask = causal_mask(self.model, tokens.shape[1])
        self.positions = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                self._all()
        torch.cuda.current_stream().wait_stream(beside)
        self.model.zero_grad()  # so that the recording makes gradients of its own, which each replay writes anew
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.losses = self._all()

    def _all(self) -> torch.Tensor:
        """Every token's loss; the gradients are left behind."""
        losses = every_loss(self.model, self.tokens, self.mask, self.positions)
        ((losses * self.weights).sum() / self.weights.sum()).backward()
        return losses.detach()


def of(model: "LlamaForCausalLM") -> Passes:
    """The passes for the device that the model is on."""
    return RecordedPasses(model) if model.device.type == "cuda" else Passes(model)


def causal_mask(model: "LlamaForCausalLM", window: int) -> torch.Tensor:
    """What is added to attention scores, (1, 1, window, window)."""
    never = torch.full((window, window), torch.finfo(model.dtype).min, dtype=model.dtype, device=model.device)
    return never.triu(1)[None, None]


def every_loss(
    model: "LlamaForCausalLM", tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """The loss of each token but the first of its row, (rows · (window − 1),), by steps that no number decides."""
    out = model.model(input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False)
    logits = model.lm_head(out.last_hidden_state[:, :-1].flatten(0, 1))
    return cross_entropy(logits, tokens[:, 1:].flatten(), reduction="none")
