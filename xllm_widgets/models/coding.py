"""Ids of many texts that begin alike: what a text has in common with the one before it is not encoded again."""

import bisect
from dataclasses import dataclass

from ..errors import PromptError
from .text import Reader

MARGIN = 64
"""Characters beyond a cut in which two texts must agree: more than a tokenizer looks ahead from where a word begins."""


@dataclass(frozen=True)
class _Known:
    """A text that has been encoded, and the characters for which each of its tokens stands."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]


class Coder:
    """Encodes texts one after another, with the results of `Reader.ids` and `Reader.continuation`.

    A text that begins as the last one did is encoded from a cut on: a single space between two words, a good way before
    the texts part. A cut serves only if the last text, encoded from there, gives the tokens that it has there.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader, self.last = reader, _Known("", [], [])

    def ids(self, text: str) -> list[int]:
        """The ids of a text. Raises PromptError as `Reader.ids` does."""
        self.reader.check(text)
        cut = self._cut(_alike(self.last.text, text))
        self.last = _Known(text, *self.reader.spans(text)) if cut is None else self._from(cut, text)
        return list(self.last.ids)

    def continuations(self, prompt: str, texts: list[str]) -> list[list[int]]:
        """The ids of each text behind a prompt. Raises PromptError as `Reader.continuation` does."""
        before = self.last.ids if self.last.text == prompt else self.ids(prompt)
        cut = self._cut(len(prompt))
        if cut is None:
            return [self.reader.continuation(prompt, text, before) for text in texts]
        return [self._continuation(cut, text) for text in texts]

    def _continuation(self, cut: tuple[int, int], text: str) -> list[int]:
        if not isinstance(text, str) or not text:
            raise PromptError("A continuation is empty; give at least one character, such as ' yes'.")
        self.reader.check(text)
        return self.reader.behind(self.last.ids, self._from(cut, self.last.text + text).ids, text)

    def _from(self, cut: tuple[int, int], text: str) -> _Known:
        """A text that is known up to a cut."""
        at, token = cut
        ids, offsets = self._plain(text[at:])
        moved = [(start + at, end + at) for start, end in offsets]
        return _Known(text, self.last.ids[:token] + ids, self.last.offsets[:token] + moved)

    def _cut(self, common: int) -> tuple[int, int] | None:
        """Where the last text can be cut, as (character, token), if its first `common` characters are to be used."""
        text, at = self.last.text, common - MARGIN
        backend = self.reader.tokenizer.backend_tokenizer
        if backend.truncation is not None or backend.padding is not None:
            return None
        for _ in range(4):
            at = text.rfind(" ", 0, max(at, 0))
            if at < 1:
                return None
            token = bisect.bisect_left(self.last.offsets, at, key=lambda span: span[1] - 1)
            if not (text[at - 1].isspace() or text[at + 1].isspace()) and self._parts(at, token):
                return at, token
        return None

    def _parts(self, at: int, token: int) -> bool:
        return self._plain(self.last.text[at:])[0] == self.last.ids[token:]

    def _plain(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        coding = self.reader.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        return list(coding.ids), list(coding.offsets)


def _alike(a: str, b: str) -> int:
    """How many characters two texts have in common from their start."""
    return bisect.bisect_left(range(1, min(len(a), len(b)) + 1), True, key=lambda n: a[:n] != b[:n])
