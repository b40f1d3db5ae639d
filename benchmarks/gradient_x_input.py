"""Gradient × input for 20 generated tokens: what does an explanation of a whole answer cost?

    python benchmarks/gradient_x_input.py [--rounds 5] [--python recent=PATH]

Scores of the prompt's tokens for each token of the answer, and for the answer as a whole (which needs but one pass
backward; the peers explain token by token and add up). Peers: captum's InputXGradient and inseq (`pip install -r
benchmarks/peers/recent.txt` and `… inseq.txt`, each into an environment of its own).
"""

from collections.abc import Callable
from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Setting, Target
from common.explaining import Plain, ask_inseq, ask_us, work
from common.running import main

IDIOM, CAPTUM, INSEQ = "transformers and autograd", "captum", "inseq"


def ours(setting: Setting) -> Callable[[], Any]:
    return ask_us(setting, "gradient_x_input")


def autograd(setting: Setting) -> Callable[[], Any]:
    import torch

    plain = Plain(setting)

    def explain(forward: Callable[[Any], Any], token: int) -> Any:
        x = plain.x.clone().requires_grad_()
        return torch.autograd.grad(forward(x)[0, token], x)[0] * x.detach()

    return plain.each(explain)


def captum(setting: Setting) -> Callable[[], Any]:
    from captum.attr import InputXGradient

    plain = Plain(setting)
    x = plain.x.clone().requires_grad_()
    return plain.each(lambda forward, token: InputXGradient(forward).attribute(x, target=token).detach())


def inseq(setting: Setting) -> Callable[[], Any]:
    return ask_inseq(setting, "input_x_gradient")


def _case(label: str, tokens: int, total: int, large: bool | None = False) -> Case:
    sizes, small = {"tokens": tokens, "targets": 20, "total": total}, {"tokens": 12, "targets": 3, "total": total}
    return Case(label, sizes, small, large)


EACH = ("each of 20 tokens, T = 64", "each of 20 tokens, T = 256")
TOTAL = ("total over 20 tokens, T = 64", "total over 20 tokens, T = 256")
BENCHMARK = Benchmark(
    "gradient_x_input",
    "Gradient × input of a prompt of T tokens, for an answer of 20 tokens.",
    (_case(EACH[0], 64, 0, None), _case(EACH[1], 256, 0), _case(TOTAL[0], 64, 1), _case(TOTAL[1], 256, 1, None)),
    (
        Contestant(OURS, ours),
        Contestant(IDIOM, autograd),
        Contestant(CAPTUM, captum, "recent"),
        Contestant(INSEQ, inseq, "inseq", large=False),
    ),
    tuple(
        Target(case, "time", bound, (peer,))
        for bound, cases in ((1.9, EACH), (10, TOTAL))
        for case in cases
        for peer in (CAPTUM, INSEQ)
    ),
    work,
)

if __name__ == "__main__":
    main(BENCHMARK)
