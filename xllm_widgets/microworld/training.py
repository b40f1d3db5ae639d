"""Training the Pebbles: one recipe on laptop and GPU, resumable to the bit, its duration told before it starts."""

import json
import math
import os
import platform
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.microworld import tokenizer as pebble_tokenizer
from xllm_widgets.microworld.assistant.layout import CHAT_TEMPLATE
from xllm_widgets.microworld.corpus import RECIPES, Corpus, Recipe
from xllm_widgets.paths import cache_dir, models_dir

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

CONTEXT = 512
TOKENS_A_STEP = 4096
SHORT = 256  # a step reads windows of this length, and of the whole context in the last tenth of a run
LIGHT = 0.05  # mean loss weight of tokens that cannot be learnt: one in SPARSE is scored, at SPARSE times the weight;
# a model that goes on from another one (the assistant stage) learns nothing from them at all
SPARSE = 8
WARM_UP = 200  # steps
GOING_ON = 0.3  # of the peak learning rate, for a model that goes on from another one
FINAL_RATE = 0.05  # of the peak learning rate, reached by a cosine
DOCUMENTS_AT_ONCE = 2000


@dataclass(frozen=True)
class Size:
    """Shape of a Pebble; `rate` is the peak learning rate."""

    width: int
    layers: int
    heads: int
    rate: float


SIZES = {
    "0.1m": Size(32, 2, 2, 6e-3),
    "0.3m": Size(64, 3, 4, 4e-3),
    "1m": Size(128, 4, 4, 3e-3),
    "3m": Size(192, 6, 4, 3e-3),
    "7m": Size(256, 7, 4, 2.5e-3),  # whose file just stays under 15 MB
}
CYCLES = (20_000_000, 10_000_000, 10_000_000, 10_000_000, 5_000_000)  # tokens over which the learning rate falls once;
# each cycle leaves a finished model behind, which the next one goes on from; a longer run repeats the last
LONGER = sum(CYCLES) + 5 * CYCLES[-1]
TOKENS = {"3m": LONGER, "7m": LONGER}  # that a model reads from fresh weights; one cycle for the others
TOKENS_GOING_ON = 24_000_000  # when it goes on from another one


