"""Attention mass of 8 segments for every query, layer and head: what does looking at long prompts cost?

    python benchmarks/attention_at_length.py [--rounds 5] [--python recent=PATH]

Everyone ends with an array (layers, heads, queries, segments). Peers: TransformerLens and nnsight, which read the full
matrices that transformers' eager attention makes (`pip install -r benchmarks/peers/recent.txt`).
"""

from collections.abc import Callable
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Setting, Target
from common.model import load_hf, load_lm, load_tokenizer, text
from common.running import main

EAGER, BLIND = "transformers, eager attentions", "a forward pass that reads nothing"
LENS, SIGHT = "TransformerLens", "nnsight"
SEGMENTS = 8


def work(sizes: dict[str, int]) -> tuple[float, float]:
    """Every token through the blocks; nothing is predicted."""
    return sizes["tokens"], 0


def ours(setting: Setting) -> Callable[[], Any]:
    lm, prompt = load_lm(setting), text(setting.sizes["tokens"], 3)
    share = len(prompt) // SEGMENTS  # every word has the same number of letters
    segments = [(i * share, (i + 1) * share) for i in range(SEGMENTS)]
    return lambda: lm.attention(prompt, segments)


def _ids(setting: Setting) -> Any:
    return load_tokenizer(setting)(text(setting.sizes["tokens"], 3), return_tensors="pt")["input_ids"]


def _mass(weights: Any) -> Any:
    """(1, heads, queries, keys) → (heads, queries, segments)."""
    return weights[0].unflatten(-1, (SEGMENTS, -1)).sum(-1)


def _stacked(masses: Any) -> Any:
    import torch

    return torch.stack(list(masses)).float().cpu().numpy()


def eager(setting: Setting) -> Callable[[], Any]:
    import torch

    hf, ids = load_hf(setting, attn_implementation="eager"), _ids(setting).to(setting.device)

    def run() -> Any:
        with torch.inference_mode():
            return _stacked(map(_mass, hf(ids, use_cache=False, output_attentions=True, logits_to_keep=1).attentions))

    return run


def reads_nothing(setting: Setting) -> tuple[Callable[[], Any], Callable[[Any], dict]]:
    import torch

    hf, ids = load_hf(setting), _ids(setting).to(setting.device)

    def run() -> Any:
        with torch.inference_mode():
            hf(ids, use_cache=False, logits_to_keep=1)

    return run, lambda outcome: {}


def transformer_lens(setting: Setting) -> Callable[[], Any]:
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    hf, ids = load_hf(setting, attn_implementation="eager"), _ids(setting).to(setting.device)
    tokenizer = load_tokenizer(setting)
    bridge = TransformerBridge.boot_transformers(
        str(setting.folder), hf_model=hf, tokenizer=tokenizer, device=setting.device, dtype=hf.dtype
    )
    names = [f"blocks.{i}.attn.hook_pattern" for i in range(hf.config.num_hidden_layers)]

    def run() -> Any:
        with torch.inference_mode():
            _, cache = bridge.run_with_cache(ids, names_filter=names, return_type=None)
            return _stacked(_mass(cache[name]) for name in names)

    return run


def nnsight(setting: Setting) -> Callable[[], Any]:
    import torch
    from nnsight import TransformersModel, save

    hf, ids = load_hf(setting, attn_implementation="eager"), _ids(setting).to(setting.device)
    model = TransformersModel(hf, tokenizer=load_tokenizer(setting))

    def run() -> Any:
        with torch.inference_mode():
            with model.trace(ids, use_cache=False, logits_to_keep=1):
                kept = save([])
                for layer in model.model.layers:
                    kept.append(_mass(layer.self_attn.output[1]))
            return _stacked(kept)

    return run


SHORT, LONG = "T = 1,024", "T = 4,096"
BENCHMARK = Benchmark(
    "attention_at_length",
    "The attention mass of 8 segments of the text, for every query, layer and head.",
    (
        Case(SHORT, {"tokens": 1024}, small={"tokens": 64}),
        Case(LONG, {"tokens": 4096}, small={"tokens": 128}),
    ),
    (
        Contestant(OURS, ours),
        Contestant(EAGER, eager),
        Contestant(LENS, transformer_lens, "recent", large=False),
        Contestant(SIGHT, nnsight, "recent", large=False),
        Contestant(BLIND, reads_nothing),
    ),
    (
        Target(LONG, "time", 8, (EAGER,)),
        Target(LONG, "memory", 30, (EAGER,)),
        Target(LONG, "excess", 1.15, (BLIND,)),
    ),
    work,
)

if __name__ == "__main__":
    main(BENCHMARK)
