"""The site is plain pages: nothing is loaded from elsewhere, every link leads somewhere, every formula is drawn."""

import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "build_site.py"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BADGE = "[![Open in Colab](https://x.org/badge.svg)](https://x.org/n.ipynb)"
HEAD = f"# 01 A title · 标题\n\nSurvey section *4*\n\n{BADGE}\n\nIt opens so. And goes on."
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LOADING = ("src", "srcset", "data", "poster", "action", "background")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_site", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site = script()


class Page(HTMLParser):
    """What a page leads to, what it loads, the places in it that can be led to, its tags, and its words but code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self._code = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._code += tag in ("code", "pre")
        self.places += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loads += [given["href"]] if tag == "link" else []
        self.loads += [given[name] for name in LOADING if name in given]

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        self.words += "" if self._code else data


@pytest.fixture(scope="module")
def pages(built_site: Path) -> dict[str, Page]:
    return {path.name: Page(path) for path in sorted(built_site.glob("*.html"))}


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell(HEAD)])


def saved(notebook: nbformat.NotebookNode, folder: Path, name: str = "01_n") -> Path:
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def test_every_notebook_is_a_page(pages: dict[str, Page]) -> None:
    assert set(pages) == {"index.html", *(f"{path.stem}.html" for path in NOTEBOOKS)}


def test_every_internal_link_leads_somewhere(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert len(page.places) == len(set(page.places)), f"a place twice in {page.path.name}"
        for link in page.links:
            goal = urlsplit(link)
            if not goal.scheme:
                target = pages[goal.path or page.path.name]
                assert not goal.fragment or goal.fragment in target.places, f"{link} in {page.path.name}"
            else:
                assert goal.scheme == "https"


def test_everything_that_is_loaded_lies_beside_the_page(pages: dict[str, Page], built_site: Path) -> None:
    for page in pages.values():
        assert not {"script", "iframe", "object", "embed"} & set(page.tags)
        here = [load for load in page.loads if not load.startswith("data:")]
        assert [load for load in here if urlsplit(load).scheme or not (built_site / load).is_file()] == []
    assert not re.search(r"@import|url\(", (built_site / "site.css").read_text("utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_is_mathml(path: Path, pages: dict[str, Page]) -> None:
    prose = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    formulas = re.findall(r"\$\$.+?\$\$|\$.+?\$", prose, re.DOTALL)
    page = pages[f"{path.stem}.html"]
    assert page.tags.count("math") >= len(formulas)
    assert not re.search(r"\$|\\[a-z]", page.words), "LaTeX is left in the text"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_is_there_and_has_words(path: Path, pages: dict[str, Page], built_site: Path) -> None:
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    html = pages[f"{path.stem}.html"].path.read_text("utf-8")
    assert html.count("<img ") == len(drawn)
    assert html.count('alt=""') == 0
    assert html.count("<details>") == sum(not output.data["text/plain"].startswith("<") for output in drawn)


def test_chapters_follow_one_another(pages: dict[str, Page]) -> None:
    names = [f"{path.stem}.html" for path in NOTEBOOKS]
    for number, name in enumerate(names):
        turn = pages[name].path.read_text("utf-8").split("<footer>")[1]
        assert (f'rel="prev" href="{names[number - 1]}"' in turn) == (number > 0)
        assert (f'rel="next" href="{names[(number + 1) % len(names)]}"' in turn) == (number + 1 < len(names))


def test_the_index_tells_how_each_chapter_begins(pages: dict[str, Page]) -> None:
    words = re.sub(r"\s+", " ", pages["index.html"].words)
    for path in NOTEBOOKS:
        head = site.HEAD.match(nbformat.read(path, 4).cells[0].source)
        assert head["title"] in words
        assert re.split(r"[*$\[]", head["opening"])[0].strip() in words
        assert f"{path.stem}.html" in pages["index.html"].links


def test_a_chapter_says_what_its_notebook_says(notebook: nbformat.NotebookNode, tmp_path: Path) -> None:
    text = "## Twice\n\n## Twice\n\n[other](02_m.ipynb#there) ![far](https://x.org/p.png)\n\n|a|b|\n|-|-|\n|1|$x$|"
    frame = '<style scoped>th {}</style><table border="1"><tr style="text-align: right;"><th></th></tr></table>'
    picture = new_output("display_data", {"image/png": PIXEL, "text/plain": "First & last.\nMore."})
    table = new_output("execute_result", {"text/html": frame, "text/plain": "t"})
    notebook.cells += [new_markdown_cell(text), new_code_cell("1 < 2", outputs=[picture, table])]
    made = site.chapter(saved(notebook, tmp_path))
    assert (made.number, made.title, made.chinese) == ("01", "A title", "标题")
    assert (made.facts, made.opening) == (
        "<p>Survey section <em>4</em></p>\n", "<p>It opens so. And goes on.</p>\n",
    )  # fmt: skip
    assert made.sections == [("twice", "Twice"), ("twice-1", "Twice")]
    assert "A title" not in made.cells
    assert 'href="02_m.html#there"' in made.cells
    assert "https://x.org" not in made.cells
    assert "First &amp; last.\nMore." in made.cells
    assert "<style" not in made.cells
    assert "<th></th>" not in made.cells
    assert list(made.pictures) == [made.thumbnail] == ["pictures/01-2-0.png"]


def test_ink_reads_on_every_coloured_cell() -> None:
    table = site.data_table("<style>#a {\n  background-color: #a99f73;\n  color: #f1f1f1;\n}</style>")
    assert "background-color: #a99f73; color: #000000;" in table


def test_latex_becomes_what_a_browser_draws() -> None:
    drawn = site.mathml(r"\arg\max_w \log p", "block")
    assert re.search(r"<munder><mo[^>]*>arg.max</mo><mi>w</mi></munder>", drawn.replace("&#x02009;", " "))
    assert '<mi>log</mi><mspace width="0.167em"/><mi>p</mi>' in drawn
    assert "mspace" not in site.mathml(r"\log(p)", "inline")


@pytest.mark.parametrize(
    ("formula", "reason"), [("x_", "is broken"), (r"\nosuch{x}", r"has a command without MathML, \\nosuch")]
)
def test_a_formula_that_cannot_be_drawn_is_named(
    formula: str, reason: str, notebook: nbformat.NotebookNode, tmp_path: Path
) -> None:
    notebook.cells.append(new_markdown_cell(f"Let ${formula}$ be."))
    with pytest.raises(site.SiteError, match=rf"01_n\.ipynb: the formula .* {reason}"):
        site.chapter(saved(notebook, tmp_path))


def test_what_is_not_a_chapter_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(site.SiteError, match="its first cell is not a title"):
        site.chapter(saved(new_notebook(), tmp_path))
    with pytest.raises(site.SiteError, match="cannot be read"):
        site.chapter(tmp_path / "missing.ipynb")
    (tmp_path / "no.ipynb").write_text("{}")
    with pytest.raises(site.SiteError, match=r"no\.ipynb: it is not a notebook"):
        site.chapter(tmp_path / "no.ipynb")


def test_a_site_replaces_an_earlier_one_and_nothing_else(notebook: nbformat.NotebookNode, tmp_path: Path) -> None:
    out, foreign = tmp_path / "site", tmp_path / "foreign"
    site.build([saved(notebook, tmp_path, "01_old")], out)
    site.build([saved(notebook, tmp_path, "01_new")], out)
    assert sorted(path.name for path in out.iterdir()) == ["01_new.html", "index.html", "site.css"]
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(site.SiteError, match="holds something other than an earlier site"):
        site.build([tmp_path / "01_new.ipynb"], foreign)
    assert (foreign / "thesis.txt").read_text() == "mine"


def test_the_command_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path / "no.ipynb"), "--out", str(tmp_path / "site")])
    with pytest.raises(SystemExit) as end:
        site.main()
    assert str(end.value).startswith("No page was written. ")
    assert not (tmp_path / "site").exists()


def test_git_ignores_where_it_lies() -> None:
    assert "/site/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