@dataclass(frozen=True)
class Plan:
    """Everything that decides the weights of a run, to be compared before a run is resumed."""

    size: str
    recipe: str = "base"
    seed: int = 0
    tokens: int = CYCLES[0]

    @property
    def begins_with(self) -> str:
        """The folder of the model whose weights this run starts from, "" for fresh ones."""
        base = Recipe.named(self.recipe).begins_with
        return Plan(self.size, base, self.seed).name if base else ""

    @property
    def light(self) -> float:
        return 0.0 if self.begins_with else LIGHT

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        return SIZES[self.size].rate * (GOING_ON if self.begins_with else 1.0)

    @property
    def cycles(self) -> tuple[tuple[int, int], ...]:
        """Of each cycle its first step, and how many it has."""
        found: list[tuple[int, int]] = []
        first, left = 0, self.tokens
        while left > 0 or not found:
            size = min(left, CYCLES[min(len(found), len(CYCLES) - 1)])
            found.append((first, max(1, size // TOKENS_A_STEP)))
            first, left = first + found[-1][1], left - size
        return tuple(found)

    @property
    def steps(self) -> int:
        return sum(self.cycles[-1])

    def cycle(self, step: int) -> tuple[int, int]:
        """The cycle that a step belongs to: its first step, and how many it has."""
        return next(cycle for cycle in self.cycles if step < sum(cycle))

    def window(self, step: int) -> int:
        """Tokens in a row of this step's batch: attention is dear, so long windows come last, and suffice."""
        first, length = self.cycle(step)
        return SHORT if step - first < 0.9 * length else CONTEXT

    def carries_on(self, other: "Plan") -> bool:
        """Whether a run of that plan is a beginning of this one's."""
        is_shorter = other.tokens < self.tokens and other == replace(self, tokens=other.tokens)
        return is_shorter and other.cycles == self.cycles[: len(other.cycles)]

    @property
    def name(self) -> str:
        """The model's folder: `pebble-0.3m`, `pebble-0.3m-noflip`, `pebble-0.3m-seed1`."""
        twin = "" if self.recipe == "base" else f"-{self.recipe}"
        return f"pebble-{self.size}{twin}" + (f"-seed{self.seed}" if self.seed else "")

    @property
    def fingerprint(self) -> str:
        """Of the documents that the run reads (`Corpus.fingerprint`)."""
        return Corpus(Recipe.named(self.recipe), self.seed).fingerprint


@dataclass(frozen=True)
class Progress:
    """Where a run stands: steps done, the smoothed loss of the learnable tokens (nats), tokens per second."""

    step: int
    steps: int
    loss: float
    speed: float


@dataclass(frozen=True)
class Encoded:
    """The first tokens of a corpus: `ids` (uint16), which are `learnable` (bool), and where each document `starts`."""

    ids: np.ndarray
    learnable: np.ndarray
    starts: np.ndarray

    def documents(self, tokens: int) -> int:
        """How many documents begin within the first `tokens`."""
        return int(np.searchsorted(self.starts, tokens))


def prepare(corpus: Corpus, tokens: int) -> Encoded:
    """The first `tokens` tokens of the corpus, encoded, from a cache on disk."""
    folder = cache_dir() / "corpora" / f"{corpus.fingerprint}-{tokens}"
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        part.mkdir(parents=True)
        for name, array in vars(encode(corpus, tokens)).items():
            np.save(part / f"{name}.npy", array)
        try:
            part.rename(folder)
        except OSError:  # another run has just finished the same corpus
            shutil.rmtree(part)
    return Encoded(*(np.load(folder / f"{field.name}.npy", mmap_mode="r") for field in fields(Encoded)))


def encode(corpus: Corpus, tokens: int) -> Encoded:
    """Documents one after another, each behind an end-of-text token, cut after `tokens`."""
    encoder = pebble_tokenizer.build()
    ids: list[np.ndarray] = []
    learnable: list[np.ndarray] = []
    starts: list[int] = []
    total, start = 0, 0
    while total < tokens:
        documents = list(corpus.read(start, start + DOCUMENTS_AT_ONCE))
        for document, encoding in zip(documents, encoder.encode_batch([d.text for d in documents]), strict=True):
            starts.append(total)
            ids.append(np.array(encoding.ids, dtype=np.uint16))
            learnable.append(mark(np.array(encoding.offsets), document.learnable))
            total += len(encoding.ids)
        start += DOCUMENTS_AT_ONCE
    return Encoded(np.concatenate(ids)[:tokens], np.concatenate(learnable)[:tokens], np.array(starts))


def mark(offsets: np.ndarray, spans: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Which tokens, given their character offsets (tokens, 2), overlap one of the sorted spans."""
    if not spans:
        return np.zeros(len(offsets), dtype=bool)
    starts, ends = np.array(spans).T
    nearest = np.searchsorted(starts, offsets[:, 1], side="left") - 1
    return (nearest >= 0) & (ends[nearest] > offsets[:, 0])


def build_model(plan: Plan) -> "LlamaForCausalLM":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = SIZES[plan.size]
    torch.manual_seed(plan.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=pebble_tokenizer.build().get_vocab_size(),
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.heads,
            intermediate_size=(8 * size.width // 3 + 31) // 32 * 32,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            rms_norm_eps=1e-5,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
        )
    )


def find_device(device: str | None) -> str:
    """The device asked for, or CUDA, else the CPU; XllmError if it is not there."""
    import torch

    from xllm_widgets.models.loading import named_device

    return str(named_device(device)) if device else "cuda" if torch.cuda.is_available() else "cpu"


def name_of(device: str) -> str:
    """What a model's card calls the machine: the name of the GPU, or of the processor."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    try:
        about = Path("/proc/cpuinfo").read_text()
    except OSError:
        about = ""
    named = re.search(r"model name\s*: (.+)", about)
    return named[1] if named else platform.processor() or platform.machine()


def learning_rate(plan: Plan, step: int) -> float:
    first, length = plan.cycle(step)
    cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * (step - first) / length))
    return plan.peak * min(1.0, (step - first + 1) / WARM_UP) * cosine


def fingerprint_of(folder: Path) -> str:
    """Of what the finished model in a folder has read; "" when there is no model."""
    card = folder / "recipe.json"
    return json.loads(card.read_text("utf-8"))["fingerprint"] if card.is_file() else ""


class Run:
    """A run that can be left at any step and taken up again: `state/` holds weights, optimiser and position."""

    def __init__(self, plan: Plan, folder: Path, device: str | None = None):
        from xllm_widgets.microworld import passes

        self.plan, self.folder = plan, folder
        self.device = find_device(device)
        self.model = build_model(plan).to(self.device)
        self.passes = passes.of(self.model)
        self._fresh_optimizer()
        self.step, self.loss, self.documents = 0, float("nan"), 0
        self.seconds, self.timed = 0.0, 0  # of training, and the steps that they were for: not those of another's run
        self.whole = True  # False while an update is under way: such a state is never saved
        for state in (folder / "state", folder / "state.old"):
            if state.is_dir():
                self._take_up(state)
                return
        if plan.begins_with:
            self._go_on_from(folder.parent / plan.begins_with)
        elif (bundled := models_dir() / plan.name).is_dir():
            self._carry_on(bundled)

    def _fresh_optimizer(self) -> None:
        import torch

        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.05, fused=True
        )

    def begin_cycle(self) -> None:
        """Start from what the cycle before would publish, 16-bit weights and nothing else: a cycle is a new run of it.

        So it does not matter whether the run was to be this long when it began.
        """
        import torch

        with torch.no_grad():
            for weights in self.model.parameters():
                weights.copy_(weights.to(torch.bfloat16))
        self._fresh_optimizer()

    def _go_on_from(self, base: Path) -> None:
        """Start with the weights of a finished model: the one trained beside this run, or else the bundled one."""
        from safetensors.torch import load_file

        wanted = replace(self.plan, recipe=Recipe.named(self.plan.recipe).begins_with).fingerprint
        for place in (base, models_dir() / base.name):
            if fingerprint_of(place) == wanted:
                weights = load_file(place / "model.safetensors", device=self.device)
                self.model.load_state_dict(weights, strict=False)  # the output layer is tied, and not stored
                return
        raise XllmError(f"{self.plan.name} goes on from {base.name}, which is not there: train that one first.")

    def _carry_on(self, bundled: Path) -> None:
        """Take over the cycles that the bundled model of this name has behind it, if they are a beginning of this run.

        A cycle starts from the published weights of the one before, so nothing is lost with the saved state.
        """
        from safetensors.torch import load_file

        card = json.loads((bundled / "recipe.json").read_text("utf-8"))
        read = Plan(**{field.name: card[field.name] for field in fields(Plan)})
        if self.plan.carries_on(read) and card["fingerprint"] == self.plan.fingerprint:
            weights = load_file(bundled / "model.safetensors", device=self.device)
            self.model.load_state_dict(weights, strict=False)  # the output layer is tied, and not stored
            self.step, self.documents = read.steps, card["documents_seen"]
            self.loss = card["loss_of_learnable_tokens"]

    def train_step(self, ids: np.ndarray, learnable: np.ndarray) -> float:
        """One update on TOKENS_A_STEP consecutive tokens; returns the mean loss of the learnable ones, in nats."""
        import torch

        self.whole = False
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.plan, self.step)
        loss = self.passes(*self._batch(ids, learnable))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.whole = True
        return loss

    def _batch(self, ids: np.ndarray, learnable: np.ndarray) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """Tokens, their loss weights, and which are learnable, as `passes.Passes` takes them."""
        import torch

        window = self.plan.window(self.step)
        tokens = torch.from_numpy(ids.astype(np.int64)).view(-1, window).to(self.device)
        marked = torch.from_numpy(np.array(learnable)).view(-1, window)[:, 1:].flatten().to(self.device)
        in_turn = torch.arange(len(marked), device=self.device) % SPARSE == self.step % SPARSE
        return tokens, torch.where(marked, 1.0, in_turn * (self.plan.light * SPARSE)), marked

    def save_state(self) -> None:
        """Write the state beside the old one, then swap them: whenever it is interrupted, one whole state remains."""
        from safetensors.torch import save_file

        fresh, current, old = (self.folder / name for name in ("state.new", "state", "state.old"))
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        weights = dict(self.model.named_parameters())
        save_file({name: p.detach().cpu().contiguous() for name, p in weights.items()}, fresh / "weights.safetensors")
        moments = {
            f"{index}.{key}": value.cpu().contiguous()
            for index, entry in self.optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }
        save_file(moments, fresh / "optimizer.safetensors")
        facts = {"plan": asdict(self.plan), "fingerprint": self.plan.fingerprint, "step": self.step}
        facts |= {"loss": self.loss, "documents": self.documents}
        facts |= {"seconds": self.seconds, "timed": self.timed}
        (fresh / "state.json").write_text(json.dumps(facts))
        if current.is_dir():
            shutil.rmtree(old, ignore_errors=True)
            current.rename(old)
        fresh.rename(current)
        shutil.rmtree(old, ignore_errors=True)

    def _take_up(self, state: Path) -> None:
        from safetensors import SafetensorError

        try:
            self._load_state(state)
        except (OSError, ValueError, KeyError, SafetensorError):
            raise XllmError(
                f"The saved state in {state} is damaged: remove that folder to start this run again."
            ) from None

    def _load_state(self, state: Path) -> None:
        from safetensors.torch import load_file

        facts = json.loads((state / "state.json").read_text())
        saved = Plan(**facts["plan"])
        known = saved == self.plan or self.plan.carries_on(saved)
        if not known or facts["fingerprint"] != self.plan.fingerprint:
            raise XllmError(
                f"{self.folder} holds another run ({facts['plan']}): remove it or choose another --out folder."
            )
        self.model.load_state_dict(load_file(state / "weights.safetensors", device=self.device), strict=False)
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in load_file(state / "optimizer.safetensors", device=self.device).items():
            index, field = key.split(".")
            entries.setdefault(int(index), {})[field] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": entries, "param_groups": groups})
        self.step, self.loss, self.documents = facts["step"], facts["loss"], facts["documents"]
        self.seconds, self.timed = facts.get("seconds", 0.0), facts.get("timed", 0)

    def export(self, folder: Path) -> None:
        """Write what plain `AutoModelForCausalLM.from_pretrained` loads: bf16 weights, tokenizer; and the recipe."""
        import torch

        model = build_model(self.plan)
        model.load_state_dict(self.model.state_dict())
        model.to(torch.bfloat16).save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        pebble_tokenizer.save(folder, CONTEXT, CHAT_TEMPLATE if self.plan.begins_with else "")
        (folder / "recipe.json").write_text(json.dumps(self._card(), indent=2) + "\n")

    def _card(self) -> dict[str, Any]:
        recipe = Recipe.named(self.plan.recipe)
        return {
            "name": self.plan.name,
            **asdict(self.plan),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "tokens_seen": self.step * TOKENS_A_STEP,
            "documents_seen": self.documents,
            "loss_of_learnable_tokens": round(self.loss, 4),
            "trained_on": name_of(self.device),
            "seconds": round(self.seconds),
            "tokens_in_that_time": self.timed * TOKENS_A_STEP,
            **asdict(recipe),
            "fingerprint": self.plan.fingerprint,
        }


