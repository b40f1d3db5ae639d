"""Steering vectors as values: they add, scale, turn round, are saved with where they came from, and load again.

A vector holds one direction for each layer it steers. Its length is counted in units of the residual stream's own
norm at that layer: a row of length 0.5 pushes half as far as the stream is long, so that a strength means the same at
every layer and on every model. (Turner et al., 2023; Zou et al., 2023.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError

if TYPE_CHECKING:
    from xllm_widgets.models.edits import Positions, Steer
    from xllm_widgets.models.language_model import LanguageModel

FORMAT = "xllm-widgets steering vector 1"


class VectorMismatch(XllmError):
    """A steering vector does not fit another vector, or the model it is to steer."""


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """`rows` (layers, width), in units of the residual norm; `layers`: which layer each row steers (0 = embeddings);
    `residual_norm` (layers,): the norm of the stream at those layers, measured where the vector was made.

    `a + b`, `a - b`, `2 * a`, `a / 2`, `-a` are vectors again; where one has a layer that the other lacks, the other
    counts as zero there. `provenance`: model, concept and whatever else the maker wrote down (plain JSON values).
    """

    rows: np.ndarray
    layers: tuple[int, ...]
    residual_norm: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, norms = np.asarray(self.rows, dtype=np.float32), np.asarray(self.residual_norm, dtype=np.float32)
        layers = tuple(int(k) for k in self.layers)
        if (
            rows.ndim != 2
            or len(rows) != len(layers)
            or norms.shape != (len(layers),)
            or len(set(layers)) < len(layers)
        ):
            raise VectorMismatch(
                f"A steering vector needs one row and one norm for each layer; there are {len(layers)} layers, rows of "
                f"shape {rows.shape} and norms of shape {norms.shape}."
            )
        if not (np.isfinite(rows).all() and (norms > 0).all()):
            raise VectorMismatch("A steering vector needs finite rows and residual norms above zero.")
        for name, value in (("rows", rows), ("residual_norm", norms), ("layers", layers)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, directions: Mapping[int, np.ndarray], norms: Mapping[int, float], **provenance: Any) -> SteeringVector:
        """From plain directions (layer → (width,)) in the stream's own units; their natural lengths are kept."""
        layers = tuple(sorted(directions))
        scale = np.array([norms[k] for k in layers], dtype=float)
        return cls(np.stack([directions[k] for k in layers]) / scale[:, None], layers, scale, provenance)

    @property
    def width(self) -> int:
        """Width of the residual stream it fits."""
        return self.rows.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """How far each row pushes, in units of the residual norm: (layers,)."""
        return np.linalg.norm(self.rows, axis=1)

    def at(self, layers: Sequence[int] | int) -> SteeringVector:
        """The same vector at some of its layers alone."""
        wanted = [layers] if isinstance(layers, int) else list(layers)
        if absent := [k for k in wanted if k not in self.layers]:
            raise VectorMismatch(f"This vector has no layer {absent[0]}; it steers layers {_listed(self.layers)}.")
        places = [self.layers.index(k) for k in wanted]
        return replace(self, rows=self.rows[places], layers=tuple(wanted), residual_norm=self.residual_norm[places])

    def normalised(self) -> SteeringVector:
        """Every row one residual norm long (a row of zeros stays zero): the dial's unit."""
        lengths = self.lengths[:, None]
        return self._with(np.divide(self.rows, lengths, out=np.zeros_like(self.rows), where=lengths > 0))

    def random(self, seed: int = 0) -> SteeringVector:
        """A random direction of equal norm at every layer: the control that any steering has to beat."""
        noise = np.random.default_rng(seed).normal(size=self.rows.shape)
        noise *= self.lengths[:, None] / np.linalg.norm(noise, axis=1, keepdims=True)
        return replace(self._with(noise), provenance={**self.provenance, "random direction of equal norm": seed})

    def reversed(self) -> SteeringVector:
        """The other way round, equally long."""
        return -self

    def steer(self, lm: LanguageModel, strength: float = 1.0, positions: Positions = "all") -> list[Steer]:
        """Edits for `with lm.edit(*vector.steer(lm, 0.5)):`; `strength` × row × residual norm is added at each layer.

        Raises VectorMismatch, in one sentence, for a model of another width or with fewer layers.
        """
        from xllm_widgets.models.edits import Steer

        maker = self.provenance.get("model", "another model")
        if lm.width != self.width:
            raise VectorMismatch(
                f"A vector of width {self.width} (from {maker}) cannot steer {lm.name}, whose stream is {lm.width} "
                f"wide; make one on {lm.name} itself."
            )
        if max(self.layers) > lm.n_layers:
            raise VectorMismatch(
                f"This vector (from {maker}) steers layer {max(self.layers)}, but {lm.name} ends at {lm.n_layers}."
            )
        pushes = strength * self.rows * self.residual_norm[:, None]
        return [Steer(pushes, self.layers, 1.0, positions)]

    def save(self, path: str | Path) -> Path:
        """Write rows, norms, layers and provenance as one safetensors file."""
        from safetensors.numpy import save_file

        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"format": FORMAT, "provenance": json.dumps(dict(self.provenance), ensure_ascii=False)}
        tensors = {"rows": np.ascontiguousarray(self.rows), "residual_norm": self.residual_norm}
        save_file({**tensors, "layers": np.array(self.layers, dtype=np.int64)}, str(path), metadata)
        return path

    @classmethod
    def load(cls, path: str | Path) -> SteeringVector:
        """Read what `save` wrote. Raises XllmError where there is no such file, or it holds something else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") != FORMAT:
                raise XllmError(f"{Path(path).name} is no steering vector; save one with its .save(path).")
            provenance = json.loads(metadata["provenance"])
            return cls(tensors["rows"], tuple(tensors["layers"]), tensors["residual_norm"], provenance)
        except (OSError, SafetensorError, KeyError, ValueError) as reason:
            raise XllmError(f"No steering vector can be read from {path}; save one with its .save(path).") from reason

    def describe(self) -> str:
        """One line: what it is about, from where, how far it pushes."""
        about = ", ".join(self._written(name, value) for name, value in self.provenance.items()) or "of unknown origin"
        lengths = ", ".join(f"{length:.2f}" for length in self.lengths)
        return f"Steering vector of width {self.width} for layers {_listed(self.layers)} ({about}); lengths {lengths}."

    def _written(self, name: str, value: Any) -> str:
        """One entry of the provenance; of another vector only what is different there."""
        if isinstance(value, Mapping):
            value = ", ".join(f"{k}: {v}" for k, v in value.items() if self.provenance.get(k) != v) or "another like it"
            return f"{name} ({value})"
        return f"{name}: {value}"

    def __repr__(self) -> str:
        return self.describe()

    def __add__(self, other: SteeringVector) -> SteeringVector:
        return self._joined(other, lambda a, b: a + b, "plus")

    def __sub__(self, other: SteeringVector) -> SteeringVector:
        return self._joined(other, lambda a, b: a - b, "minus")

    def __mul__(self, factor: float) -> SteeringVector:
        return self._with(self.rows * float(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> SteeringVector:
        return self * (1 / divisor)

    def __neg__(self) -> SteeringVector:
        return self * -1

    def _with(self, rows: np.ndarray) -> SteeringVector:
        return replace(self, rows=rows)

    def _joined(self, other: SteeringVector, join: Callable, word: str) -> SteeringVector:
        if not isinstance(other, SteeringVector):
            return NotImplemented
        if other.width != self.width:
            raise VectorMismatch(
                f"Vectors of widths {self.width} and {other.width} come from different models and cannot be joined."
            )
        layers = tuple(sorted({*self.layers, *other.layers}))
        rows = np.stack([join(self._row(k), other._row(k)) for k in layers])
        norms = np.array([(self if k in self.layers else other)._norm(k) for k in layers])
        return SteeringVector(rows, layers, norms, {**self.provenance, word: dict(other.provenance)})

    def _row(self, layer: int) -> np.ndarray:
        return self.rows[self.layers.index(layer)] if layer in self.layers else np.zeros(self.width, np.float32)

    def _norm(self, layer: int) -> float:
        return float(self.residual_norm[self.layers.index(layer)])


def _listed(layers: Sequence[int]) -> str:
    return ", ".join(map(str, layers))
