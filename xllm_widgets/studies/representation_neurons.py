"""Space and time neurons: single neurons whose weights lie along a probe's direction (Gurnee & Tegmark, 2023).

A probe was trained to find the map; a neuron was not. One whose reading or writing weights point along the map's axis
shows that the model itself has a use for it. Chosen by weights alone, such a neuron is then judged on held-out items:
does its activation follow the coordinate?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.methods import ridge
from xllm_widgets.methods.probing import cosines
from xllm_widgets.studies import statistics
from xllm_widgets.studies.evidence import Claim
from xllm_widgets.studies.representation_claims import bootstrap, claim
from xllm_widgets.studies.representation_space import MapOf, name_prompts

if TYPE_CHECKING:
    from torch import nn

TOP = 5  # neurons listed for each axis


def mlp_matrices(lm: Any, layer: int) -> tuple[list[nn.Module], nn.Module] | None:
    """The linear maps into and out of block `layer`'s neurons (layer 1 is the first block), or None.

    Found by shape outside attention: the one way out has as many inputs as each way in has outputs. A mixture of
    experts, or a block without such a pair, has no neurons to list here.
    """
    block = lm.structure.blocks[layer - 1]
    linear = [m for name, m in block.named_modules() if _is_linear(m) and "att" not in name.lower()]
    out = [m for m in linear if _shape(m)[1] == lm.width != _shape(m)[0]]
    if len(out) != 1:
        return None
    ways_in = [m for m in linear if _shape(m) == (lm.width, _shape(out[0])[0])]
    return (ways_in, out[0]) if ways_in else None


def _is_linear(module: Any) -> bool:
    """torch's Linear and its kin, or transformers' Conv1D, which keeps its weight the other way round."""
    weight = getattr(module, "weight", None)
    return weight is not None and weight.dim() == 2 and (hasattr(module, "in_features") or hasattr(module, "nf"))


def _shape(module: Any) -> tuple[int, int]:
    """(inputs, outputs) of a linear map."""
    rows, columns = module.weight.shape
    return (rows, columns) if hasattr(module, "nf") else (columns, rows)


def weights_of(module: Any) -> np.ndarray:
    """(inputs, outputs), float."""
    weight = module.weight.detach().float().cpu().numpy()
    return weight if hasattr(module, "nf") else weight.T


def neuron_activations(lm: Any, prompts: list[str], layer: int) -> np.ndarray:
    """What block `layer`'s neurons send out on each prompt's last token: (prompts, neurons)."""
    found = mlp_matrices(lm, layer)
    assert found is not None
    kept: list[np.ndarray] = []
    with lm.lock:
        handle = found[1].register_forward_pre_hook(lambda _, args: kept.append(args[0][0, -1].float().cpu().numpy()))
        try:
            for prompt in prompts:  # one by one: in a batch, rows are reordered and filled up
                lm.activations(prompt, layers=layer)
        finally:
            handle.remove()
    return np.stack(kept)


def neuron_rows(lm: Any, found: MapOf, seed: int) -> tuple[list[dict[str, Any]], list[Claim]]:
    """The TOP neurons of every axis by |cosine| with the probe's direction, and the claim about the first of them.

    The probe at the map's layer is fitted on one half of the items; the neurons (of the block behind that layer, which
    reads it, and of the block before, which writes it) are judged on the other by Spearman's correlation.
    """
    places, layer = found.atlas.places, found.layer
    half = np.random.default_rng(seed).permutation(len(places.names)) % 2 == 0
    directions = ridge.direction_of(ridge.ridge(found.atlas.streams[half, layer], places.targets[half]))
    prompts = [prompt for prompt, fitted in zip(name_prompts(lm, places), half, strict=True) if not fitted]
    candidates, acts = _candidates(lm, layer), {}
    for block in candidates:
        acts[block] = neuron_activations(lm, prompts, block)
    rows: list[dict[str, Any]] = []
    claims = []
    for a, axis in enumerate(places.axes):
        if not candidates:
            break
        ranked = _ranked(candidates, directions[a])
        truth = places.targets[~half, a]
        top = [_row(axis, acts, truth, *neuron) for neuron in ranked[:TOP]]
        rows += top
        claims.append(_claim(lm, axis, acts, truth, ranked[0]))
    return rows, claims


def _candidates(lm: Any, layer: int) -> dict[int, list[tuple[str, np.ndarray]]]:
    """Block → (role, vectors (neurons, width)) of the neurons that read or write the stream at this layer."""
    vectors: dict[int, list[tuple[str, np.ndarray]]] = {}
    for block, role in ((layer + 1, "reads"), (layer, "writes")):
        pair = mlp_matrices(lm, block) if 1 <= block <= lm.n_layers else None
        if pair is not None:
            ways = [weights_of(m).T for m in pair[0]] if role == "reads" else [weights_of(pair[1])]
            vectors.setdefault(block, []).extend((role, way) for way in ways)
    return vectors


def _ranked(candidates: dict, direction: np.ndarray) -> list[tuple[int, int, str, float]]:
    """(block, neuron, role, cosine), the largest |cosine| first; each neuron once."""
    best: dict[tuple[int, int], tuple[int, int, str, float]] = {}
    for block, ways in candidates.items():
        for role, vectors in ways:
            for neuron, value in enumerate(cosines(vectors, direction).tolist()):
                if abs(value) > abs(best.get((block, neuron), (0, 0, "", 0.0))[3]):
                    best[block, neuron] = (block, neuron, role, value)
    return sorted(best.values(), key=lambda row: -abs(row[3]))


def _row(axis: str, acts: dict, truth: np.ndarray, block: int, neuron: int, role: str, cosine: float) -> dict[str, Any]:
    rho = statistics.spearman_interval(truth, acts[block][:, neuron], resamples=500)
    about = {"measure": "neuron", "axis": axis, "layer": block, "split": role, "name": f"{block}.{neuron}"}
    return about | {"group": "", "truth": cosine} | rho._asdict()


def _claim(lm: Any, axis: str, acts: dict, truth: np.ndarray, first: tuple[int, int, str, float]) -> Claim:
    """Control: the 95th percentile of |Spearman| over all neurons of those blocks, whatever their weights."""
    block, neuron, role, cosine = first
    others = np.concatenate([[abs(statistics.spearman(truth, column)) for column in a.T] for a in acts.values()])
    pair = np.stack([truth, acts[block][:, neuron]], axis=1)
    size = bootstrap(lambda rows: abs(statistics.spearman(rows[:, 0], rows[:, 1])), pair)
    statement = (
        f"The neuron whose weights lie most along {axis} (block {block}, number {neuron}, {role}, cosine {cosine:.2f}) "
        "follows it on held-out items, more than 95 % of its neighbours (|Spearman| > 0)"
    )
    return claim("space_and_time", lm, statement, size, 0.0, null=0.0, control=float(np.quantile(others, 0.95)))
