"""Where the residual stream runs in a causal language model, found by watching one forward pass, not by model names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .errors import UnsupportedModel


@dataclass(frozen=True)
class Structure:
    """The parts every causal transformer has.

    `body` holds `blocks`; `final_norm` is whatever runs between the last block and `unembedding` (mostly one norm).
    """

    embeddings: nn.Module
    blocks: nn.ModuleList
    body: nn.Module
    final_norm: nn.Module
    unembedding: nn.Module


def find_structure(hf: Any) -> Structure:
    """Read off a transformers model's parts from the order in which its modules fire on one token.

    Raises UnsupportedModel, in one sentence, if no stack of blocks carries the residual stream.
    """
    embeddings, unembedding = hf.get_input_embeddings(), hf.get_output_embeddings()
    if embeddings is None or unembedding is None or getattr(hf.config, "is_encoder_decoder", False):
        raise UnsupportedModel(f"{type(hf).__name__} is not a causal language model; load one that continues text.")
    for path, blocks in _stacks(hf):
        chain = _ancestors(hf, path)
        order = _firing_order(hf, [*blocks, *_outside(chain, blocks), unembedding])
        if [module for module in order if any(module is block for block in blocks)] == list(blocks):
            final = _between(order, blocks[-1], unembedding)
            return Structure(embeddings, blocks, chain[-1], final, unembedding)
    raise UnsupportedModel(f"No stack of blocks was found in {type(hf).__name__}; use a decoder-only transformer.")


def runs_on(module: nn.Module) -> torch.device:
    """Where a module computes. accelerate may keep its weights elsewhere, and bring them when it is called."""
    hook = getattr(module, "_hf_hook", None)
    hooks = getattr(hook, "hooks", (hook,))  # several stand in one
    places = [place for h in hooks if (place := getattr(h, "execution_device", None)) is not None]
    return torch.device(places[-1]) if places else next(module.parameters()).device


def places(hf: nn.Module) -> list[str]:
    """The devices that hold a model's weights, in the order of its modules; "disk" may be one."""
    spread = getattr(hf, "hf_device_map", None) or {"": next(hf.parameters()).device}
    names = [place if place == "disk" else str(torch.device(place)) for place in spread.values()]
    return list(dict.fromkeys(names))


def hidden_of(output: Any) -> torch.Tensor:
    """The residual stream in a block's output: (batch, token, width)."""
    return output[0] if isinstance(output, tuple) else output


def with_hidden(output: Any, hidden: torch.Tensor) -> Any:
    """A block's output with its residual stream replaced."""
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


def before_block(block: nn.Module, change: Callable[[torch.Tensor], torch.Tensor | None]) -> Any:
    """Hook a block's input; `change` sees the residual stream and may return another. Gives a removable handle."""

    def hook(_: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        by_name = "hidden_states" in kwargs
        new = change(kwargs["hidden_states"] if by_name else args[0])
        if new is None:
            return None
        return (args, {**kwargs, "hidden_states": new}) if by_name else ((new, *args[1:]), kwargs)

    return block.register_forward_pre_hook(hook, with_kwargs=True)


def after_block(block: nn.Module, change: Callable[[torch.Tensor], torch.Tensor | None]) -> Any:
    """Hook a block's output, like `before_block`."""

    def hook(_: nn.Module, __: tuple, output: Any) -> Any:
        new = change(hidden_of(output))
        return None if new is None else with_hidden(output, new)

    return block.register_forward_hook(hook)


def _stacks(hf: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """Lists of modules that could be the blocks, the likeliest first: right length, then longest, then outermost."""
    config = hf.config.get_text_config(decoder=True)
    depth = getattr(config, "num_hidden_layers", None)
    found = [(path, m) for path, m in hf.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
    return sorted(found, key=lambda item: (len(item[1]) != depth, -len(item[1]), item[0].count(".")))


def _ancestors(hf: nn.Module, path: str) -> list[nn.Module]:
    parts = path.split(".")
    return [hf.get_submodule(".".join(parts[:i])) for i in range(len(parts))]


def _outside(chain: list[nn.Module], blocks: nn.ModuleList) -> list[nn.Module]:
    """Children of the modules that contain the blocks, without those containers themselves."""
    inner = [*chain, blocks]
    return [child for module in chain for child in module.children() if not any(child is m for m in inner)]


def _firing_order(hf: Any, modules: list[nn.Module]) -> list[nn.Module]:
    order: list[nn.Module] = []
    unique = {id(module): module for module in modules}.values()
    handles = [module.register_forward_hook(lambda m, *_: order.append(m)) for module in unique]
    try:
        with torch.no_grad():
            ids = torch.zeros(1, 1, dtype=torch.long, device=runs_on(hf.get_input_embeddings()))
            hf(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return order


def _between(order: list[nn.Module], last: nn.Module, unembedding: nn.Module) -> nn.Module:
    first = next(i for i, module in enumerate(order) if module is last) + 1
    until = next((i for i, module in enumerate(order) if module is unembedding and i >= first), len(order))
    steps = order[first:until]
    return steps[0] if len(steps) == 1 else nn.Sequential(*steps)
