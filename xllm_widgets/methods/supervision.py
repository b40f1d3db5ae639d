"""What a model is to learn from an example: its tokens, and which of them are the reply's.

Everything else (what the user says, a review's wording) is read but not learnt: its loss has weight zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import PromptError, XllmError
from ..microworld.assistant.layout import CHAT_TEMPLATE, Conversation, Message
from ..microworld.document import Document
from ..microworld.training import mark

if TYPE_CHECKING:
    from ..models.language_model import LanguageModel

Example = Sequence[Message] | tuple[str, str] | Conversation | Document


@dataclass(frozen=True)
class Row:
    """A text as the model reads it: `ids`, and which tokens are `learnable` (both of one length)."""

    ids: list[int]
    learnable: list[bool]


def rows(lm: "LanguageModel", examples: Sequence[Example]) -> list[Row]:
    """The examples as the model reads them, in their order.

    A conversation is a list of messages ({"role", "content"}), rendered by the model's own chat template or else by the
    Pebbles'; everything the assistant says in it is learnable. Of a pair (prompt, reply), plain text, the reply is,
    with the model's end mark behind it. A document has its own learnable spans.

    Raises XllmError for no examples, one of another form or one without a reply, PromptError for one longer than the
    context; each in one sentence that says which example it is.
    """
    if isinstance(examples, str | Document | Conversation) or not len(examples):
        raise XllmError("There is nothing to learn from: give a list with at least one example.")
    return [row for number, example in enumerate(examples, 1) for row in _read(lm, example, f"Example {number}")]


def needs_layout(lm: "LanguageModel", examples: Sequence[Example]) -> bool:
    """Whether conversations are rendered in the Pebbles' layout because the model has no chat template of its own."""
    return not lm.tokenizer.chat_template and any(_messages(example) is not None for example in examples)


def _read(lm: "LanguageModel", example: Example, name: str) -> list[Row]:
    messages = _messages(example)
    if isinstance(example, Document):
        found = [_from_document(lm, example)]
    elif messages is not None:
        found = _from_conversation(lm, messages, name)
    elif isinstance(example, Sequence) and len(example) == 2 and all(isinstance(part, str) for part in example):
        found = [_from_pair(lm, str(example[0]), str(example[1]), name)]
    else:
        raise XllmError(f"{name} is neither a list of messages, nor a pair (prompt, reply), nor a document.")
    for row in found:
        _check(lm, row, name)
    return found


def _messages(example: Example) -> list[Message] | None:
    """The messages of a conversation, None for any other form of example."""
    if isinstance(example, Conversation):
        return example.messages
    if isinstance(example, Document | str) or not isinstance(example, Sequence) or not len(example):
        return None
    fits = all(isinstance(m, dict) and isinstance(m.get("content"), str) and "role" in m for m in example)
    return list(example) if fits else None  # type: ignore[arg-type]


def _check(lm: "LanguageModel", row: Row, name: str) -> None:
    if len(row.ids) > lm.context_length:
        raise PromptError(
            f"{name} has {len(row.ids)} tokens but {lm.name} reads at most {lm.context_length}; shorten it or leave it "
            "out."
        )
    if not any(row.learnable[1:]):  # nothing stands before the first token from which it could be foretold
        raise XllmError(f"{name} holds no reply that could be learnt.")


def _from_document(lm: "LanguageModel", document: Document) -> Row:
    tokens = lm.tokens(document.text)
    return Row(tokens.ids, mark(np.array(tokens.offsets), tuple(sorted(document.learnable))).tolist())


def _from_pair(lm: "LanguageModel", prompt: str, reply: str, name: str) -> Row:
    if not reply:
        raise XllmError(f"{name} has no reply; write what the model should answer.")
    before = lm.reader.ids(prompt)
    end = lm.tokenizer.eos_token_id
    after = lm.reader.continuation(prompt, reply, before) + ([] if end is None else [end])
    return Row(before + after, [False] * len(before) + [True] * len(after))


def _from_conversation(lm: "LanguageModel", messages: list[Message], name: str) -> list[Row]:
    """One row with every reply in it; one row a reply where the template renders earlier turns differently later on."""
    places = [i for i, message in enumerate(messages) if message["role"] == "assistant" and message["content"].strip()]
    if not places:
        raise XllmError(f"{name} is a conversation without a reply; add what the assistant should say.")
    if places[0] == 0:
        raise XllmError(f"{name} begins with the reply; put what it replies to before it.")
    turns = [_turn(lm, messages[: place + 1], name) for place in places]
    whole = turns[-1][0]
    if all(whole.startswith(text[:end]) for text, (_, end) in turns):
        return [_row(lm, whole, tuple(span for _, span in turns))]
    return [_row(lm, text, (span,)) for text, span in turns]


def _turn(lm: "LanguageModel", messages: list[Message], name: str) -> tuple[str, tuple[int, int]]:
    """A conversation up to a reply as text, and the characters the model is to write: the reply and its end mark.

    Found by what rendering the reply adds to the text that would ask for it, whatever the template.
    """
    before = _rendered(lm, messages[:-1], name, add_generation_prompt=True)
    text = _rendered(lm, messages, name, add_generation_prompt=False).rstrip()
    return text, (_shared(before, text), len(text))


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginnings."""
    unequal = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unequal, min(len(one), len(other)))


def _rendered(lm: "LanguageModel", messages: list[Message], name: str, *, add_generation_prompt: bool) -> str:
    template = None if lm.tokenizer.chat_template else CHAT_TEMPLATE
    try:
        return lm.tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # a template is a program of its own and may refuse for any reason
        raise XllmError(f"The chat template of {lm.name} does not take {name.lower()} ({error}).") from None


def _row(lm: "LanguageModel", text: str, spans: tuple[tuple[int, int], ...]) -> Row:
    """A rendered text's tokens; the template has written all marks itself, so the tokenizer adds none."""
    coding: Any = lm.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return Row(list(coding["input_ids"]), mark(np.array(coding["offset_mapping"]), spans).tolist())
