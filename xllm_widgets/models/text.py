"""Text to tokens and back: strings fit to be shown, ids, and exact character offsets."""

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import PromptError

_BYTE_PIECE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")


@dataclass(frozen=True)
class Tokens:
    """A text as the model reads it; four lists of one length, one entry a token.

    `strings`: the text of the token; bytes that are no whole character show as `<0xE6>`. `ids`: its numbers in the
    vocabulary. `offsets`: (start, end) characters in `text`; tokens that hold pieces of one character share its
    offsets. `special`: True for tokens the tokenizer put in by itself (a beginning-of-text mark), which have no
    characters.
    """

    text: str
    strings: list[str]
    ids: list[int]
    offsets: list[tuple[int, int]]
    special: list[bool]

    def __len__(self) -> int:
        return len(self.ids)

    def covering(self, start: int, end: int) -> tuple[int, int]:
        """Token range (first, last + 1) that holds the characters start … end of the text.

        Raises PromptError if those characters are not in the text.
        """
        hit = [i for i, (a, b) in enumerate(self.offsets) if a < end and b > start and not self.special[i]]
        if not hit:
            raise PromptError(f"Characters {start} to {end} are not in this text of {len(self.text)} characters.")
        return hit[0], hit[-1] + 1


def _chips(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"<0x{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("xllm_byte_chips", _chips)


def _byte_alphabet() -> dict[str, int]:
    """The printable stand-ins by which byte-level BPE writes the 256 bytes (Radford et al., 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}


_ALPHABET = _byte_alphabet()


class Reader:
    """Encodes and decodes with one transformers tokenizer, which it never changes."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._added = {token_id: str(token) for token_id, token in tokenizer.added_tokens_decoder.items()}
        self._byte_level = b"ByteLevel" in _state(tokenizer.backend_tokenizer.decoder)

    def encode(self, text: str) -> Tokens:
        """Tokens of a text, with the marks the tokenizer itself puts before it (not those it puts after).

        Raises PromptError for an empty text, for half a character (a lone surrogate), or for anything but a string.
        """
        coding = self._coding(text)
        special = [bool(m) and a == b for m, (a, b) in zip(coding.special_tokens_mask, coding.offsets, strict=True)]
        length = max((i + 1 for i, mark in enumerate(special) if not mark), default=0)
        ids, special = coding.ids[:length], special[:length]
        offsets, strings = self._align(text, ids, special, coding)
        return Tokens(text, strings, ids, offsets, special)

    def ids(self, text: str) -> list[int]:
        """The ids alone of `encode(text)`; raises the same."""
        return self.spans(text)[0]

    def spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids, and the characters that the tokenizer itself says each stands for; raises the same."""
        coding = self._coding(text)
        ids, mask, offsets = list(coding.ids), list(coding.special_tokens_mask), list(coding.offsets)
        while mask and mask[-1] and offsets[-1] == (0, 0):
            ids.pop(), mask.pop(), offsets.pop()
        return ids, offsets

    def continuation(self, prompt: str, continuation: str, before: list[int] | None = None) -> list[int]:
        """Ids of a continuation behind a prompt.

        The two are encoded together; where that changes the prompt's own tokens (the boundary falls inside a token),
        the continuation is encoded on its own. `before`: the prompt's ids where they are known already. Raises
        PromptError if the continuation is empty.
        """
        if not isinstance(continuation, str) or not continuation:
            raise PromptError("A continuation is empty; give at least one character, such as ' yes'.")
        return self.behind(before or self.ids(prompt), self.ids(prompt + continuation), continuation)

    def behind(self, before: list[int], together: list[int], continuation: str) -> list[int]:
        """What of `together`, the ids of a prompt and its continuation, is the continuation's part."""
        if together[: len(before)] == before and len(together) > len(before):
            return together[len(before) :]
        return list(self._coding(continuation, marks=False).ids)

    def decode(self, ids: Sequence[int], skip_special: bool = False) -> str:
        """Text of these ids, with nothing tidied away."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)

    def strings(self, ids: Sequence[int]) -> list[str]:
        """Each id by itself, as it would be shown."""
        return [self._shown(token_id) for token_id in ids]

    def check(self, text: str) -> None:
        """PromptError for an empty text, for half a character, or for anything but a string."""
        if not isinstance(text, str):
            raise PromptError(f"A prompt must be a string, not {type(text).__name__}; put several into a list.")
        if not text:
            raise PromptError("The prompt is empty; write at least one character.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PromptError(
                f"Character {error.start + 1} of the text is half of a character (a lone surrogate); type it again."
            ) from None

    def _coding(self, text: str, marks: bool = True) -> Any:
        self.check(text)
        return self.tokenizer(text, add_special_tokens=marks, verbose=False).encodings[0]

    def _align(
        self, text: str, ids: list[int], special: list[bool], coding: Any
    ) -> tuple[list[tuple[int, int]], list[str]]:
        """Offsets and strings: from the tokens' own bytes where they spell the text, else from the tokenizer."""
        pieces = [b"" if mark else self._bytes(token_id) for token_id, mark in zip(ids, special, strict=True)]
        strings = self.strings(ids)
        if None not in pieces and b"".join(p or b"" for p in pieces) == text.encode("utf-8"):
            return _spans(text, [p or b"" for p in pieces]), strings
        offsets = _without_gaps([tuple(pair) for pair in coding.offsets[: len(ids)]], special, len(text))
        shared = {pair for i, pair in enumerate(offsets) if pair in offsets[:i]}
        shown = [
            string if mark or pair in shared or pair[0] == pair[1] else text[pair[0] : pair[1]]
            for string, mark, pair in zip(strings, special, offsets, strict=True)
        ]
        return offsets, shown

    def _bytes(self, token_id: int) -> bytes | None:
        """The bytes a token stands for, or None where its vocabulary does not say."""
        if token_id in self._added:
            return self._added[token_id].encode("utf-8")
        piece = self.tokenizer.convert_ids_to_tokens(token_id)
        if self._byte_level and piece is not None and all(c in _ALPHABET for c in piece):
            return bytes(_ALPHABET[c] for c in piece)
        match = _BYTE_PIECE.match(piece or "")
        return bytes([int(match[1], 16)]) if match else None

    def _shown(self, token_id: int) -> str:
        data = self._bytes(token_id)
        if data is not None:
            return data.decode("utf-8", errors="xllm_byte_chips")
        piece = self.tokenizer.convert_ids_to_tokens(token_id)
        return "" if piece is None else piece.replace("▁", " ")


def several(given: Any, what: str) -> list:
    """One string, or several, as a list; PromptError, which names `what` was given, for what is neither.

    What the list holds is checked where it is read.
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise PromptError(f"{what} must be a string or several, not {type(given).__name__}.")
    return list(given)


def _state(component: Any) -> bytes:
    return b"" if component is None else bytes(component.__getstate__())


def _spans(text: str, pieces: list[bytes]) -> list[tuple[int, int]]:
    """Character spans of byte pieces that spell the text; pieces of one character each get the whole of it."""
    character = [i for i, c in enumerate(text) for _ in range(len(c.encode("utf-8")))]
    spans, at = [], 0
    for piece in pieces:
        end = at + len(piece)
        edge = character[at] if at < len(character) else len(text)
        spans.append((edge, character[end - 1] + 1) if piece else (edge, edge))
        at = end
    return spans


def _without_gaps(offsets: list[tuple[int, int]], special: list[bool], length: int) -> list[tuple[int, int]]:
    """Give characters that no token claims (spaces a tokenizer drops) to the next token, at the end to the last."""
    closed, at = [], 0
    for (start, end), mark in zip(offsets, special, strict=True):
        if mark:
            closed.append((at, at))
            continue
        closed.append((min(start, at) if start > at else start, end))
        at = max(at, end)
    if closed and at < length:
        closed[-1] = (closed[-1][0], length)
    return closed
