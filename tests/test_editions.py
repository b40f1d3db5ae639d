"""The clean twin has no prose, the instructor's edition no solution; the notebook itself stays as it is."""

import copy
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from xllm_widgets.classroom import exercises

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "notebook_editions.py"
HINTED = 'Stuck? `classroom.hint("00-verdict")` gives a hint, asked again the next one'


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook_editions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


editions = script()


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    fenced = "## Second\n\nProse.\n\n```python\n# no heading\n```\n\n### Third · 第三\nMore prose."
    picture = new_output("display_data", {"image/png": "", "text/plain": "words"})
    cells = [
        new_markdown_cell("# Title\n\nProse of the first cell, with #no heading."),
        new_code_cell("import xllm_widgets as xw\nxw.seed_everything(0)", execution_count=1),
        new_markdown_cell("Only prose."),
        new_markdown_cell(fenced),
        new_code_cell("1 + 1  # a comment", outputs=[picture], execution_count=2),
        new_markdown_cell(f'{HINTED}; `classroom.solution("00-verdict")` ends it. Go on.'),
        new_code_cell('from xllm_widgets import classroom\nclassroom.exercise("00-verdict")', execution_count=3),
        new_code_cell('classroom.solution("00-verdict")', execution_count=4),
        new_code_cell("answer = 42", metadata={"tags": ["solution"]}, execution_count=5),
    ]
    return new_notebook(cells=cells, metadata={"widgets": {}})


def test_the_clean_twin_keeps_headings_and_code_alone(notebook: nbformat.NotebookNode) -> None:
    before = copy.deepcopy(notebook)
    twin = editions.clean(notebook)
    words = [cell.source for cell in twin.cells if cell.cell_type == "markdown"]
    assert words == ["# Title", "## Second\n\n### Third · 第三"]
    code = [cell for cell in twin.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code] == [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert "widgets" not in twin.metadata
    assert notebook == before


def test_the_instructors_edition_offers_and_opens_no_solution(notebook: nbformat.NotebookNode) -> None:
    before = copy.deepcopy(notebook)
    edition = editions.instructor(notebook)
    text = "\n".join(cell.source for cell in edition.cells)
    assert "classroom.solution" not in text
    assert "answer = 42" not in text
    assert f"{HINTED}. Go on." in text
    assert len(edition.cells) == len(notebook.cells) - 2
    assert [len(cell.outputs) for cell in edition.cells if cell.cell_type == "code"] == [0, 1, 0]
    assert notebook == before


def test_in_the_instructors_edition_solutions_stay_closed(
    notebook: nbformat.NotebookNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exercises, "_withheld", [])
    notebook.cells.append(new_code_cell('told = classroom.hint("00-verdict").text'))
    scope: dict = {}
    for cell in editions.instructor(notebook).cells:
        if cell.cell_type == "code":
            exec(cell.source, scope)
    assert scope["told"].startswith("Hint ")
    assert "without solutions" in exercises.solution("00-verdict").text


def test_a_notebook_without_a_setup_cell_gets_one(notebook: nbformat.NotebookNode) -> None:
    notebook.cells = notebook.cells[:1]
    first, title = editions.instructor(notebook).cells
    assert first.source == editions.WITHHOLD
    assert title.source.startswith("# Title")


def test_a_solution_that_cannot_be_cut_out_is_named(notebook: nbformat.NotebookNode, tmp_path: Path) -> None:
    notebook.cells.append(new_markdown_cell("Call solution(name) at the end."))
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(editions.EditionError, match=r"a\.ipynb: a cell still offers a solution.*Call solution\(name\)"):
        editions.make([tmp_path / "a.ipynb"], tmp_path / "out")


def test_the_script_writes_both_or_nothing(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> str:
        """What the script ends with: a sentence on stderr and exit code 1, or nothing."""
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        try:
            editions.main()
        except SystemExit as end:
            return str(end.code)
        return ""

    good, bad, out = tmp_path / "good.ipynb", tmp_path / "bad.ipynb", tmp_path / "out"
    nbformat.write(notebook, good)
    original = good.read_bytes()
    bad.write_text("{}")
    refused = run(good, bad, tmp_path / "missing.ipynb", "--out", out)
    assert refused.startswith(f"No edition was written. {bad}: it is not a notebook")
    assert not out.exists()
    assert "cannot be written" in run(good, "--out", bad)
    assert run(good, "--out", out) == ""
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.ipynb"))
    assert written == ["clean/good.ipynb", "instructor/good.ipynb"]
    assert good.read_bytes() == original


def test_no_edition_takes_the_place_of_a_notebook(notebook: nbformat.NotebookNode, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    path = tmp_path / "clean" / "a.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(editions.EditionError, match="would take a notebook's place"):
        editions.make([path], tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_of_the_course_has_its_editions(path: Path, tmp_path: Path) -> None:
    twin, edition = editions.make([path], tmp_path).values()
    original = nbformat.read(path, 4)
    headings = [line for cell in twin.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    assert all(line.startswith("#") or not line for line in headings)
    assert len(headings) > 5
    assert sum(cell.cell_type == "code" for cell in twin.cells) == sum(c.cell_type == "code" for c in original.cells)
    assert "classroom.solution(" in str(original.cells)
    assert "classroom.solution(" not in str(edition.cells)
    assert sum("withhold_solutions" in cell.source for cell in edition.cells) == 1


def test_git_ignores_where_they_lie() -> None:
    assert "editions/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
