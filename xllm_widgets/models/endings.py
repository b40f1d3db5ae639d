"""Many endings of one prompt, given as embeddings: what they agree on is computed once, and attended where it lies."""

from typing import TYPE_CHECKING, Any

import torch

from .attending import Kernel, attention_by
from .decoding import refuse
from .merging import attend, merge
from .passes import Prefix, last_logits
from .sharing import InPlacePath
from .trimming import last_block_trimmed

if TYPE_CHECKING:
    from .language_model import LanguageModel


class Beginning(Prefix):
    """Keys and values of a prompt, for rows that agree with it up to some token and then go their own ways."""

    def __init__(self, lm: "LanguageModel", x: torch.Tensor) -> None:
        """`x`: the prompt's embeddings (1, tokens, width). Raises TypeError unless the model `shares_prefixes`."""
        super().__init__(lm, x, x.shape[1])
        self.lm, self.prompt, self._path = lm, x.shape[1], InPlacePath(lm)
        self._path.hold(self)

    def logits(self, x: torch.Tensor, start: int, keep: int) -> torch.Tensor:
        """Logits of the last `keep` positions of rows x (rows, tokens, width) behind the prompt's first `start` tokens.

        (rows, keep, vocabulary), float32. Models that cannot attend in place get a copy of the beginning for each row.
        """
        lengths = [self.prompt] * len(x)
        if start + x.shape[1] > self.lm.in_place:
            with last_block_trimmed(self.lm, keep):
                return last_logits(self.lm, x, keep, prompt_lengths=lengths, cache=self.behind(start, len(x)))
        kernel, positions = self._kernel(start), torch.arange(start, start + x.shape[1])[None]
        with attention_by(kernel), last_block_trimmed(self.lm, keep, kernel):
            return last_logits(self.lm, x, keep, prompt_lengths=lengths, positions=positions)

    def _kernel(self, start: int) -> Kernel:
        def kernel(
            module: Any,
            query: torch.Tensor,
            key: torch.Tensor,
            value: torch.Tensor,
            mask: torch.Tensor | None,
            *,
            scaling: float | None = None,
            **options: Any,
        ) -> torch.Tensor:
            refuse(options, start + key.shape[2])
            whole = query.shape[2] == key.shape[2]  # if not, these are the last queries alone
            seen = None if mask is None or whole else query.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
            own = attend(query, key, value, mask=seen, causal=whole, scale=scaling)
            return merge(own, self._path.attend(module.layer_idx, query, start, scaling)).transpose(1, 2)

        return kernel
