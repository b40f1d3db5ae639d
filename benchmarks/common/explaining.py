"""What the attribution benchmarks share: one prompt, the tokens to be explained, and how the peers are asked."""

from collections.abc import Callable
from typing import Any

from .bench import Setting
from .model import load_hf, load_lm, load_tokenizer, text

NEUTRAL = 1  # the id whose embedding is every baseline: <pad>, which inseq takes by itself


def prompt(sizes: dict[str, int]) -> str:
    return text(sizes["tokens"], 11)


def continuation(sizes: dict[str, int]) -> str:
    return text(sizes["targets"], 12)


def work(sizes: dict[str, int], steps: int = 1) -> tuple[float, float]:
    """One pass forward over prompt and continuation, and one back for each target (one in all for the total)."""
    length, targets = sizes["tokens"], sizes["targets"]
    forward = length + targets - 1
    back = forward if sizes["total"] else sum(length + i for i in range(targets))
    return steps * (forward + back), steps * 2 * targets


class Plain:
    """Model, ids and embeddings, as whoever writes the idiom by hand has them."""

    def __init__(self, setting: Setting) -> None:
        import torch

        self.hf, tokenizer = load_hf(setting), load_tokenizer(setting)
        self.hf.requires_grad_(False)
        self.prompt: list[int] = tokenizer(prompt(setting.sizes))["input_ids"]
        self.targets: list[int] = tokenizer(continuation(setting.sizes))["input_ids"]
        self.total = bool(setting.sizes["total"])
        ids = torch.tensor([self.prompt + self.targets], device=setting.device)
        self.embeddings = self.hf.get_input_embeddings()(ids).detach()  # (1, prompt and continuation, width)
        self.x = self.embeddings[:, : len(self.prompt)]
        neutral = self.hf.get_input_embeddings().weight[NEUTRAL].detach()
        self.baseline = neutral.expand(self.x.shape)

    def logp_behind(self, written: int) -> Callable[[Any], Any]:
        """x (rows, prompt tokens, width) → (rows, vocabulary): log p, `written` tokens into the answer."""
        import torch

        length = len(self.prompt)

        def forward(x: Any) -> Any:
            after = self.embeddings[:, length : length + written].expand(len(x), -1, -1)
            whole = torch.cat([x, after], 1)
            return self.hf(inputs_embeds=whole, use_cache=False, logits_to_keep=1).logits[:, -1].float().log_softmax(-1)

        return forward

    def each(self, explain: Callable[[Callable[[Any], Any], int], Any]) -> Callable[[], Any]:
        """`explain(forward, token)` → (1, prompt tokens, width), asked token by token; (targets, prompt tokens)."""
        import torch

        def run() -> Any:
            rows = [explain(self.logp_behind(i), token).sum(-1)[0] for i, token in enumerate(self.targets)]
            scores = torch.stack(rows).float().cpu().numpy()
            return scores.sum(0, keepdims=True) if self.total else scores

        return run


def ask_us(setting: Setting, method: str, **options: Any) -> Callable[[], Any]:
    """Through our public verb; `baseline` is the embedding of NEUTRAL where the method wants one."""
    lm, sizes = load_lm(setting), setting.sizes
    if method == "integrated_gradients":
        options["baseline"] = lm.hf.get_input_embeddings().weight[NEUTRAL].detach().float().cpu().numpy()
    asked, answer, each = prompt(sizes), continuation(sizes), not sizes["total"]
    return lambda: lm.attribute(asked, answer, method, each_token=each, **options).scores


def ask_inseq(setting: Setting, method: str, **options: Any) -> Callable[[], Any]:
    """inseq explains every token of the continuation by all that stands before it; what falls on the prompt is kept."""
    import inseq

    tokenizer, sizes = load_tokenizer(setting), setting.sizes
    model = inseq.load_model(load_hf(setting), method, tokenizer=tokenizer, device=setting.device)
    before, after = prompt(sizes), continuation(sizes)
    knobs = {"attributed_fn": "probability", "logprob": True, "show_progress": False, **options}

    def run() -> Any:
        found = model.attribute(before, before + after, **knobs).sequence_attributions[0].target_attributions
        scores = found.sum(-1)[: sizes["tokens"]].T.float().cpu().numpy()  # found: (tokens, targets, width)
        return scores.sum(0, keepdims=True) if sizes["total"] else scores

    return run
