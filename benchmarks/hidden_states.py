"""Hidden states of 1,000 statements, all layers, last token: what does collecting the data for probes cost?

    python benchmarks/hidden_states.py [--rounds 5] [--python recent=PATH]

Statements of 5 to 25 tokens in no order. Compared are the blocks that all libraries give alike: neither the embeddings
nor the last block, behind which transformers has applied the final norm. Peers: TransformerLens and nnsight in batches
of 32 (`pip install -r benchmarks/peers/recent.txt`), and repeng's batched_get_hiddens (`… repeng.txt`, into an
environment of its own: it needs numpy < 2).
"""

import random
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Finish, Run, Setting, Target
from common.model import load_hf, load_lm, load_tokenizer, text
from common.running import main

LOOP, BATCHES, BLIND = "transformers, one by one", "transformers, batches of 32", "a forward pass that keeps nothing"
REPENG, LENS, SIGHT = "repeng", "TransformerLens, batches of 32", "nnsight, batches of 32"
BATCH = 32


def statements(sizes: dict[str, int]) -> list[str]:
    rng = random.Random(1)
    return [text(rng.randint(5, 25), seed) for seed in range(sizes["statements"])]


def work(sizes: dict[str, int]) -> tuple[float, float]:
    """Every token through the blocks; nothing is predicted."""
    return sum(len(statement.split()) for statement in statements(sizes)), 0


def ours(setting: Setting) -> tuple[Run, Finish]:
    lm, texts = load_lm(setting), statements(setting.sizes)
    return lambda: lm.activations(texts), lambda out: {"values": out[:, 1:-1, 0]}


def _padded(setting: Setting) -> list[Any]:
    """Batches as a tokenizer makes them, padded on the right."""
    tokenizer, texts = load_tokenizer(setting), statements(setting.sizes)
    batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
    return [tokenizer(batch, padding=True, return_tensors="pt").to(setting.device) for batch in batches]


def _last(hidden: Any, batch: Any) -> Any:
    """(rows, tokens, width) → (rows, width) at each row's last token."""
    return hidden[range(len(hidden)), batch["attention_mask"].sum(1) - 1]


def _joined(batches: list) -> Any:
    """Batches of layers of (rows, width) → (statements, layers, width)."""
    import numpy as np
    import torch

    return np.concatenate([torch.stack(list(layers), 1).float().cpu().numpy() for layers in batches])


def _inner(out: Any) -> dict[str, Any]:
    return {"values": out[:, 1:-1]}


def one_by_one(setting: Setting) -> tuple[Run, Finish]:
    import torch

    hf, tokenizer, texts = load_hf(setting), load_tokenizer(setting), statements(setting.sizes)

    def one(statement: str) -> list:
        asked = tokenizer(statement, return_tensors="pt").to(setting.device)
        return [hidden[:, -1] for hidden in hf(**asked, output_hidden_states=True, use_cache=False).hidden_states]

    def run() -> Any:
        with torch.inference_mode():
            return _joined([one(statement) for statement in texts])

    return run, _inner


def batches_of_32(setting: Setting) -> tuple[Run, Finish]:
    import torch

    hf = load_hf(setting)

    def run() -> Any:
        out = []
        with torch.inference_mode():
            for batch in _padded(setting):
                states = hf(**batch, output_hidden_states=True, use_cache=False).hidden_states
                out.append([_last(hidden, batch) for hidden in states])
        return _joined(out)

    return run, _inner


def keeps_nothing(setting: Setting) -> tuple[Run, Finish]:
    """Statements of one length together, about a thousand tokens at a time, and nothing read."""
    import torch

    body, tokenizer = load_hf(setting).base_model, load_tokenizer(setting)
    by_length: dict[int, list[list[int]]] = {}
    for statement in statements(setting.sizes):
        ids = tokenizer(statement)["input_ids"]
        by_length.setdefault(len(ids), []).append(ids)
    batches = [
        torch.tensor(rows[i : i + 1024 // length], device=setting.device)
        for length, rows in sorted(by_length.items())
        for i in range(0, len(rows), 1024 // length)
    ]

    def run() -> Any:
        with torch.inference_mode():
            for batch in batches:
                body(batch, use_cache=False)

    return run, lambda out: {}


def repeng(setting: Setting) -> tuple[Run, Finish]:
    from repeng.extract import batched_get_hiddens

    hf, tokenizer, texts = load_hf(setting), load_tokenizer(setting), statements(setting.sizes)
    layers = range(hf.config.num_hidden_layers)

    def finish(out: Any) -> dict[str, Any]:
        import numpy as np

        return {"values": np.stack([out[layer] for layer in layers[:-1]], 1)}

    return lambda: batched_get_hiddens(hf, tokenizer, texts, layers, BATCH), finish


def transformer_lens(setting: Setting) -> tuple[Run, Finish]:
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    hf = load_hf(setting)
    bridge = TransformerBridge.boot_transformers(
        str(setting.folder), hf_model=hf, tokenizer=load_tokenizer(setting), device=setting.device, dtype=hf.dtype
    )
    names = ["hook_embed", *(f"blocks.{i}.hook_out" for i in range(hf.config.num_hidden_layers))]

    def run() -> Any:
        out = []
        with torch.inference_mode():
            for batch in _padded(setting):
                words = {"attention_mask": batch["attention_mask"], "return_type": None}
                _, cache = bridge.run_with_cache(batch["input_ids"], names_filter=names, **words)
                out.append([_last(cache[name], batch) for name in names])
        return _joined(out)

    return run, _inner


def nnsight(setting: Setting) -> tuple[Run, Finish]:
    import torch
    from nnsight import TransformersModel, save

    model = TransformersModel(load_hf(setting), tokenizer=load_tokenizer(setting))

    def one(batch: Any) -> Any:
        with model.trace(dict(batch), use_cache=False):
            kept = save([])
            kept.append(_last(model.model.embed_tokens.output, batch))
            for layer in model.model.layers:
                kept.append(_last(layer.output, batch))
        return kept

    def run() -> Any:
        with torch.inference_mode():
            return _joined([one(batch) for batch in _padded(setting)])

    return run, _inner


CASE = "1,000 statements"
BENCHMARK = Benchmark(
    "hidden_states",
    "The residual stream of 1,000 statements at their last token, all layers.",
    (Case(CASE, {"statements": 1000}, small={"statements": 40}),),
    (
        Contestant(OURS, ours),
        Contestant(LOOP, one_by_one, large=False),
        Contestant(BATCHES, batches_of_32),
        Contestant(REPENG, repeng, "repeng", large=False),
        Contestant(LENS, transformer_lens, "recent", large=False),
        Contestant(SIGHT, nnsight, "recent", large=False),
        Contestant(BLIND, keeps_nothing),
    ),
    (
        Target(CASE, "time", 1.4, (REPENG, LENS, SIGHT)),
        Target(CASE, "excess", 1.1, (BLIND,)),
    ),
    work,
)

if __name__ == "__main__":
    main(BENCHMARK)
