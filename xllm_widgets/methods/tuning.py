"""Supervised tuning: a copy of any causal language model learns to give the replies of a few examples.

The loss is the mean cross-entropy of the replies' tokens alone (Ouyang et al., 2022, section 3.5); optionally only
low-rank adapters learn (LoRA; Hu et al., 2022), which are added to the weights at the end.
"""

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import MissingSight, XllmError
from ..microworld import training
from ..microworld.assistant.layout import CHAT_TEMPLATE
from ..models.batching import halved, ran_out
from ..models.language_model import LanguageModel
from .supervision import Example, Row, needs_layout, rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WARM_UP = 0.1  # of all steps
FINAL_RATE = 0.05  # of the highest learning rate, reached by a cosine
RECENT = 10  # steps over which the reported loss is averaged
ADDED = {"lora_alpha": 16, "lora_dropout": 0.0}  # the adapter's product counts lora_alpha / rank times


@dataclass(frozen=True)
class Progress(training.Progress):
    """Where tuning stands: `loss` is the mean of the last ten steps' (nats); `tokens` were read so far."""

    tokens: int = 0


@dataclass(frozen=True)
class Plan:
    """What decides the tuned weights besides model and examples; see `tune` for what each means."""

    steps: int
    batch: int
    rate: float
    adapter: int | None
    seed: int

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine."""
        cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * min(1.0, (step + 1) / max(1, round(WARM_UP * self.steps))) * cosine

    def batches(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """`steps` batches: the rows in a new random order for each round, the last batch of a round may be smaller."""
        done, turn = 0, 0
        while done < self.steps:
            order = np.random.default_rng([self.seed, turn]).permutation(len(rows))
            for start in range(0, len(rows), self.batch)[: self.steps - done]:
                yield [rows[i] for i in order[start : start + self.batch]]
                done += 1
            turn += 1


@dataclass(frozen=True)
class Tuning:
    """A tuned model and how it got there.

    `model`: a LanguageModel of its own. `losses`: the mean loss of the learnable tokens of each step's batch before the
    step, nats. `examples`: how many were given. `tokens`: how many were read, prompts included. `seconds`: how long it
    took.
    """

    model: LanguageModel
    losses: list[float] = field(repr=False)
    examples: int
    tokens: int
    seconds: float

    def describe(self) -> str:
        """One sentence: how long, how much was read, and what became of the loss."""
        return (
            f"{self.model.name}: {len(self.losses)} steps and {self.tokens} tokens in {self.seconds:.0f} s; the loss "
            f"of the replies went from {self.losses[0]:.2f} to {_recent(self.losses):.2f} nats a token."
        )


def tune(
    lm: LanguageModel,
    examples: Sequence[Example],
    *,
    epochs: float = 1,
    steps: int | None = None,
    batch: int = 16,
    rate: float | None = None,
    adapter: int | None = None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Tuning:
    """Teach a copy of a model to reply as the examples do; `lm` itself is never changed. The copy is `.model`.

    The same call on the same machine gives the same weights. Ctrl-C ends it at once: the copy is dropped.

    Args:
        examples: conversations (lists of messages), pairs (prompt, reply) or documents; see `supervision.rows`.
        epochs: how often each example is read; `steps`, where given, decides instead.
        batch: examples a step.
        rate: the highest learning rate; left out, 1e-3, and less in proportion above ten million weights (1e-4 for a
            hundred million) unless only adapters learn.
        adapter: rank of the adapters on all linear layers but the unembedding, which then learn alone.
        on_progress: called after every step, for instance a `lab.LossPicture`.

    Raises:
        XllmError: nothing to learn from, or a setting that cannot be. PromptError: an example beyond the context.
        MissingSight: a model without gradients. OutOfMemory: not even one example fits into the device's memory; while
        a batch does not, it is read in halves, which gives the same weights.
    """
    work, plan = _prepared(lm, examples, epochs, steps, batch, rate, adapter, seed)
    began, losses, tokens = time.perf_counter(), [], 0
    with torch.inference_mode(False), torch.enable_grad():
        learner = _Learner(lm, plan)
        for number, rows_ in enumerate(plan.batches(work), 1):
            losses.append(learner.step(rows_))
            tokens += sum(len(row.ids) for row in rows_)
            if on_progress:
                speed = tokens / (time.perf_counter() - began)
                on_progress(Progress(number, plan.steps, _recent(losses), speed, tokens))
        hf = learner.finished()
    name = f"{lm.name}, tuned on {len(examples)} examples" if len(examples) > 1 else f"{lm.name}, tuned on one example"
    model = LanguageModel(hf, _tokenizer(lm, examples), name, stored_dtype=lm.stored_dtype, recipe=lm.recipe)
    return Tuning(model, losses, len(examples), tokens, time.perf_counter() - began)


def estimate_seconds(
    lm: LanguageModel,
    examples: Sequence[Example],
    *,
    epochs: float = 1,
    steps: int | None = None,
    batch: int = 16,
    adapter: int | None = None,
) -> float:
    """About how long `tune` with the same arguments will take here, in seconds: three steps of a throw-away copy."""
    work, plan = _prepared(lm, examples, epochs, steps, batch, None, adapter, 0)
    trial, seconds, tokens = list(plan.batches(work))[:3], 0.0, 0
    with torch.inference_mode(False), torch.enable_grad():
        learner = _Learner(lm, plan)
        learner.step(trial[0])  # the first step also makes room and is slower
        for rows_ in trial:
            start = time.perf_counter()
            learner.step(rows_)
            seconds, tokens = seconds + time.perf_counter() - start, tokens + sum(len(row.ids) for row in rows_)
    return seconds / tokens * sum(len(row.ids) for rows_ in plan.batches(work) for row in rows_)


def _prepared(
    lm: LanguageModel,
    examples: Sequence[Example],
    epochs: float,
    steps: int | None,
    batch: int,
    rate: float | None,
    adapter: int | None,
    seed: int,
) -> tuple[list[Row], Plan]:
    if "gradients" not in getattr(lm, "sights", ()):
        raise MissingSight(f"{lm.name} shows no gradients, so it cannot be tuned; load a model onto this machine.")
    if getattr(lm.hf, "is_quantized", False):
        raise XllmError(f"{lm.name} is quantized and its weights cannot learn; load it without quantization.")
    places = {str(place) for place in getattr(lm.hf, "hf_device_map", {}).values()}
    if len(places) > 1 or "disk" in places:
        raise XllmError(f"{lm.name} is larger than one device and cannot be tuned; choose a smaller model.")
    if lm.active_edits:
        raise XllmError(f"{lm.name} is being edited; leave the `with lm.edit(...)` block before tuning it.")
    for name, value in (("epochs", epochs), ("steps", steps), ("batch", batch), ("rate", rate), ("adapter", adapter)):
        if value is not None and not value > 0:
            raise XllmError(f"{name}={value!r} is not possible; give a number above zero.")
    with lm.lock:
        work = rows(lm, examples)
    if steps is None:
        steps = max(1, round(epochs * math.ceil(len(work) / batch)))
    return work, Plan(steps, batch, rate or _usual_rate(lm, adapter), adapter, seed)


def _usual_rate(lm: LanguageModel, adapter: int | None) -> float:
    return 1e-3 if adapter else min(1e-3, 1e4 / lm.n_parameters)


def _tokenizer(lm: LanguageModel, examples: Sequence[Example]) -> Any:
    """The model's tokenizer; if conversations were rendered in the Pebbles' layout, a copy that knows this layout."""
    if not needs_layout(lm, examples):
        return lm.tokenizer
    tokenizer = copy.deepcopy(lm.tokenizer)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _recent(losses: list[float]) -> float:
    return sum(losses[-RECENT:]) / len(losses[-RECENT:])


def _learnable(batch: Sequence[Row]) -> int:
    """How many tokens the loss is the mean of; nothing foretells a row's first one."""
    return sum(sum(row.learnable[1:]) for row in batch)


