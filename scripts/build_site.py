"""Build the course as plain pages: the notebooks with their saved outputs, to be read anywhere without a network.

    python scripts/build_site.py [notebooks/*.ipynb] [--out site]

The generator is nbconvert, which JupyterLab brings along, with templates of ours: mkdocs, Jupyter Book and MyST come
with a theme, its scripts and a formula renderer to take away again. Here formulas are MathML, pictures are files, light
and dark are the reader's own setting, and there is no script at all.
"""

import argparse
import re
import shutil
import struct
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from xllm_widgets.widgets import palette

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).resolve().with_name("site_templates")
SHEET = "site.css"
DOTS = 1.6  # of a saved picture to one pixel of a page: figures are laid out at 100 dots an inch and saved at 160
HEAD = re.compile(
    r"# (?:\d\d )?(?P<title>[^·\n]+?)(?: · (?P<chinese>[^\n]+))?\n\n(?P<facts>[^\n]+)\n\n"
    r"\[!\[[^]]*\]\([^)]*\)\]\((?P<colab>[^)]+)\)\n\n(?=(?P<opening>.+?)(?:\n\n|\Z))",
    re.DOTALL,
)
APART = re.compile(r"(?:\\qquad\s*)+")
ARG = re.compile(r"\\arg\s*\\(max|min)(?=_)")
NAMED = re.compile(r"(<mi>(?:exp|log)</mi>)(?=<m(?!o))")
PANDAS = re.compile(r'<style scoped>.*?</style>\s*| border="1"| style="text-align: right;"', re.DOTALL)
INKED = re.compile(r"background-color: (#[0-9a-f]{6});\s*color: #[0-9a-f]{6};")
EMPTY = re.compile(r"<th[^>]*>\s*(?:&nbsp;)?\s*</th>")


class SiteError(Exception):
    """What keeps the site from being built; the text says where, and why."""


@dataclass(frozen=True)
class Chapter:
    """One notebook as a page: what its head says, its sections, its cells as HTML, its pictures by file name."""

    name: str
    title: str
    chinese: str
    facts: str
    colab: str
    opening: str
    sections: Sequence[tuple[str, str]]
    cells: str
    pictures: dict[str, bytes]

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def page(self) -> str:
        return f"{self.name}.html"

    @property
    def thumbnail(self) -> str:
        """The file of the first picture; empty if there is none."""
        return next(iter(self.pictures), "")


