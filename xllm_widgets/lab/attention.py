"""Attention with a model behind it: bertviz's two views for short texts, attention by segment for any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import MissingSight, XllmError
from xllm_widgets.lab.code import with_code, with_cost
from xllm_widgets.widgets.language import speech

if TYPE_CHECKING:
    from xllm_widgets.widgets.bertviz_view import BertvizView
    from xllm_widgets.widgets.segment_attention import SegmentAttention

MAX_PIECES = 12  # segments into which a text is cut where none are given
NOTHING = 1e-3  # a share that small is rounding
# up to a full stop that ends a sentence (not the one in 3.5), or to the end of the line; the space before belongs to it
_PIECE = re.compile(r"\s*(?:[^\n.!?。！？]|[.!?](?![\s.!?]|$))*[.!?。！？]*")


@with_code()
@with_cost
def head_view(lm: Any, text: str, *, layers: Sequence[int] | None = None) -> BertvizView | SegmentAttention:
    """Which token looks at which, one layer at a time? bertviz's head view of a short text.

    `layers`: numbers from 1, all if left out. A text of more tokens than bertviz draws well (`MAX_LINES` lines at
    once) is answered with a sentence and its attention by segment. Raises MissingSight for a model that shows no
    activations, XllmError for a layer that there is not.
    """
    return _bertviz(lm, text, "head", layers)


@with_code()
@with_cost
def model_view(lm: Any, text: str, *, layers: Sequence[int] | None = None) -> BertvizView | SegmentAttention:
    """Which token looks at which, in all layers and heads at once? bertviz's model view of a short text.

    Arguments, limit and errors as in `head_view`; more lines are drawn at once, so the limit comes sooner.
    """
    return _bertviz(lm, text, "model", layers)


@with_code()
@with_cost
def segment_view(
    lm: Any, text: str, segments: Sequence[tuple[int, int]] | None = None, **view: Any
) -> SegmentAttention:
    """How much does each head look, from the last token of a text, at each part of it? For texts of any length.

    `segments`: (start, end) characters of each part, which must not overlap; left out, its lines and sentences, at
    most 12. What is spent on none of them (a mark that the tokenizer put in, an attention sink) is a part of its own.
    Other keywords go to the `SegmentAttention`. Raises MissingSight for a model that shows no activations.
    """
    from xllm_widgets.widgets.segment_attention import SegmentAttention

    tokens, say = _tokens(lm, text), speech("lab")
    parts = pieces(text, tokens.offsets) if segments is None else list(segments)
    mass, names = lm.attention(text, parts)[:, :, -1], [text[start:end] for start, end in parts]
    rest = np.clip(1 - mass.sum(-1, keepdims=True), 0, None)
    marks = "".join(token for token, mark in zip(tokens.strings, tokens.special, strict=True) if mark)
    if marks or rest.max() > NOTHING:
        whole = say("mark", tokens=marks) if marks else say("sink")
        names, mass = [whole if segments is None else say("elsewhere"), *names], np.concatenate([rest, mass], -1)
    title = say("looks_from", model=lm.name, token=repr(tokens.strings[-1]))
    return SegmentAttention(names, mass, **{"title": title, "segment": int(mass.mean((0, 1)).argmax()), **view})


def pieces(text: str, tokens: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The lines and sentences of a text as (start, end) characters; neighbours are taken together where they are many.

    `tokens`: (start, end) of each token; a piece begins where a token does, so that none belongs to two.
    """
    begins = sorted({start for start, _ in tokens})
    found = [match.start() for match in _PIECE.finditer(text) if match[0].strip()]
    if len(found) < 2:  # one long line: equal runs of tokens
        found = begins
    each = -(-len(found) // MAX_PIECES)
    starts = sorted(
        {0, *(next((b for b in begins if b >= start), len(text)) for start in found[each::each])} - {len(text)}
    )
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _bertviz(lm: Any, text: str, kind: str, layers: Sequence[int] | None) -> BertvizView | SegmentAttention:
    from xllm_widgets.widgets import bertviz_view

    tokens, say, numbers = _tokens(lm, text), speech("lab"), _numbers(lm, layers)
    limit = bertviz_view.token_limit(kind, len(numbers), lm.hf.config.get_text_config().num_attention_heads)
    if len(tokens) > limit:
        return segment_view(lm, text, note=say("too_long", tokens=len(tokens), limit=limit))
    weights = lm.attention(text)[[k - 1 for k in numbers]]
    try:
        return bertviz_view.BertvizView(tokens.strings, weights, kind=kind, layers=numbers)
    except bertviz_view.ScriptsMissing as missing:
        return segment_view(lm, text, note=say("no_scripts", why=missing))


def _tokens(lm: Any, text: str) -> Any:
    if "activations" not in lm.sights:
        raise MissingSight(f"{lm.name} does not show its attention; use a bundled model.")
    return lm.tokens(text)


def _numbers(lm: Any, layers: Sequence[int] | None) -> list[int]:
    numbers = [*range(1, lm.n_layers + 1)] if layers is None else [int(k) for k in layers]
    for k in numbers:
        if not 1 <= k <= lm.n_layers:
            raise XllmError(f"There is no layer {k}; {lm.name} has 1 to {lm.n_layers}.")
    if not numbers:
        raise XllmError(f"No layer is named; {lm.name} has 1 to {lm.n_layers}.")
    return numbers
