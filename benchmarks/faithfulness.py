"""Which attribution can be believed on this model? One table, no timing.

    python benchmarks/faithfulness.py pebble-3m
    python benchmarks/faithfulness.py gpt2 --prompts 4 --shots 4

Few-shot sentiment prompts from the microworld, half of them with flipped labels. What is explained: log p of the label
the demonstrations ask for, minus log p of the other. Reference: resampling ablation, each token replaced by random
ones, one at a time. The last row gives the reference measured again with fresh random tokens: no method can be expected
to do better.
"""

import argparse
import random

import numpy as np
from rich.console import Console
from rich.table import Table

from xllm_widgets.methods.faithfulness import rank_correlation
from xllm_widgets.microworld.reviews import SENTIMENTS, render_prompt, write_review
from xllm_widgets.models import LanguageModel, load

METHODS = {
    "occlusion, mean embedding": ("occlusion", {}),
    "occlusion, zero": ("occlusion", {"baseline": "zero"}),
    "gradient norm": ("gradient_norm", {}),
    "gradient × input": ("gradient_x_input", {}),
    "integrated gradients, mean embedding": ("integrated_gradients", {}),
    "integrated gradients, zero": ("integrated_gradients", {"baseline": "zero"}),
    "resampling ablation again": ("resampling_ablation", {"seed": 1}),
}
TOP = 8


def make_prompt(rng: random.Random, shots: int, flipped: bool) -> tuple[str, tuple[str, str]]:
    """A prompt of held-out reviews, and the label it asks for with the other one."""
    names = dict(zip(SENTIMENTS, SENTIMENTS[::-1] if flipped else SENTIMENTS, strict=True))
    reviews = [write_review(rng, rng.choice(SENTIMENTS), split="test") for _ in range(shots + 1)]
    prompt = render_prompt([(r.text, names[r.sentiment]) for r in reviews[:-1]], reviews[-1].text)
    right = names[reviews[-1].sentiment]
    other = next(s for s in SENTIMENTS if s != right)
    return prompt, (f" {right}", f" {other}")


def measure(lm: LanguageModel, prompt: str, target: tuple[str, str], replacements: int) -> dict[str, list[float]]:
    """For each method: rank correlation of sizes, of signed scores, overlap of the top tokens, completeness error."""
    reference = lm.attribute(prompt, target, "resampling_ablation", n_replacements=replacements)
    own = ~np.array(reference.tokens.special)
    truth, rows = reference.scores[0][own], {}
    for name, (method, options) in METHODS.items():
        if method == "resampling_ablation":
            options = {**options, "n_replacements": replacements}
        answer = lm.attribute(prompt, target, method, **options)
        scores = answer.scores[0][own]
        error = float("nan") if answer.completeness_error is None else answer.completeness_error
        sizes = rank_correlation(np.abs(scores), np.abs(truth))
        rows[name] = [sizes, rank_correlation(scores, truth), _overlap(scores, truth), error]
    return rows


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    top = [set(np.argsort(-np.abs(x))[:TOP]) for x in (a, b)]
    return len(top[0] & top[1]) / TOP


def _interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over prompts."""
    draws = np.random.default_rng(seed).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="bundled name, folder or hub id")
    parser.add_argument("--prompts", type=int, default=12, help="prompts a number of shots, half of them flipped")
    parser.add_argument("--shots", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--replacements", type=int, default=8, help="random tokens at each position")
    parser.add_argument("--seed", type=int, default=0)
    knobs = parser.parse_args()
    lm, rng = load(knobs.model), random.Random(knobs.seed)
    prompts = [make_prompt(rng, shots, bool(i % 2)) for shots in knobs.shots for i in range(knobs.prompts)]
    found = [measure(lm, prompt, target, knobs.replacements) for prompt, target in prompts]
    right = np.mean([lm.logprobs(p, list(t))[0].argmax() == 0 for p, t in prompts])
    Console(width=110).print(_table(lm, knobs.shots, found), f"{right:.0%} of the prompts are answered as asked.")


def _table(lm: LanguageModel, shots: list[int], found: list[dict[str, list[float]]]) -> Table:
    told = " and ".join(map(str, shots))
    table = Table(title=f"{lm.name}: agreement with resampling ablation, {len(found)} prompts of {told} shots")
    for column in ("method", "ρ of size [95 %]", "ρ signed", f"top {TOP} shared", "completeness error"):
        table.add_column(column)
    for name in METHODS:
        values = np.array([rows[name] for rows in found])
        low, high = _interval(values[:, 0])
        error = "–" if np.isnan(values[:, 3]).all() else f"{np.median(values[:, 3]):.1%}"
        size, signed, shared = values[:, :3].mean(0)
        table.add_row(name, f"{size:.2f} [{low:.2f}, {high:.2f}]", f"{signed:.2f}", f"{shared:.2f}", error)
    return table


if __name__ == "__main__":
    main()
