"""The likeliest continuation of many prompts at once: what an examination needs hundreds of times."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from .batching import copies, in_batches, token_budget
from .edits import from_the_end
from .passes import Prefix, last_logits
from .sampling import end_marks
from .tree import Text, common, key_of

if TYPE_CHECKING:
    from .language_model import LanguageModel


SPREAD = 16  # tokens by which prompts of one batch may differ in length
WORTH_IT = 8  # tokens that prompts must begin with in common for a pass of its own


def greedy(lm: "LanguageModel", prompts: Sequence[str], max_new_tokens: int = 32, until: str = "\n") -> list[str]:
    """What `lm.generate(prompts, temperature=0, stop=list(until))` writes, many times faster on small models.

    Prompts of near lengths run together: what all begin with is read once, the rest up to the shortest one's length in
    one pass, then token by token, where longer ones are fed what is left of them. No padding, hence no mask, hence the
    same logits. `until`: each of its characters ends a text. Raises PromptError for an empty prompt or one that leaves
    no room in the context.
    """
    if not lm.shares_prefixes:
        stops = list(until) or None
        return [row[0].text for row in lm.generate(prompts, max_new_tokens=max_new_tokens, temperature=0, stop=stops)]
    ids = [lm.prompt_ids(prompt) for prompt in prompts]
    for row in ids:
        lm.check_room(len(row) + 1)
    texts = [""] * len(ids)

    def run(batch: Sequence[int]) -> None:
        written = _write(lm, [ids[i] for i in batch], max_new_tokens, until)
        for i, new in zip(batch, written, strict=True):
            texts[i] = _cut(_text(lm, ids[i], new), until)

    size, memory = token_budget(lm.device) // 16, copies(lm)
    with lm.lock, torch.inference_mode():
        for group in _near([len(row) for row in ids]):
            in_batches(group, size, run, tokens=len(ids[group[-1]]) + max_new_tokens, memory=memory)
    return texts


def _near(lengths: Sequence[int]) -> list[list[int]]:
    """Indices by length, cut where lengths differ by more than SPREAD."""
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if groups and lengths[i] - lengths[groups[-1][0]] <= SPREAD:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _write(lm: "LanguageModel", prompts: list[list[int]], max_new_tokens: int, until: str) -> list[list[int]]:
    """Greedy ids behind each prompt; once half of the texts have ended, the others go on alone."""
    length = min(map(len, prompts))
    start, cache = _beginning(lm, prompts, length)
    x = torch.tensor([prompt[start:length] for prompt in prompts])
    new: list[list[int]] = [[] for _ in prompts]
    ends, rows = _Ends(lm, until), list(range(len(prompts)))  # rows: those in the batch
    is_open = dict.fromkeys(rows, True)
    while True:
        logits = last_logits(lm, x, 1, prompt_lengths=[len(prompts[row]) for row in rows], cache=cache)[:, -1]
        tokens = logits.argmax(-1).tolist()
        for place, row in enumerate(rows):
            if length < len(prompts[row]):
                tokens[place] = prompts[row][length]
            elif is_open[row]:
                is_open[row] = not _extend(new[row], tokens[place], ends, max_new_tokens)
        length += 1
        kept = [place for place, row in enumerate(rows) if is_open[row]]
        if not kept or length == lm.context_length:
            return new
        if 2 * len(kept) <= len(rows):
            cache.batch_select_indices(torch.tensor(kept))
            rows, tokens = [rows[place] for place in kept], [tokens[place] for place in kept]
        x = torch.tensor(tokens)[:, None]


def _beginning(lm: "LanguageModel", prompts: list[list[int]], length: int) -> tuple[int, DynamicCache]:
    """What all prompts begin with, fewer than `length` tokens, read once: how many tokens, and a cache of them."""
    shapes = from_the_end(lm), len(lm.structure.embeddings.weight)
    first, *others = (key_of(Text(prompt, len(prompt)), *shapes)[: length - 1] for prompt in prompts)
    start = min((common(first, other) for other in others), default=0)
    if start < WORTH_IT:
        return 0, DynamicCache()
    return start, Prefix(lm, torch.tensor([prompts[0][:start]]), len(prompts[0])).behind(start, len(prompts))


def _extend(new: list[int], token: int, ends: "_Ends", most: int) -> bool:
    """Add a token to a text, and say whether the text has ended."""
    if not ends.mark(token):
        new.append(token)
    return ends(token) or len(new) == most


class _Ends:
    """Whether a token ends a text: the model's end mark, or any token with one of the ending characters in it."""

    def __init__(self, lm: "LanguageModel", until: str) -> None:
        self.lm, self.until, self.marks = lm, until, end_marks(lm)
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
