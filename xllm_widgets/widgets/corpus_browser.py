"""What was the model taught? Its documents, page by page, with the word or the fact that was looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from xllm_widgets.widgets import palette
from xllm_widgets.widgets.base import BaseView, ViewError, module, styles
from xllm_widgets.widgets.language import Speech, speech

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 100  # documents on a page
_DOCUMENT = {"number": int, "kind": str, "text": str, "spans": list, "facts": list}
_FOUND = {
    "text": str, "by": str, "occurrences": int, "documents": int, "read": int, "kinds": dict, "kind": str, "page": int,
    "pages": int,
}  # fmt: skip
NOTHING = {
    "text": "", "by": "phrase", "occurrences": 0, "documents": 0, "read": 0, "kinds": {}, "kind": "", "page": 0,
    "pages": 0,
}  # fmt: skip
_MARK = (*palette.hex_rgb(palette.SIZE_RAMP[3]), 0.28)


class CorpusBrowser(BaseView):
    """How often, and where, did the model read this? A page of documents, and the numbers over all of them.

    `documents`: the page in view, each with `number`, `kind`, `text`, `spans` (characters [start, end] to be marked)
    and `facts` (names of the facts it tells). `found`: what was looked for and how often it stands there: `text`, `by`
    ("phrase" or "fact"), `occurrences` (of a phrase), `documents` (that hold it), `read` (all documents), `kinds`
    (kind → documents that hold it), `kind` (the one shown, "" for all), `page` (from 0) and `pages`. A search in the
    browser is an event: `on_search` answers it through `show`. Raises ViewError for what lacks a field.
    """

    _catalogue = "corpus_browser"
    _esm = module("corpus_browser")
    _css = styles("corpus_browser")

    documents = traitlets.List(traitlets.Dict()).tag(sync=True)
    found = traitlets.Dict(default_value=NOTHING).tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)  # the numbers of `found` as a sentence
    examples = traitlets.List(traitlets.Unicode()).tag(sync=True)  # what is worth looking up, offered as buttons
    request = traitlets.Dict(default_value={"n": 0}).tag(sync=True, echo_update=False)  # n, text, kind, page
    answered = traitlets.Int(0).tag(sync=True)  # the last request answered
    busy = traitlets.Unicode("").tag(sync=True)  # why an answer takes long
    title = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, documents: Iterable[Mapping[str, Any]] = (), found: Mapping[str, Any] = NOTHING, **kwargs: Any
    ) -> None:
        self._refuse_unknown(kwargs)
        super().__init__(**kwargs)
        self.show(documents, found)

    @traitlets.validate("documents")
    def _known_documents(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        if len(proposal["value"]) > MOST:
            raise ViewError(f"{len(proposal['value'])} documents are more than the {MOST} of a page: pass fewer.")
        return [_checked(one, _DOCUMENT, "document") for one in proposal["value"]]

    @traitlets.validate("found")
    def _known_found(self, proposal: dict[str, Any]) -> dict[str, Any]:
        return _checked(proposal["value"], _FOUND, "result")

    @traitlets.observe("found")
    def _say(self, change: dict[str, Any]) -> None:
        self.said = sentence(change["new"], self.say)

    def show(self, documents: Iterable[Mapping[str, Any]], found: Mapping[str, Any]) -> None:
        """Another page, or another search, painted in one go."""
        with self.hold_sync():
            self.documents, self.found = list(documents), dict(found)

    def search(self, text: str, kind: str = "", page: int = 0) -> None:
        """Asks from Python what the search box asks from the browser."""
        self.request = {"n": self.request["n"] + 1, "text": text, "kind": kind, "page": page}

    def on_search(self, callback: Callable[[CorpusBrowser, str, str, int], None]) -> None:
        """Calls back with the view, the text, the kind ("" for all) and the page asked for; errors show in the view."""

        def asked(change: dict[str, Any]) -> None:
            request, self.error = change["new"], ""
            with self.errors_shown():
                callback(self, request["text"], request["kind"], request["page"])
            with self.hold_sync():
                self.busy, self.answered = "", request["n"]

        self.observe(asked, names="request")

    def describe(self) -> str:
        """The numbers, and the documents in view, each cut to a line."""
        lines = [self.title or self.say("name"), self.said or self.say("nothing")]
        return "\n".join([*lines, *(f"  № {d['number']:,} ({d['kind']}): {_line(d['text'])}" for d in self.documents)])

    def draw(self, figure: Figure) -> None:
        """The numbers and the first five documents in view, the places found on a ground."""
        from xllm_widgets.widgets._draw import Page

        page, y, muted = Page(figure), 0.2, palette.LIGHT["muted"]
        if self.title:
            page.text(0, y, self.title, 11, fontweight="bold")
            y += 0.3
        said = self.said or self.say("nothing")
        y = page.paragraph(said, 0, y, page.width, 10.5, fontweight="bold") + 0.24
        kinds = "   ".join(f"{kind} {n:,}" for kind, n in self.found["kinds"].items())
        y = page.paragraph(kinds, 0, y, page.width, 8, ink=muted) + 0.36 if kinds else y + 0.12
        for one in self.documents[:5]:
            page.text(0, y, f"№ {one['number']:,} · {one['kind']}", 8, muted)
            y = page.flow(_runs(one), 0, y + 0.24, page.width, 9) + 0.36
        left = self.found["documents"] - len(self.documents[:5])
        if self.documents and left > 0:
            page.text(0, y, self.say("more_documents", n=f"{left:,}"), 8, muted)
        page.finish(y + 0.15)


def sentence(found: Mapping[str, Any], say: Speech | None = None) -> str:
    """How often, in how many documents, and one in how many that is; in the language that is on, or as `say` has it."""
    say = say or speech("corpus_browser")
    read, documents = f"{found['read']:,}", found["documents"]
    if not found["text"]:
        return say("all_read", read=read) if found["read"] else ""
    name = found["text"] if found["by"] == "fact" else f"“{found['text']}”"
    if not documents:
        return say("never_read", name=name, read=read)
    told = {"name": name, "documents": f"{documents:,}", "read": read, "rate": f"{found['read'] / documents:,.0f}"}
    if found["by"] == "fact":
        return say("fact_told", **told)
    return say("phrase_stands", n=f"{found['occurrences']:,}", **told)


def _checked(given: Mapping[str, Any], fields: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Exactly the fields shown, as plain JSON, or a sentence on what is missing."""
    missing = [name for name in fields if name not in given]
    if missing:
        raise ViewError(f"A {what} lacks {', '.join(missing)}: it needs {', '.join(fields)}.")
    known = {name: kind(given[name]) for name, kind in fields.items()}
    if "spans" in known:
        known["spans"] = sorted([int(start), int(end)] for start, end in known["spans"])
    return known


def _runs(document: Mapping[str, Any]) -> list[Any]:
    """The text as runs, those found on a ground."""
    from xllm_widgets.widgets._draw import Run, words

    text, runs, place = document["text"], [], 0
    for start, end in [*document["spans"], [len(text), len(text)]]:
        runs += [Run(word) for word in words(text[place:start])]
        runs += [Run(text[start:end], _MARK, weight="bold")] if end > start else []
        place = end
    return runs


def _line(text: str, most: int = 100) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 2]} …"
