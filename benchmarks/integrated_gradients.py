"""Integrated gradients with 32 steps, for one token and for each of 20: the costliest of the usual explanations.

    python benchmarks/integrated_gradients.py [--rounds 5] [--python recent=PATH]

Everyone starts from the same baseline and takes the same Gauss-Legendre nodes. captum is asked as it comes (all steps
at once) and with internal batches of 8. inseq moves the answer's beginning along the path together with the prompt, so
its numbers agree with the others' for the first token alone. Peers: `pip install -r
benchmarks/peers/recent.txt` and `… inseq.txt`, each into an environment of its own (they disagree about typeguard).
"""

from collections.abc import Callable
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Finish, Run, Setting, Target
from common.explaining import Plain, ask_inseq, ask_us
from common.explaining import work as one_step
from common.running import main

STEPS = 32
LOOP, CAPTUM, EIGHT, INSEQ = "transformers and autograd, step by step", "captum", "captum, batches of 8", "inseq"


def work(sizes: dict[str, int]) -> tuple[float, float]:
    """As often as there are steps."""
    return one_step(sizes, STEPS)


def ours(setting: Setting) -> Callable[[], Any]:
    return ask_us(setting, "integrated_gradients", steps=STEPS)


def step_by_step(setting: Setting) -> Callable[[], Any]:
    import numpy as np
    import torch

    plain = Plain(setting)
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    path = plain.x - plain.baseline

    def gradient(forward: Callable[[Any], Any], token: int, alpha: float) -> Any:
        x = (plain.baseline + alpha * path).requires_grad_()
        return torch.autograd.grad(forward(x)[0, token], x)[0]

    def explain(forward: Callable[[Any], Any], token: int) -> Any:
        steps = zip((nodes + 1) / 2, weights / 2, strict=True)
        return path * sum(float(weight) * gradient(forward, token, float(alpha)) for alpha, weight in steps)

    return plain.each(explain)


def _captum(setting: Setting, internal_batch_size: int | None) -> Callable[[], Any]:
    from captum.attr import IntegratedGradients

    plain = Plain(setting)
    knobs = {"n_steps": STEPS, "internal_batch_size": internal_batch_size, "baselines": plain.baseline}
    return plain.each(
        lambda forward, token: IntegratedGradients(forward).attribute(plain.x, target=token, **knobs).detach()
    )


def captum(setting: Setting) -> Callable[[], Any]:
    return _captum(setting, None)


def captum_in_batches(setting: Setting) -> Callable[[], Any]:
    return _captum(setting, 8)


def inseq(setting: Setting) -> tuple[Run, Finish]:
    def comparable(scores: Any) -> dict[str, Any]:
        """The first token's; NaN stands for what is not comparable."""
        scores[1:] = float("nan")
        return {"values": scores}

    return ask_inseq(setting, "integrated_gradients", n_steps=STEPS), comparable


def _case(label: str, tokens: int, targets: int, large: bool | None = False) -> Case:
    little = {"tokens": 12, "targets": min(targets, 3), "total": 0}
    return Case(label, {"tokens": tokens, "targets": targets, "total": 0}, little, large)


ONE = ("one token, T = 64", "one token, T = 256")
TWENTY = ("each of 20 tokens, T = 64", "each of 20 tokens, T = 256")
BENCHMARK = Benchmark(
    "integrated_gradients",
    "Integrated gradients, 32 steps, of a prompt of T tokens.",
    (_case(ONE[0], 64, 1, None), _case(ONE[1], 256, 1), _case(TWENTY[0], 64, 20), _case(TWENTY[1], 256, 20)),
    (
        Contestant(OURS, ours),
        Contestant(LOOP, step_by_step),
        Contestant(CAPTUM, captum, "recent"),
        Contestant(EIGHT, captum_in_batches, "recent"),
        Contestant(INSEQ, inseq, "inseq", large=False),
    ),
    (
        *(Target(case, "time", 1.2, (CAPTUM, EIGHT, INSEQ)) for case in ONE),
        *(Target(case, "time", 1.9, (CAPTUM, EIGHT, INSEQ)) for case in TWENTY),
        *(Target(case, "memory", 4, (CAPTUM, EIGHT, INSEQ)) for case in (ONE[1], TWENTY[1])),
    ),
    work,
)

if __name__ == "__main__":
    main(BENCHMARK)
