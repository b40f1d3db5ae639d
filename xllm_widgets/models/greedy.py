"""The likeliest continuation of many prompts at once: what an examination needs hundreds of times."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from .batching import in_batches, token_budget
from .passes import last_logits
from .sampling import _end_marks

if TYPE_CHECKING:
    from .language_model import LanguageModel


def greedy(lm: "LanguageModel", prompts: Sequence[str], max_new_tokens: int = 32, until: str = "\n") -> list[str]:
    """What `lm.generate(prompts, temperature=0, stop=list(until))` writes, many times faster on small models.

    Prompts of equal length in tokens run together: no padding, hence no mask, hence the same logits. `until`: each of
    its characters ends a text. Raises PromptError for an empty prompt or one that leaves no room in the context.
    """
    if not lm.shares_prefixes:
        stops = list(until) or None
        return [row[0].text for row in lm.generate(prompts, max_new_tokens=max_new_tokens, temperature=0, stop=stops)]
    ids = [lm.prompt_ids(prompt) for prompt in prompts]
    for row in ids:
        lm.check_room(len(row) + 1)
    texts = [""] * len(ids)
    same_length: dict[int, list[int]] = {}
    for i, row in enumerate(ids):
        same_length.setdefault(len(row), []).append(i)

    def run(batch: Sequence[int]) -> None:
        written = _write(lm, torch.tensor([ids[i] for i in batch]), max_new_tokens, until)
        for i, new in zip(batch, written, strict=True):
            texts[i] = _cut(_text(lm, ids[i], new), until)

    with lm.lock, torch.inference_mode():
        for group in same_length.values():
            in_batches(group, max(1, token_budget(lm.device) // 16), run)
    return texts


def _write(lm: "LanguageModel", x: torch.Tensor, max_new_tokens: int, until: str) -> list[list[int]]:
    """Greedy ids behind each row of x (rows, tokens); once half of the rows have ended, the others go on alone."""
    length, steps = x.shape[1], min(max_new_tokens, lm.context_length - x.shape[1])
    new: list[list[int]] = [[] for _ in x]
    cache, ends, rows = DynamicCache(), _Ends(lm, until), list(range(len(x)))  # rows: which of x are in the batch
    is_open = dict.fromkeys(rows, True)
    for step in range(steps):
        logits = last_logits(lm, x, 1, prompt_lengths=[length] * len(rows), cache=cache)[:, -1]
        chosen = logits.argmax(-1).tolist()
        for row, token in zip(rows, chosen, strict=True):
            if is_open[row] and not ends.mark(token):
                new[row].append(token)
            is_open[row] = is_open[row] and not ends(token)
        kept = [place for place, row in enumerate(rows) if is_open[row]]
        if not kept or step == steps - 1:
            break
        if 2 * len(kept) <= len(rows):
            cache.batch_select_indices(torch.tensor(kept, device=lm.device))
            rows, chosen = [rows[place] for place in kept], [chosen[place] for place in kept]
        x = torch.tensor(chosen)[:, None]
    return new


class _Ends:
    """Whether a token ends a text: the model's end mark, or any token with one of the ending characters in it."""

    def __init__(self, lm: "LanguageModel", until: str) -> None:
        self.lm, self.until, self.marks = lm, until, _end_marks(lm)
        self.known: dict[int, bool] = {}

    def mark(self, token: int) -> bool:
        return token in self.marks

    def __call__(self, token: int) -> bool:
        if token not in self.known:
            text = self.lm.reader.decode([token])
            self.known[token] = self.mark(token) or any(character in text for character in self.until)
        return self.known[token]


def _text(lm: "LanguageModel", prompt: list[int], new: list[int]) -> str:
    """Text of the new ids as it stands behind the prompt's last token (which keeps a leading space in place)."""
    before, whole = lm.reader.decode(prompt[-1:], True), lm.reader.decode(prompt[-1:] + new, True)
    return whole[len(before) :] if whole.startswith(before) else lm.reader.decode(new, True)


def _cut(text: str, until: str) -> str:
    """The text before the first of the ending characters."""
    return text[: min((text.index(c) for c in until if c in text), default=len(text))]
