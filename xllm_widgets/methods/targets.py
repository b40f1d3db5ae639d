"""What an attribution explains: log p of a continuation, or the difference of two, as a differentiable number."""

from typing import TYPE_CHECKING

import torch

from ..errors import PromptError
from ..models.passes import Prefix, embed, last_logits
from ..models.scoring import Tail, plan_tails

if TYPE_CHECKING:
    from transformers import DynamicCache

    from ..models.language_model import LanguageModel

Target = str | tuple[str, str]


class Objective:
    """The numbers to be explained, as a function of the prompt's embeddings."""

    def __init__(self, lm: "LanguageModel", prompt: str, targets: Target | list[Target]) -> None:
        """`targets`: a continuation, a pair (a, b) meaning log p(a) - log p(b), or a list of those."""
        self.lm = lm
        self.tokens = lm.tokens(prompt)
        pairs = [_signed(t) for t in (targets if isinstance(targets, list) else [targets])]
        if not pairs:
            raise PromptError("Give at least one target to explain, such as ' positive'.")
        self.names = [_name(pair) for pair in pairs]
        texts = sorted({text for pair in pairs for text, _ in pair})
        ids = [lm.reader.continuation(prompt, text, self.tokens.ids) for text in texts]
        lm.check_room(len(self.tokens) + max(map(len, ids)))
        self.tails = plan_tails(ids)
        self.weights = torch.zeros(len(texts), len(pairs))
        for column, pair in enumerate(pairs):
            for text, sign in pair:
                self.weights[texts.index(text), column] += sign

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return len(self.tokens)

    def value(self, x: torch.Tensor, prefix: Prefix | None = None) -> torch.Tensor:
        """Embeddings of prompts (rows, tokens, width) → (rows, targets), nats.

        With a `prefix`, `x` is only the prompts' last part; what stands before is taken from there.
        """
        total = x.new_zeros(x.shape[0], self.weights.shape[0], dtype=torch.float32)
        for tail in self.tails:
            cache = None if prefix is None else prefix.behind(self.length - x.shape[1], x.shape[0])
            total = total + self._continuations(x, tail, cache)
        return total @ self.weights.to(total.device)

    def _continuations(self, x: torch.Tensor, tail: Tail, cache: "DynamicCache | None") -> torch.Tensor:
        """(rows, continuations): the log-probabilities that this tail's reads contribute."""
        extra = embed(self.lm, list(tail.ids)).expand(x.shape[0], -1, -1)
        keep = len(tail.ids) + 1
        lengths = [self.length] * x.shape[0]
        rows = torch.cat([x, extra.to(x.dtype)], 1) if tail.ids else x
        logits = last_logits(self.lm, rows, keep, prompt_lengths=lengths, cache=cache)
        out = x.new_zeros(x.shape[0], self.weights.shape[0], dtype=torch.float32)
        logp = logits.log_softmax(-1)
        index = torch.tensor([read.index for read in tail.reads], device=x.device)
        picked = logp[:, [read.after for read in tail.reads], [read.token for read in tail.reads]]
        return out.index_add(1, index, picked)


def _signed(target: Target) -> list[tuple[str, float]]:
    if isinstance(target, str):
        return [(target, 1.0)]
    if isinstance(target, tuple) and len(target) == 2:
        return [(target[0], 1.0), (target[1], -1.0)]
    raise PromptError(
        f"A target is a continuation or a pair of two, not {target!r}; write (' yes', ' no') for a difference."
    )


def _name(pair: list[tuple[str, float]]) -> str:
    return " − ".join(f"log p({text!r})" for text, _ in pair)