class _Learner:
    """A copy of a model that learns one batch at a time; computes in float32, where small steps are not rounded away.

    Dropout stays off, so that only `seed` decides the result.
    """

    def __init__(self, lm: LanguageModel, plan: Plan) -> None:
        with lm.lock:
            hf = copy.deepcopy(lm.hf)
        self.device, self.dtype, self.keeps_logits = lm.device, lm.dtype, lm.keeps_logits
        self.plan, self.done, self.at_once, self.warned = plan, 0, plan.batch, False
        hf.requires_grad_(True)
        self.hf = with_adapters(hf, plan.adapter, plan.seed) if plan.adapter else hf.float()
        self.weights = [p for p in self.hf.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, batch: Sequence[Row]) -> float:
        """Learn from a batch; gives its loss before the step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate(self.done)
        while True:
            try:
                loss = self._backward(batch)
                break
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            self.optimizer.zero_grad()
            self.at_once, self.warned = halved(min(self.at_once, len(batch)), self.warned), True
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        return loss

    def _backward(self, batch: Sequence[Row]) -> float:
        """Gradients of the batch's mean loss, as many rows at once as memory holds; gives that loss."""
        total, learnable = 0.0, _learnable(batch)
        for start in range(0, len(batch), self.at_once):
            part = batch[start : start + self.at_once]
            if share := _learnable(part) / learnable:
                loss = self.loss(part) * share
                loss.backward()
                total += loss.item()
        return total

    def loss(self, batch: Sequence[Row]) -> torch.Tensor:
        """Mean cross-entropy of the learnable tokens, nats: each is foretold from all tokens before it.

        Rows are filled up on their right, where attention, being causal, never looks.
        """
        width = max(len(row.ids) for row in batch)
        ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in batch], device=self.device)
        wanted = torch.tensor([row.learnable[1:] + [False] * (width - len(row.ids)) for row in batch])
        places = wanted.any(0).nonzero()[:, 0].to(self.device)  # logits are dear: only where some row needs them
        words = {"logits_to_keep": places} if self.keeps_logits else {}
        logits = self.hf(input_ids=ids, use_cache=False, **words).logits
        logits = logits if self.keeps_logits else logits[:, places]  # (batch, place, vocabulary)
        wanted = wanted.to(self.device)[:, places]
        return torch.nn.functional.cross_entropy(logits[wanted].float(), ids[:, 1:][:, places][wanted])

    def finished(self) -> "PreTrainedModel":
        """The tuned model as a plain transformers model again, in its first number format."""
        hf = self.hf.merge_and_unload() if self.plan.adapter else self.hf
        return hf.requires_grad_(True).to(self.dtype).eval()


def with_adapters(hf: Any, rank: int, seed: int) -> Any:
    """A peft model whose only learnable weights are adapters of this rank on every linear layer but the unembedding."""
    import peft

    devices = [hf.device] if hf.device.type == "cuda" else []
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GPT-2's transposed layers: peft says that it has put their setting right
        torch.manual_seed(seed)
        config = peft.LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM", **ADDED)
        return peft.get_peft_model(hf, config)
