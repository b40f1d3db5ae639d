"""A decode step recorded once and replayed: on a GPU, small batches wait for the launches of kernels, not for them."""

import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import torch

from .attending import attention_by
from .decoding import refuse
from .merging import attend, merge
from .passes import picked_logits
from .structure import places

if TYPE_CHECKING:
    from .language_model import LanguageModel
    from .sharing import InPlacePath

WORTH_IT = 8  # steps that repay a recording, which costs about two of them
NEVER = sys.maxsize
"""As WORTH_IT: nothing is recorded, so that the gain can be measured."""
_refused: "WeakSet[LanguageModel]" = WeakSet()  # models whose step could not be recorded


def pays(lm: "LanguageModel", steps: int) -> bool:
    """Whether to record the step: on one CUDA device, for a model in which no hook wants to be called at each step."""
    if lm.device.type != "cuda" or steps < WORTH_IT or lm in _refused or lm.active_edits:
        return False
    hooked = any(m._forward_hooks or m._forward_pre_hooks or hasattr(m, "_hf_hook") for m in lm.hf.modules())
    return not hooked and len(places(lm.hf)) == 1


class GraphedSamples:
    """`InPlaceSamples` in tensors of fixed shapes, so that one recorded step serves for all that follow.

    Room for all that will be written is there from the start, hidden by a mask until it is filled. Rows that have ended
    go on unread, which costs little: a step reads the model's weights, however few rows there are. Where recording
    fails, steps are computed one by one, in the same tensors.
    """

    def __init__(self, path: "InPlacePath", rows: int, steps: int) -> None:
        self.path, self.prompt, self.steps, self.written = path, path.length, steps, 0
        where: dict[str, Any] = {"device": path.lm.device}
        self._rows = torch.arange(rows, **where)  # those that are read
        self._tokens = torch.zeros(rows, dtype=torch.long, **where)
        self._place = torch.zeros(1, dtype=torch.long, **where)  # how many have been written
        self._own = torch.full((1, 1, 1, -(-steps // 16) * 16), -torch.inf, dtype=path.lm.dtype, **where)
        self._single = torch.zeros(rows, 1, 1, 1, dtype=path.lm.dtype, **where)
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._logits: torch.Tensor | None = None
        self.graph: Any = None

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """As `InPlaceSamples.next`."""
        self._tokens[self._rows] = tokens.to(self._tokens.device)
        if self.written == 1:  # the first step has made the buffers and loaded the kernels
            self._record()
        if self.graph is None:
            self._logits = self._step()
        else:
            self.graph.replay()
        self.written += 1
        assert self._logits is not None
        return self._logits[self._rows]

    def keep(self, rows: Sequence[int]) -> None:
        """As `InPlaceSamples.keep`."""
        self._rows = self._rows[torch.tensor(rows, device=self._rows.device)]

    def _record(self) -> None:
        try:
            self.graph, self._logits = recorded(self._step, self.path.lm.device)
        except RuntimeError:  # a kernel that asks the CPU something on its way, or memory
            _refused.add(self.path.lm)

    def _step(self) -> torch.Tensor:
        """All rows' tokens through the model; where they stand is counted on the device."""
        self._own.index_fill_(-1, self._place, 0)
        at, lengths = (self._place + self.prompt)[None], [self.prompt] * len(self._tokens)
        with attention_by(self._kernel):  # a mask of its own keeps transformers from asking whether texts are packed
            out = picked_logits(
                self.path.lm, self._tokens[:, None], None, prompt_lengths=lengths, positions=at, mask=self._single
            )
        self._place += 1
        return out

    def _kernel(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        _: torch.Tensor | None,
        *,
        scaling: float | None = None,
        **options: Any,
    ) -> torch.Tensor:
        refuse(options, self.prompt + self.steps)
        layer = module.layer_idx
        if layer not in self._layers:
            self._layers[layer] = self._room(key), self._room(value)
        keys, values = (
            room.index_copy_(2, self._place, new) for room, new in zip(self._layers[layer], (key, value), strict=True)
        )
        own = attend(query, keys, values, mask=self._own, scale=scaling)
        return merge(own, self.path.attend(layer, query, self.prompt, scaling)).transpose(1, 2)

    def _room(self, new: torch.Tensor) -> torch.Tensor:
        """Zeros, since what is hidden weighs nothing, and nothing times what memory may hold can be no number."""
        return new.new_zeros(*new.shape[:2], self._own.shape[-1], new.shape[3])


def recorded(step: Callable[[], torch.Tensor], device: torch.device) -> tuple[Any, torch.Tensor]:
    """A graph of what `step` launches, none of which has run yet, and the tensor that a replay fills with its answer.

    Raises RuntimeError where a step cannot be recorded. Other threads may use the device meanwhile.
    """
    graph, aside = torch.cuda.CUDAGraph(), _aside(device)
    dice = torch.cuda.default_generators[device.index or 0]
    as_it_was = dice.clone_state()
    aside.wait_stream(torch.cuda.current_stream(device))
    try:
        # the stream is left in any case, which `torch.cuda.graph` forgets when recording fails
        with torch.cuda.stream(aside), _nothing_thrown_away():
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                answer = step()
            finally:
                graph.capture_end()
    except RuntimeError:
        dice.graphsafe_set_state(as_it_was)  # else it waits for an end of the recording, and draws no number any more
        raise
    torch.cuda.current_stream(device).wait_stream(aside)
    return graph, answer


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Without Python's collector: memory or a graph of another model given back meanwhile would spoil a recording."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@functools.cache
def _aside(device: torch.device) -> Any:
    """The stream on which all is recorded: cuBLAS keeps memory for each stream that it has seen."""
    return torch.cuda.Stream(device)