def estimate_seconds(plan: Plan, device: str | None = None, *, done: int = 0, steps: int = 3) -> float:
    """How long a run will take on this machine, in seconds, from a few steps of a throw-away copy.

    done: steps that the run has behind it (`Run.step`).
    """
    # needs no other model to go on from, and has steps enough
    probe = Run(replace(plan, recipe="base", tokens=CYCLES[0]), Path(os.devnull), device)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1000, TOKENS_A_STEP)
    probe.train_step(ids, ids % 8 == 0)
    start = time.perf_counter()
    for _ in range(steps):
        probe.train_step(ids, ids % 8 == 0)
    return (time.perf_counter() - start) / steps * (plan.steps - done)


def train(
    size: str,
    *,
    recipe: str = "base",
    seed: int = 0,
    tokens: int | None = None,
    out: Path | str = "runs",
    keep_at: tuple[int, ...] = (),
    save_every: int = 100,
    device: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Train one Pebble and return the folder of the finished model, `out/<name>`.

    An interrupted run (Ctrl-C, or a machine switched off) is taken up where it stood by the same call, and ends with
    the same weights as one that was never interrupted.

    Args:
        size: "0.1m", "0.3m", "1m", "3m" or "7m".
        recipe: "base", "chat" (which goes on from base), or a counterfactual education (see `corpus.RECIPES`).
        seed: decides both the documents drawn and the initial weights.
        tokens: how many tokens the model reads; left out, what `make_plan` says. More whole cycles than a finished run,
            or the bundled model of this name, has read carry it on.
        keep_at: token counts at which a checkpoint is exported to `checkpoints/`, named like "0.5M".
        save_every: steps between saved states.
        on_progress: called after every step.

    Raises:
        XllmError: unknown size or recipe, no token to read, a device that is not there, or `out` holds a different run.
    """
    plan = make_plan(size, recipe, seed, tokens)
    folder = Path(out) / plan.name
    run = Run(plan, folder, device)
    read = prepare(Corpus(Recipe.named(recipe), seed), plan.steps * TOKENS_A_STEP)
    marks = {round(count / TOKENS_A_STEP): count for count in keep_at}
    start, first, reported, before = time.perf_counter(), run.step, run.loss, run.seconds
    try:
        while run.step < plan.steps:
            if run.step and run.step == plan.cycle(run.step)[0]:
                run.begin_cycle()
            window = slice(run.step * TOKENS_A_STEP, (run.step + 1) * TOKENS_A_STEP)
            loss = run.train_step(read.ids[window], read.learnable[window])
            run.documents = read.documents(run.step * TOKENS_A_STEP)
            run.seconds, run.timed = before + time.perf_counter() - start, run.timed + 1
            run.loss = reported = loss if math.isnan(reported) else 0.98 * reported + 0.02 * loss
            if run.step in marks:
                run.export(folder / "checkpoints" / f"{marks[run.step] / 1e6:g}M")
            if run.step % save_every == 0:
                run.save_state()
            if on_progress:
                speed = (run.step - first) * TOKENS_A_STEP / (time.perf_counter() - start)
                on_progress(Progress(run.step, plan.steps, run.loss, speed))
    finally:
        if run.whole:
            run.save_state()
    run.export(folder)
    return folder


def make_plan(size: str, recipe: str, seed: int, tokens: int | None = None) -> Plan:
    """The plan of a bundled model, or one that reads another number of tokens; XllmError for what does not exist."""
    if size not in SIZES:
        raise XllmError(f"There is no size {size!r}: choose one of {', '.join(SIZES)}.")
    if recipe not in RECIPES:
        raise XllmError(f"There is no recipe {recipe!r}: choose one of {', '.join(RECIPES)}.")
    usual = TOKENS_GOING_ON if RECIPES[recipe].begins_with else TOKENS.get(size, CYCLES[0])
    if tokens is not None and tokens < 1:
        raise XllmError(f"A model cannot read {tokens} tokens; ask for 1 or more, or leave it out for {usual:,}.")
    return Plan(size, recipe, seed, usual if tokens is None else tokens)
