"""The layer × token lens: what can be read at every layer, on every token, as plain numbers for a picture.

Two readings of the same grid: the projection on a direction (a probe's score), and the logit lens, which hands a
middle layer to the model's own last norm and unembedding and so reads it as if the model ended there
(nostalgebraist, 2020). The logit lens is a habit of reading, not a promise: early layers need not speak that language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xllm_widgets.errors import XllmError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from xllm_widgets.models.language_model import LanguageModel


@dataclass(frozen=True)
class Lens:
    """`scores` (layers, tokens) with the layers' numbers and the tokens' strings; `words` (layers, tokens): what the
    logit lens reads there, empty for a probe. `unit` says what a score is.
    """

    tokens: list[str]
    layers: list[int]
    scores: np.ndarray
    unit: str
    words: list[list[str]]

    def table(self) -> pd.DataFrame:
        """One row a cell: layer, position, token, score, word."""
        import pandas as pd

        cells = [
            (layer, p, token, float(self.scores[row, p]), self.words[row][p] if self.words else "")
            for row, layer in enumerate(self.layers)
            for p, token in enumerate(self.tokens)
        ]
        return pd.DataFrame(cells, columns=["layer", "position", "token", "score", "word"])


def probe_lens(
    lm: LanguageModel,
    prompt: str,
    directions: Mapping[int, np.ndarray],
    centres: Mapping[int, np.ndarray] | None = None,
) -> Lens:
    """Score of every token at every layer of `directions` (layer → (width,)): (stream - centre) · direction.

    Directions are brought to unit length and scores divided by the stream's mean norm at that layer, so that layers can
    be compared. `centres` (layer → (width,)): the point that scores zero, mostly the mean of the items fitted on.
    """
    layers = sorted(directions)
    stream = lm.activations(prompt, layers=layers, positions="all")[0]
    scores = np.empty(stream.shape[:2])
    for row, layer in enumerate(layers):
        direction = np.asarray(directions[layer], dtype=float)
        if direction.shape != (lm.width,):
            raise XllmError(f"A direction of shape {direction.shape} does not fit {lm.name}, which is {lm.width} wide.")
        centred = stream[row] - (0 if centres is None else centres[layer])
        length = np.linalg.norm(direction) * np.linalg.norm(stream[row], axis=-1).mean()
        scores[row] = centred @ direction / (length or 1.0)
    return Lens(lm.tokens(prompt).strings, layers, scores, "residual norms along the direction", [])


def logit_lens(
    lm: LanguageModel, prompt: str, *, layers: Sequence[int] | None = None, target: str | None = None
) -> Lens:
    """The next word as each layer would have it: probability of `target`'s first token, or of the likeliest one.

    `words` names the likeliest token of every cell. At the last layer this is the model's own prediction.
    """
    import torch

    wanted = list(range(lm.n_layers + 1)) if layers is None else list(layers)
    stream = lm.activations(prompt, layers=wanted, positions="all")[0]
    token = None if target is None else lm.reader.continuation(prompt, target)[0]
    with lm.lock, torch.inference_mode():
        read = [_read(lm, stream[row], token) for row in range(len(wanted))]
    unit = "probability of the likeliest token" if target is None else f"probability of {target!r}"
    words = [lm.reader.strings(best.tolist()) for _, best in read]
    return Lens(lm.tokens(prompt).strings, wanted, np.stack([p for p, _ in read]), unit, words)


def next_probabilities(lm: LanguageModel, prompt: str) -> np.ndarray:
    """p(next token | prompt) of every token there is: (vocabulary,), under whatever edits are active."""
    import torch

    stream = lm.activations(prompt, layers=lm.n_layers, positions=-1)[0, 0]
    with lm.lock, torch.inference_mode():
        return _probabilities(lm, stream)[0].cpu().numpy()


def _read(lm: LanguageModel, stream: np.ndarray, token: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Probability and number of the token read off each position of one layer: (tokens,), (tokens,)."""
    probabilities = _probabilities(lm, stream)
    best = probabilities.argmax(-1)
    chosen = probabilities.gather(1, best[:, None])[:, 0] if token is None else probabilities[:, token]
    return chosen.cpu().numpy(), best.cpu().numpy()


def _probabilities(lm: LanguageModel, stream: np.ndarray) -> torch.Tensor:
    """What the model's own last norm and unembedding make of a stream (tokens, width): (tokens, vocabulary)."""
    import torch

    hidden = torch.as_tensor(stream).to(lm.device, lm.dtype)
    logits = lm.structure.unembedding(lm.structure.final_norm(hidden[None]))[0].float()
    cap = getattr(lm.hf.config.get_text_config(decoder=True), "final_logit_softcapping", None)
    return (cap * torch.tanh(logits / cap) if cap else logits).softmax(-1)
