"""Every notebook has the bones of a chapter and can be read anywhere: checked on the committed file, nothing is run."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

from xllm_widgets.classroom.chapters import EXERCISES

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST, MEDIAN = 15, 6  # lines of code in a cell
WIDEST = 92  # characters of a line that a saved page shows
FIRST_PICTURE = 2  # code cells, the setup included, until a picture shows
DRAWN = {"image/png", "image/svg+xml"}
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def words(path: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")


def outputs(path: Path) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(path) for output in cell.outputs]


def test_it_is_a_valid_notebook_without_the_state_of_widgets(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    live = [kind for output in outputs(path) for kind in output.get("data", {}) if "widget" in kind]
    assert live == []


def test_it_was_run_from_top_to_bottom(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


def test_nothing_failed_and_nothing_was_grumbled(path: Path) -> None:
    """A reader sees no traceback and no warning of a library."""
    wrong = [o for o in outputs(path) if o.output_type == "error" or o.get("name") == "stderr"]
    assert wrong == []


def test_every_view_kept_its_picture(path: Path) -> None:
    """Where widgets do not run, a view is a picture with words beside it, never words alone."""
    said = {output.data["text/plain"]: set(output.data) for output in outputs(path) if "data" in output}
    assert [text for text in said if re.match(r"\w+\((children|value|layout)=", text)] == []
    pictures = [kinds for text, kinds in said.items() if DRAWN & kinds]
    assert len(pictures) >= 4


def test_the_badge_opens_this_very_notebook(path: Path) -> None:
    badge = re.search(rf"\[!\[[^]]*\]\({re.escape(BADGE)}\)\]\(([^)]+)\)", words(path))
    assert badge is not None
    assert badge[1].endswith(f"/blob/main/notebooks/{path.name}")


def test_the_first_cell_sets_up_and_seeds(path: Path) -> None:
    lines = code_cells(path)[0].source.splitlines()
    assert "import xllm_widgets as xw" in lines
    assert any(line.startswith("xw.seed_everything(") for line in lines)
    (install,) = [number for number, line in enumerate(lines) if "%pip" in line]
    assert lines[install].startswith("    %pip install -q xllm-widgets")
    assert 'if "google.colab" in sys.modules:' in lines[:install]
    code = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"install .*[=<>~]=", code), "pins belong to the package, or the notebook rots"


def test_a_picture_shows_before_any_model_is_loaded(path: Path) -> None:
    first = code_cells(path)[:FIRST_PICTURE]
    assert any(DRAWN & set(output.get("data", {})) for cell in first for output in cell.outputs)
    assert not any("load(" in cell.source for cell in first)


def test_cells_are_short(path: Path) -> None:
    sizes = {cell.id: len([line for line in cell.source.splitlines() if line.strip()]) for cell in code_cells(path)}
    assert statistics.median(sizes.values()) <= MEDIAN
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


def test_lines_fit_the_page(path: Path) -> None:
    """A longer line is cut off in a saved page, and scrolls in the Lab beside an open side bar."""
    long = [line for cell in code_cells(path) for line in cell.source.splitlines() if len(line) > WIDEST]
    assert long == []


def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", words(path))
    local = [target for target in targets if not target.startswith(("https://", "#"))]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_every_exercise_of_the_chapter_is_set_and_checked(path: Path) -> None:
    number, code = path.stem[:2], "\n".join(cell.source for cell in code_cells(path))
    own = [exercise for name, exercise in EXERCISES.items() if name.startswith(f"{number}-")]
    for exercise in own:
        assert f'exercise("{exercise.name}")' in code
        assert f'check("{exercise.name}", ' in code
    assert any(exercise.options for exercise in own), "one exercise needs no code"
    assert len(own) >= (2 if number == "00" else 4)


def test_no_answer_is_given_away(path: Path) -> None:
    """Run All must not open a hint or a solution."""
    for cell in code_cells(path):
        assert not re.search(r"^\s*(classroom\.)?(hint|solution)\(", cell.source, re.MULTILINE), cell.id


def test_it_speaks_both_languages(path: Path) -> None:
    title = words(path).splitlines()[0]
    assert title.startswith("# ")
    assert re.search(r"[一-鿿]", title)
