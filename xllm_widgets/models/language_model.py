"""`LanguageModel`: a thin layer over a transformers model, hooked in place; logits stay transformers' own."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import PromptError
from . import activations as _activations
from . import attending, choosing, cost, passes, sampling, scoring, sharing, trimming
from . import attention as _attention
from .edits import ActiveEdit, Positions, Running, Steer, edited
from .structure import Structure, find_structure, places, runs_on
from .text import Reader, Tokens

if TYPE_CHECKING:
    from ..methods.attribution import Attribution, Target


class LanguageModel:
    """A causal language model and the few verbs by which the course looks into it.

    `.hf` and `.tokenizer` are the plain transformers objects; `.lock` is held by every verb, so that callbacks on other
    threads wait their turn. Verbs set their own gradient mode and leave the global one alone.
    """

    sights = frozenset({"text", "logprobs", "activations", "gradients"})

    def __init__(
        self, hf: Any, tokenizer: Any, name: str, *, stored_dtype: str = "", recipe: dict | None = None
    ) -> None:
        self.hf, self.tokenizer, self.name, self.recipe = hf.eval(), tokenizer, name, recipe
        self.stored_dtype = stored_dtype
        self.lock = threading.RLock()
        self.reader = Reader(tokenizer)
        self.running = Running()
        self.active_edits: list[ActiveEdit] = []
        self.structure: Structure = find_structure(hf)
        self.keeps_logits = _takes(hf.forward, "logits_to_keep")
        self.switches_attention = attending.install(hf)
        self.shares_prefixes = False
        self.shares_prefixes = passes.can_share_prefixes(self)
        self.trims_last_block = False
        self.trims_last_block = trimming.can_trim(self)
        self.takes_positions = _takes(hf.forward, "position_ids")
        self.in_place = sharing.longest_in_place(self)

    @property
    def device(self) -> torch.device:
        """Where embeddings are looked up, and prompts are sent; other blocks of a spread model lie elsewhere."""
        return runs_on(self.structure.embeddings)

    @property
    def dtype(self) -> torch.dtype:
        """The number format the model computes in."""
        return self.hf.dtype

    @property
    def n_parameters(self) -> int:
        """Weights, tied ones counted once."""
        return sum(p.numel() for p in self.hf.parameters())

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.structure.blocks)

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.hf.config.get_text_config(decoder=True).hidden_size

    @property
    def context_length(self) -> int:
        """The most tokens the model can read at once."""
        config = self.hf.config.get_text_config(decoder=True)
        return getattr(config, "max_position_embeddings", None) or 1_000_000

    def describe(self) -> str:
        """One line: size, shape, context, and the device and number format chosen."""
        stored = f" (stored as {self.stored_dtype})" if self.stored_dtype not in ("", _name(self.dtype)) else ""
        return (
            f"{self.name}: {_count(self.n_parameters)} parameters, {type(self.hf).__name__}, {self.n_layers} blocks of "
            f"width {self.width}, context {self.context_length} tokens, {_name(self.dtype)}{stored} on "
            f"{', '.join(places(self.hf))}."
        )

    def __repr__(self) -> str:
        return self.describe()

    def tokens(self, text: str) -> Tokens:
        """The text as the model reads it: `.strings`, `.ids`, `.offsets` (characters), `.special`.

        Raises PromptError if the text is empty or holds half a character.
        """
        return self.reader.encode(text)

    def prompt_ids(self, prompt: str) -> list[int]:
        """Ids of a prompt; PromptError if it is empty or longer than the context."""
        ids = self.reader.ids(prompt)
        self.check_room(len(ids))
        return ids

    def check_room(self, length: int) -> None:
        """PromptError if `length` tokens do not fit into the context."""
        if length > self.context_length:
            raise PromptError(
                f"The text has {length} tokens but {self.name} reads at most {self.context_length}; shorten it by "
                f"{length - self.context_length}."
            )

    def logprobs(
        self,
        prompts: str | Sequence[str],
        continuations: Sequence[str] | Sequence[Sequence[str]],
        *,
        should_stop: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """How likely is each continuation behind each prompt? log p(continuation | prompt): (prompts, continuations),
        nats.

        `continuations`: one list for all prompts, or one list each (ragged ones are filled up with NaN). A continuation
        may have several tokens, whose log-probabilities add. It is encoded together with its prompt; if that would
        change the prompt's tokens, by itself. Raises PromptError for empty or overlong text, Interrupted when
        `should_stop` says so.
        """
        with self.lock, torch.inference_mode():
            return scoring.logprobs(self, prompts, continuations, should_stop)

    def generate(
        self,
        prompts: str | Sequence[str],
        n: int = 1,
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: str | Sequence[str] | None = None,
        *,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[list[sampling.Generation]]:
        """What does the model write next? For each prompt a list of n `Generation`s (`.text`, `.tokens`, `.logprobs`).

        `temperature` 0 is greedy. Sample k of a prompt depends on seed, prompt and k alone: not on n, nor on the other
        prompts. Text ends before the first of the `stop` strings, at the model's end mark, or at the context's end.
        Raises PromptError for text that is empty or leaves no room, XllmError for numbers out of range (seeds below 0),
        OutOfMemory if one row does not fit, Interrupted when `should_stop` says so.
        """
        with self.lock, torch.inference_mode():
            knobs = choosing.Knobs(n, max_new_tokens, temperature, top_p, seed, choosing.stop_strings(stop))
            return sampling.generate(self, prompts, knobs, should_stop)

    def activations(
        self,
        prompts: str | Sequence[str],
        layers: int | Sequence[int] | str = "all",
        positions: Positions = -1,
        *,
        out: _activations.Out | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """The residual stream: (prompts, layers, positions, width), float32, before the final norm.

        Layer 0 is the embeddings, layer k the stream after block k. `positions`: token numbers, negative from the
        prompt's end, or "all" (shorter prompts are filled up with NaN on the right). Nothing beyond the highest layer
        is computed. With `out` the answer is written, batch by batch, into a new .npy file of that path (what comes
        back is that file as a memory-mapped array, for answers larger than memory) or into an array of yours of the
        answer's shape, in whatever float format it has. Raises PromptError for text or positions that do not fit,
        UnsupportedModel for layers that do not exist, Interrupted when `should_stop` says so.
        """
        with self.lock, torch.inference_mode():
            return _activations.activations(self, prompts, layers, positions, out, should_stop)

    def attention(self, prompt: str, segments: Sequence[tuple[int, int]] | None = None) -> np.ndarray:
        """Where does each token look? (layers, heads, queries, keys), rows sum to one.

        With `segments`, ranges (start, end) of characters of the prompt: the mass on each, (layers, heads, queries,
        segments), for prompts of any length: no matrix is written out, time and memory are about those of a forward
        pass. A token belongs to every segment it shares a character with. Segments may overlap. In families with
        attention sinks the share of the sink belongs to no token, so that mass adds up to less than one. Whole matrices
        are given for at most 1,024 tokens; PromptError beyond, or for a segment that is no range of characters;
        UnsupportedModel if the blocks do not attend, OutOfMemory if the prompt does not fit.
        """
        with self.lock, torch.inference_mode():
            return _attention.attention(self, prompt, segments)

    def attention_statistics(self, prompt: str) -> _attention.AttentionStatistics:
        """How widely, and how far back, does each head look from each token?

        `.entropy`: of the attention distribution over the tokens, nats, 0 where a single token gets all; `.distance`:
        how many tokens back it lies on average. Each (layers, heads, queries), float32, for prompts of any length,
        without writing out a matrix. Attention sinks are no tokens and are left out. Raises like `attention`.
        """
        with self.lock, torch.inference_mode():
            return _attention.attention_statistics(self, prompt)

    def attribute(
        self, prompt: str, target: "Target | list[Target]", method: str = "integrated_gradients", **options: Any
    ) -> "Attribution":
        """Which tokens of the prompt does log p(target) rest on? Scores (targets, prompt tokens), nats.

        `target`: a continuation, a pair (a, b) for log p(a) - log p(b), or a list of those. `method` and `options`: see
        `xllm_widgets.methods.attribution.attribute`.
        """
        from ..methods.attribution import attribute

        with self.lock, torch.inference_mode(False):  # gradients need ordinary tensors, whatever the caller's mode
            return attribute(self, prompt, target, method, **options)

    def edit(self, *edits: Steer) -> AbstractContextManager["LanguageModel"]:
        """`with lm.edit(Steer(vector, layers, strength, positions)):` every verb sees the edited model; nested edits
        add.

        The lock is held throughout, so no other thread meets the edited model by accident. The weights stay untouched.
        """
        return edited(self, edits)

    def estimate_seconds(self, prompts: str | Sequence[str], continuations: Sequence = ("a",)) -> float:
        """About how long `logprobs` of these will take on this machine now, from a short timed forward pass."""
        with self.lock, torch.inference_mode():
            return cost.logprobs_seconds(self, prompts, continuations)


def _takes(function: Callable, argument: str) -> bool:
    import inspect

    return argument in inspect.signature(function).parameters


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _count(n: int) -> str:
    for unit, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if n >= unit:
            return f"{n / unit:.2f} {word}"
    return str(n)
