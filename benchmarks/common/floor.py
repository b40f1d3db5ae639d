"""The floor: what the matrices of the model alone cost on this machine, at the rate measured in every round."""

from collections.abc import Callable

from .bench import Benchmark, Contestant, Setting
from .model import SHAPES, parameters

NAME = "floor"
ROWS = 1024  # tokens multiplied at a time, as many as keep a processor's caches warm


def flops(work: tuple[float, float], shape: str) -> float:
    """Multiplications and additions that the work cannot do without: two for each weight a token passes."""
    (tokens, rows), (body, head) = work, parameters(shape)
    return 2 * (tokens * body + rows * head)


def _multiply(setting: Setting) -> Callable[[], None]:
    """Every matrix of every block applied to as many rows as one batch has: `flops_of_a_run` of them."""
    import torch

    shape = SHAPES[setting.shape]
    width, inner, layers = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    where = {"device": setting.device, "dtype": getattr(torch, setting.dtype)}
    sizes = [(width, width)] * 4 + [(inner, width)] * 2 + [(width, inner)]
    weights = [torch.randn(size, **where) for _ in range(layers) for size in sizes]
    inputs = {n: torch.randn(ROWS, n, **where) for n in (width, inner)}

    def run() -> None:
        with torch.inference_mode():
            for weight in weights:
                torch.nn.functional.linear(inputs[weight.shape[1]], weight)

    return run


def flops_of_a_run(shape: str) -> float:
    return 2.0 * ROWS * parameters(shape)[0]


BENCHMARK = Benchmark(NAME, "How fast are matrices multiplied?", (), (Contestant(NAME, _multiply),))
