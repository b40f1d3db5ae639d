"""What a page needs to draw all attention of a prompt: how large is it, and how long does it take to make?

    python benchmarks/attention_page.py [--rounds 5]

The attention itself is computed beforehand. bertviz comes with the package; with transformers' default attention it
gets an empty tuple, so it is given eager attentions.
"""

from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Finish, Run, Setting, Target
from common.model import load_hf, load_lm, load_tokenizer, text
from common.running import main

BERTVIZ = "bertviz, head view"


def ours(setting: Setting) -> tuple[Run, Finish]:
    from xllm_widgets.widgets.attention_bytes import attention_bytes

    layers = load_lm(setting).attention(text(setting.sizes["tokens"], 5))
    return lambda: [attention_bytes(layer) for layer in layers], _megabytes


def _megabytes(pages: list[str]) -> dict[str, Any]:
    return {"figure": sum(map(len, pages)) / len(pages) / 1e6}


def bertviz(setting: Setting) -> tuple[Run, Finish]:
    import torch
    from bertviz import head_view

    hf, tokenizer = load_hf(setting, attn_implementation="eager"), load_tokenizer(setting)
    asked = tokenizer(text(setting.sizes["tokens"], 5), return_tensors="pt").to(setting.device)
    with torch.inference_mode():
        attention = tuple(layer.float().cpu() for layer in hf(**asked, output_attentions=True).attentions)
    tokens = tokenizer.convert_ids_to_tokens(asked["input_ids"][0])

    def finish(page: str) -> dict[str, Any]:
        return {"figure": len(page) / len(attention) / 1e6}

    return lambda: head_view(attention, tokens, html_action="return").data, finish


SHORT, LONG = "T = 256", "T = 1,024"
BENCHMARK = Benchmark(
    "attention_page",
    "The markup from which a page draws the attention of every layer and head.",
    (Case(SHORT, {"tokens": 256}, small={"tokens": 16}), Case(LONG, {"tokens": 1024}, small={"tokens": 32})),
    (Contestant(OURS, ours), Contestant(BERTVIZ, bertviz)),
    (Target(LONG, "figure", 6), Target(LONG, "seconds", 0.2)),
    figure="MB of markup a layer",
)

if __name__ == "__main__":
    main(BENCHMARK)
