"""Make two editions of each notebook, in a folder that git ignores.

    python scripts/notebook_editions.py notebooks/*.ipynb [--out editions]

editions/clean/       headings and code, no prose and no outputs: do you still know what each cell is for, and what it
                      will show?
editions/instructor/  to be handed out: as published, but no solution can be opened, and none is mentioned.

Nothing is written if one of the notebooks cannot be read, or would still give a solution away.
"""

import argparse
import copy
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

SETUP = "import xllm_widgets as xw"
WITHHOLD = "from xllm_widgets import classroom\nclassroom.withhold_solutions()"
FENCED = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
SOLUTION = r"\b(?<!withhold_)solution\("
# "…; `classroom.solution("01-prompt")` ends it": the clause around a solution that is offered in the text
OFFER = re.compile(r"[;,]?\s*(?:and |or )?`(?:classroom\.)?solution\([^`]*`[^.;]*")


class EditionError(Exception):
    """A notebook that cannot be made into an edition; the text says which, and why."""


def clean(notebook: NotebookNode) -> NotebookNode:
    """The prose-free twin: of each text only its headings, of each code cell only the code."""
    twin = copy.deepcopy(notebook)
    twin.cells = [cell for cell in map(_bare, twin.cells) if cell.source]
    return _finished(twin)


def _bare(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    else:
        cell.source = "\n\n".join(HEADING.findall(FENCED.sub("", cell.source)))
        cell.pop("attachments", None)
    return cell


def instructor(notebook: NotebookNode) -> NotebookNode:
    """The edition without solutions: the setup withholds them, and cells and clauses that open one are gone.

    Cells tagged "solution" go as well. Raises EditionError if a cell still opens one.
    """
    edition = copy.deepcopy(notebook)
    edition.cells = [cell for cell in edition.cells if not _is_solution(cell)]
    for cell in edition.cells:
        if cell.cell_type == "markdown":
            cell.source = OFFER.sub("", cell.source)
    _withhold(edition)
    left = [cell.source for cell in edition.cells if re.search(SOLUTION, cell.source)]
    if left:
        raise EditionError(f"a cell still offers a solution, write it as a clause of its own: {left[0]!r}")
    return _finished(edition)


def _is_solution(cell: NotebookNode) -> bool:
    opens = cell.cell_type == "code" and re.search(SOLUTION, cell.source) is not None
    return opens or "solution" in cell.metadata.get("tags", ())


def _withhold(notebook: NotebookNode) -> None:
    """Into the setup cell; into a cell of its own, at the top, where there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and SETUP in cell.source:
            cell.source = f"{cell.source}\n{WITHHOLD}"
            return
    notebook.cells.insert(0, nbformat.v4.new_code_cell(WITHHOLD))


def _finished(notebook: NotebookNode) -> NotebookNode:
    notebook.metadata.pop("widgets", None)
    nbformat.validate(notebook)
    return notebook


EDITIONS: dict[str, Callable[[NotebookNode], NotebookNode]] = {"clean": clean, "instructor": instructor}


def make(paths: list[Path], out: Path) -> dict[Path, NotebookNode]:
    """The editions of all notebooks, each by its place; nothing is written. Raises EditionError, naming the file."""
    made: dict[Path, NotebookNode] = {}
    for path in paths:
        notebook = _read(path)
        for name, edition in EDITIONS.items():
            target = out / name / path.name
            if target in made or target.resolve() == path.resolve():
                raise EditionError(f"{path}: its {name} edition would take a notebook's place; choose another --out.")
            try:
                made[target] = edition(notebook)
            except EditionError as problem:
                raise EditionError(f"{path}: {problem}") from problem
    return made


def _read(path: Path) -> NotebookNode:
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError as problem:
        raise EditionError(f"{path}: it cannot be read ({problem.strerror}).") from problem
    except Exception as problem:  # nbformat raises whatever the damaged parts lead it to
        raise EditionError(f"{path}: it is not a notebook ({type(problem).__name__}).") from problem
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("editions"), help="the folder for clean/ and instructor/")
    options = parser.parse_args()
    try:
        made = make(options.notebooks, options.out)
    except EditionError as problem:
        sys.exit(f"No edition was written. {problem}")
    try:
        for target, notebook in made.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, target)
            print(f"{target}: {len(notebook.cells)} cells")
    except OSError as problem:
        sys.exit(f"{problem.filename} cannot be written ({problem.strerror}); choose another --out.")


if __name__ == "__main__":
    main()
