"""What a model writes behind a prompt, greedily or sampled, and which answers those replies give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xllm_widgets.studies import statistics
from xllm_widgets.studies.answers import Number, extract_answer

if TYPE_CHECKING:
    import pandas as pd

WORKED, DIRECT = 120, 12  # tokens that a worked reply, and an answer alone, may take
NONE = "none"  # how "gives no number" is written in tables


def write(lm: Any, prompts: Sequence[str], max_new_tokens: int = WORKED) -> list[str]:
    """The likeliest reply to each prompt, up to its first line end."""
    if getattr(lm, "shares_prefixes", False):
        from xllm_widgets.models.greedy import greedy

        return greedy(lm, list(prompts), max_new_tokens, "\n")
    rows = lm.generate(list(prompts), n=1, max_new_tokens=max_new_tokens, temperature=0, stop="\n")
    return [row[0].text for row in rows]


def sample(
    lm: Any, prompt: str, n: int, *, max_new_tokens: int = WORKED, temperature: float = 1.0, seed: int = 0
) -> list[str]:
    """n sampled replies to one prompt, each up to its first line end."""
    (row,) = lm.generate([prompt], n=n, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, stop="\n")
    return [generation.text for generation in row]


def shown(answer: Number | None) -> str:
    """An answer as tables and pictures write it."""
    return NONE if answer is None else str(answer)


def said(reply: str, *, concluding: bool = False) -> Number | None:
    """The answer of a reply; `concluding` says that the prompt had begun it with "The answer is"."""
    return extract_answer(f"The answer is{reply}" if concluding else reply)


def distribution(replies: Sequence[str], *, concluding: bool = False) -> pd.DataFrame:
    """The answers that replies give, commonest first: answer, count, share, and Wilson's 95 % interval low … high."""
    import pandas as pd

    answers = pd.Series([shown(said(reply, concluding=concluding)) for reply in replies], dtype=str).value_counts()
    rows = []
    for answer, count in sorted(answers.items(), key=lambda pair: (-pair[1], pair[0])):
        share = statistics.wilson(int(count), len(replies))
        rows.append({"answer": answer, "count": int(count), "share": share.estimate, "low": share.low,
                     "high": share.high})  # fmt: skip
    return pd.DataFrame(rows, columns=["answer", "count", "share", "low", "high"])
