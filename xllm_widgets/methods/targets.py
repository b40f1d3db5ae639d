"""What an attribution explains: log p of a continuation, or the difference of two, as a differentiable number."""

from typing import TYPE_CHECKING

import torch

from ..errors import PromptError
from ..models.endings import Beginning
from ..models.passes import embed, last_logits
from ..models.scoring import Tail, plan_tails
from ..models.trimming import last_block_trimmed

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

Target = str | tuple[str, str]


class Objective:
    """The numbers to be explained, as a function of the prompt's embeddings.

    `tails`: what is appended to the prompt, one forward pass each; `weights`: for each tail (reads, targets), how much
    each of its reads counts towards each target.
    """

    def __init__(
        self, lm: "LanguageModel", prompt: str, targets: Target | list[Target], each_token: bool = False
    ) -> None:
        """`targets`: a continuation, a pair (a, b) meaning log p(a) - log p(b), or a list of those. `each_token`: every
        token of each continuation is a target of its own, log p(token | prompt and the tokens before it)."""
        self.lm = lm
        self.tokens = lm.tokens(prompt)
        pairs = [_signed(t) for t in (targets if isinstance(targets, list) else [targets])]
        if not pairs:
            raise PromptError("Give at least one target to explain, such as ' positive'.")
        texts = sorted({text for pair in pairs for text, _ in pair})
        ids = [lm.reader.continuation(prompt, text, self.tokens.ids) for text in texts]
        lm.check_room(len(self.tokens) + max(map(len, ids)) - 1)  # the last token is asked for and never read
        self.tails = plan_tails(ids)
        counted = [[(texts.index(text), sign) for text, sign in pair] for pair in pairs]
        if each_token:
            self.names, columns = _by_token(lm, counted, ids)
        else:
            self.names = [_name(pair) for pair in pairs]
            columns = [{(k, j): sign for k, sign in pair for j in range(len(ids[k]))} for pair in counted]
        self.weights = [_weights(tail, columns) for tail in self.tails]

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return len(self.tokens)

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longest tail."""
        return self.length + max(len(tail.ids) for tail in self.tails)

    def value(self, x: torch.Tensor, beginning: Beginning | None = None) -> torch.Tensor:
        """Embeddings of prompts (rows, tokens, width) → (rows, targets), nats.

        With a `beginning`, `x` is only the prompts' last part; what stands before is taken from there.
        """
        total = x.new_zeros(x.shape[0], len(self.names), dtype=torch.float32)
        for number in range(len(self.tails)):
            total = total + self.share(x, number, beginning)
        return total

    def share(self, x: torch.Tensor, number: int, beginning: Beginning | None = None) -> torch.Tensor:
        """What the reads of one tail add to the value: (rows, targets), from one forward pass."""
        tail = self.tails[number]
        extra = embed(self.lm, list(tail.ids)).expand(x.shape[0], -1, -1)
        rows, keep = torch.cat([x, extra.to(x.dtype)], 1) if tail.ids else x, len(tail.ids) + 1
        if beginning is not None:
            logits = beginning.logits(rows, self.length - x.shape[1], keep)
        else:
            with last_block_trimmed(self.lm, keep):
                logits = last_logits(self.lm, rows, keep, prompt_lengths=[self.length] * x.shape[0])
        logp = logits.log_softmax(-1)
        picked = logp[:, [read.after for read in tail.reads], [read.token for read in tail.reads]]
        return picked @ self.weights[number].to(x.device)


def _signed(target: Target) -> list[tuple[str, float]]:
    if isinstance(target, str):
        return [(target, 1.0)]
    if isinstance(target, tuple) and len(target) == 2 and all(isinstance(text, str) for text in target):
        if target[0] == target[1]:
            raise PromptError(f"The difference of {target[0]!r} with itself is nothing; give two continuations.")
        return [(target[0], 1.0), (target[1], -1.0)]
    raise PromptError(
        f"A target is a continuation (text) or a pair of two, not {target!r}; write (' yes', ' no') for a difference."
    )


def _name(pair: list[tuple[str, float]]) -> str:
    return " − ".join(f"log p({text!r})" for text, _ in pair)


def _by_token(
    lm: "LanguageModel", counted: list[list[tuple[int, float]]], ids: list[list[int]]
) -> tuple[list[str], list[dict[tuple[int, int], float]]]:
    """Names and columns of one target a token; differences have no tokens to be told apart."""
    if any(len(pair) > 1 for pair in counted):
        raise PromptError("Each token of a difference cannot be explained by itself; give continuations, not pairs.")
    continuations = [pair[0][0] for pair in counted]
    names = [f"log p({token!r})" for k in continuations for token in lm.reader.strings(ids[k])]
    return names, [{(k, j): 1.0} for k in continuations for j in range(len(ids[k]))]


def _weights(tail: Tail, columns: list[dict[tuple[int, int], float]]) -> torch.Tensor:
    """(reads, targets), from columns of {(continuation, number of the token in it): weight}."""
    return torch.tensor([[column.get((read.index, read.after), 0.0) for column in columns] for read in tail.reads])
