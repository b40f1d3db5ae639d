"""200 queries × 2 labels behind a 400-token prefix: how fast are log-probabilities under one few-shot prompt?

    python benchmarks/shared_prefix.py [--rounds 5] [--python recent=PATH]

Each query has about 20 tokens, each label two. Everyone is asked for log p(label | prefix + query). Peer:
lm-evaluation-harness (`pip install -r benchmarks/peers/recent.txt`), given the model as an object.
"""

import copy
import random
from collections.abc import Callable
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Setting, Target
from common.model import load_hf, load_lm, load_tokenizer, text
from common.running import main

LOOP, PADDED, COPIED = (
    "transformers, one pass a label",
    "transformers, padded batches of 8",
    "transformers, copied cache",
)
LM_EVAL = "lm-evaluation-harness"


def inputs(sizes: dict[str, int]) -> tuple[str, list[str], list[str]]:
    """Prefix, queries and labels as text; every word is one token."""
    rng = random.Random(0)
    queries = [text(rng.randint(sizes["query"] - 4, sizes["query"] + 4), i + 1) for i in range(sizes["queries"])]
    return text(sizes["prefix"], 0), queries, [text(2, 100_001), text(2, 100_002)]


def work(sizes: dict[str, int]) -> tuple[float, float]:
    """Tokens: prefix, queries, and each label's first token; rows: behind the query, and behind each first token."""
    _, queries, labels = inputs(sizes)
    tokens = sizes["prefix"] + sum(len(q.split()) for q in queries) + len(queries) * len(labels)
    return tokens, len(queries) * (1 + len(labels))


def ours(setting: Setting) -> Callable[[], Any]:
    lm, (prefix, queries, labels) = load_lm(setting), inputs(setting.sizes)
    return lambda: lm.logprobs([prefix + query for query in queries], labels)


class Plain:
    """Model and ids, as whoever writes the idiom by hand has them."""

    def __init__(self, setting: Setting) -> None:
        self.hf, tokenizer = load_hf(setting), load_tokenizer(setting)
        prefix, queries, labels = inputs(setting.sizes)
        self.prefix = tokenizer(prefix)["input_ids"]
        self.queries = [tokenizer(query)["input_ids"] for query in queries]
        self.labels = [tokenizer(label)["input_ids"] for label in labels]

    def tensor(self, ids: list) -> Any:
        import torch

        return torch.tensor(ids, device=self.hf.device)

    def score(self, logits: Any, label: list[int]) -> float:
        """`logits` (tokens, vocabulary) that stand before each of the label's tokens."""
        return logits.float().log_softmax(-1)[range(len(label)), label].sum().item()


def one_pass_a_label(setting: Setting) -> Callable[[], Any]:
    import numpy as np
    import torch

    plain = Plain(setting)

    def one(query: list[int], label: list[int]) -> float:
        logits = plain.hf(plain.tensor([plain.prefix + query + label]), use_cache=False).logits[0]
        return plain.score(logits[-len(label) - 1 : -1], label)

    def run() -> Any:
        with torch.inference_mode():
            return np.array([[one(query, label) for label in plain.labels] for query in plain.queries])

    return run


def padded_batches(setting: Setting) -> Callable[[], Any]:
    import numpy as np
    import torch

    plain = Plain(setting)
    jobs = [(query, label) for query in plain.queries for label in plain.labels]

    def batch(some: list) -> list[float]:
        rows = [plain.prefix + query + label for query, label in some]
        width = max(map(len, rows))
        ids = plain.tensor([row + [1] * (width - len(row)) for row in rows])
        mask = plain.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        logits = plain.hf(ids, attention_mask=mask, use_cache=False).logits
        ends = [(len(row) - len(label) - 1, len(row) - 1) for row, (_, label) in zip(rows, some, strict=True)]
        return [
            plain.score(logits[i, a:b], label) for i, ((a, b), (_, label)) in enumerate(zip(ends, some, strict=True))
        ]

    def run() -> Any:
        with torch.inference_mode():
            values = [value for i in range(0, len(jobs), 8) for value in batch(jobs[i : i + 8])]
        return np.array(values).reshape(len(plain.queries), -1)

    return run


def copied_cache(setting: Setting) -> Callable[[], Any]:
    """As the documentation of transformers shows it: the prefix's cache is computed once and copied for each use."""
    import numpy as np
    import torch
    from transformers import DynamicCache

    plain = Plain(setting)

    def one(cache: Any, query: list[int], label: list[int]) -> float:
        ids = plain.tensor([query + label])
        logits = plain.hf(ids, past_key_values=copy.deepcopy(cache), use_cache=True).logits[0]
        return plain.score(logits[-len(label) - 1 : -1], label)

    def run() -> Any:
        with torch.inference_mode():
            cache = DynamicCache(config=plain.hf.config)
            plain.hf(plain.tensor([plain.prefix]), past_key_values=cache, use_cache=True)
            return np.array([[one(cache, query, label) for label in plain.labels] for query in plain.queries])

    return run


def lm_eval(setting: Setting) -> Callable[[], Any]:
    import numpy as np
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=load_hf(setting), tokenizer=load_tokenizer(setting), batch_size=8, max_length=8192)
    prefix, queries, labels = inputs(setting.sizes)
    pairs = [(prefix + query, label) for query in queries for label in labels]

    def run() -> Any:
        requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
        found = harness.loglikelihood(requests, disable_tqdm=True)
        return np.array([value for value, _ in found]).reshape(len(queries), -1)

    return run


CASE, FEWER = "200 queries × 2 labels behind 400 tokens", "50 queries × 2 labels behind 400 tokens"
SMALL = {"prefix": 40, "query": 8, "queries": 4}
BENCHMARK = Benchmark(
    "shared_prefix",
    "log p(label | prefix + query) for queries of about 20 tokens and two labels of two tokens.",
    (
        Case(CASE, {"prefix": 400, "query": 20, "queries": 200}, SMALL, large=False),
        Case(FEWER, {"prefix": 400, "query": 20, "queries": 50}, SMALL, large=True),
    ),
    (
        Contestant(OURS, ours),
        Contestant(LOOP, one_pass_a_label),
        Contestant(PADDED, padded_batches),
        Contestant(COPIED, copied_cache),
        Contestant(LM_EVAL, lm_eval, "recent", large=False),
    ),
    (
        Target(CASE, "time", 50, (LOOP,)),
        Target(CASE, "time", 35, (LM_EVAL,)),
        Target(CASE, "time", 6, (COPIED,)),
        Target(CASE, "excess", 1.2, ("floor",)),
    ),
    work,
)  # fmt: skip

if __name__ == "__main__":
    main(BENCHMARK)