class Prose(IPythonRenderer):
    """A chapter's Markdown as HTML that asks nothing of a network; keeps the sections it comes by (address, heading).

    Raises SiteError, with the formula, if a formula cannot be turned into MathML.
    """

    def __init__(self) -> None:
        super().__init__(escape=False)
        self.sections: list[tuple[str, str]] = []
        self._taken: set[str] = set()
        self.render = MarkdownWithMath(renderer=self).render

    def heading(self, text: str, level: int, **_: object) -> str:
        words = re.sub(r"<[^>]+>", "", text)
        slug = address = re.sub(r"\W+", "-", words.lower()).strip("-")
        while address in self._taken:
            address = f"{slug}-{len(self._taken)}"
        self._taken.add(address)
        if level == 2:
            self.sections.append((address, words))
        return f'<h{level} id="{address}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Another notebook is another page here."""
        is_notebook = not urlsplit(url).scheme and urlsplit(url).path.endswith(".ipynb")
        return super().link(text, url.replace(".ipynb", ".html") if is_notebook else url, title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture from elsewhere, such as a badge, would be fetched: its words stand for it."""
        return text if urlsplit(url).scheme.startswith("http") else super().image(text, url, title)

    def table(self, text: str) -> str:
        return scrolling(f"<table>\n{text}</table>", "Table")

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        """Formulas that stand far apart in one line go below one another where the page is narrow."""
        apart = [mathml(each, "block") for each in APART.split(body)]
        return scrolling("".join(apart), "Formula", tag="span")  # nbconvert puts it into a paragraph

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def mathml(formula: str, display: str) -> str:
    r"""A LaTeX formula as MathML, which browsers draw themselves; `display` is "inline" or "block".

    Raises SiteError where the formula is broken, or has a command that would be shown as it is written.
    """
    # the converter knows \argmax alone, and leaves out the thin space that TeX sets after the name of a function
    known = ARG.sub(r"\\arg\1\\limits" if display == "block" else r"\\arg\1", formula)
    try:
        drawn = convert(known, display=display)
    except Exception as problem:  # each fault of a formula has an exception of its own, without a common base
        raise SiteError(f"the formula {formula!r} is broken ({type(problem).__name__})") from problem
    unknown = re.search(r"\\[a-zA-Z]+", drawn)
    if unknown:
        raise SiteError(f"the formula {formula!r} has a command without MathML, {unknown[0]}")
    return NAMED.sub(r'\1<mspace width="0.167em"/>', drawn)


def scrolling(html: str, label: str, tag: str = "div") -> str:
    """A wide part that scrolls by itself, by keyboard too, so that the page never does."""
    return f'<{tag} class="scroll" role="group" aria-label="{label}" tabindex="0">{html}</{tag}>'


def data_table(html: str) -> str:
    """A saved pandas table without pandas' own looks; an empty heading is an empty cell, not a heading of nothing.

    Coloured cells get the ink that can be read: pandas leaves white on middle grounds, at a contrast down to 2.4.
    """
    plain = EMPTY.sub("<td></td>", PANDAS.sub("", html))
    return scrolling(INKED.sub(_inked, plain), "Table")


def _inked(ground: re.Match[str]) -> str:
    return f"background-color: {ground[1]}; color: {palette.ink_over(palette.hex_rgb(ground[1]))};"


def take_pictures(notebook: NotebookNode, name: str) -> dict[str, bytes]:
    """The PNGs of a notebook by the file each is to become; every output learns, in place, how its picture is shown."""
    taken = {}
    for number, cell in enumerate(notebook.cells):
        for part, output in enumerate(cell.get("outputs", [])):
            if "image/png" in output.get("data", {}):
                file = f"pictures/{name[:2]}-{number}-{part}.png"
                taken[file] = b64decode(output.data["image/png"])
                output.metadata["picture"] = {"file": file, **_shown(output, taken[file])}
    return taken


def _shown(output: NotebookNode, png: bytes) -> dict[str, object]:
    """Its size on the page, and its words: the first line instead of the picture, all of them below it."""
    across, down = struct.unpack(">II", png[16:24])
    width = output.metadata.get("image/png", {}).get("width") or round(across / DOTS)
    words = output.data.get("text/plain", "")
    words = "" if words.startswith("<") else words
    alt = words.split("\n")[0] or "The picture that the code above draws."
    return {"width": width, "height": round(down * width / across), "alt": alt, "words": words}


def chapter(path: Path) -> Chapter:
    """A notebook as a chapter. Raises SiteError if it cannot be read, or does not begin as chapters do."""
    notebook = _read(path)
    first = notebook.cells[0].source if notebook.cells else ""
    head = HEAD.match(first)
    if head is None:
        raise SiteError(f"{path}: its first cell is not a title, a line of facts, a badge and a paragraph.")
    notebook.cells[0].source = first[head.end() :]
    prose = Prose()
    pictures = take_pictures(notebook, path.stem)
    try:
        cells = _cells(notebook, prose)
        facts, opening = prose.render(head["facts"]), prose.render(head["opening"])
    except SiteError as problem:
        raise SiteError(f"{path}: {problem}.") from problem
    return Chapter(
        path.stem, head["title"], head["chinese"] or "", facts, head["colab"], opening, prose.sections, cells, pictures
    )


def _cells(notebook: NotebookNode, prose: Prose) -> str:
    filters = {"markdown2html": prose.render, "data_table": data_table}
    template = str(TEMPLATES / "cells.html.j2")
    html, _ = HTMLExporter(template_name="base", template_file=template, filters=filters).from_notebook_node(notebook)
    return html


def _read(path: Path) -> NotebookNode:
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError as problem:
        raise SiteError(f"{path}: it cannot be read ({problem.strerror}).") from problem
    except Exception as problem:  # nbformat raises whatever the damaged parts lead it to
        raise SiteError(f"{path}: it is not a notebook ({type(problem).__name__}).") from problem
    return notebook


def pages(chapters: Sequence[Chapter]) -> dict[str, str]:
    """Every page of the site by its file name, the index first."""
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True)
    index, page = jinja.get_template("index.html.j2"), jinja.get_template("chapter.html.j2")
    made = {"index.html": index.render(chapters=chapters, chapter=None)}
    around = zip([None, *chapters], chapters, [*chapters[1:], None], strict=False)
    for previous, here, following in around:
        made[here.page] = page.render(chapters=chapters, chapter=here, previous=previous, following=following)
    return made


def sheet() -> str:
    """The style sheet: the colours and fonts of the widgets, then the looks of the pages."""
    light, dark = palette.css_themes()
    colours = f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    return colours + (TEMPLATES / SHEET).read_text("utf-8")


def build(notebooks: Sequence[Path], out: Path) -> list[Path]:
    """Write the site of these notebooks into the folder `out`, in place of an earlier one; returns its pages.

    Nothing is written, and SiteError is raised, if a notebook cannot become a page or if `out` holds anything else.
    """
    chapters = [chapter(path) for path in notebooks]
    files = {name: text.encode() for name, text in {**pages(chapters), SHEET: sheet()}.items()}
    for each in chapters:
        files |= each.pictures
    _clear(out)
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    return [out / name for name in files if name.endswith(".html")]


def _clear(out: Path) -> None:
    """Pages of chapters that are gone must not stay; what is not a site of ours is never touched."""
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / SHEET).is_file()):
        raise SiteError(f"{out} holds something other than an earlier site; choose another --out.")
    shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted((ROOT / "notebooks").glob("*.ipynb")))
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="the folder the pages are written to")
    options = parser.parse_args()
    try:
        written = build(options.notebooks, options.out)
    except SiteError as problem:
        sys.exit(f"No page was written. {problem}")
    except OSError as problem:
        sys.exit(f"{problem.filename} cannot be written ({problem.strerror}); choose another --out.")
    print(f"{written[0]}: {len(written) - 1} chapters, ready for any file server, or to be opened as it is")


if __name__ == "__main__":
    main()
