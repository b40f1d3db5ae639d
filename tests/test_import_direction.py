"""Imports run one way through the house, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "xllm_widgets"
HEAVY = {"torch", "transformers", "pandas", "matplotlib"}
TORCH = {"torch", "transformers"}
# What each part must never import, at module level or inside a function.
NEVER = {
    "models": {"methods", "studies", "exam", "widgets", "classroom", "lab", "cli"},
    "methods": {"studies", "exam", "widgets", "classroom", "lab", "cli"},
    "widgets": {"models", "methods", "studies", "exam", "classroom", "lab", "cli", "microworld", *TORCH},
    "microworld": {"methods", "studies", "exam", "widgets", "classroom", "lab", "cli"},
    "studies": {"exam", "classroom", "lab", "cli"},
    "exam": {"widgets", "classroom", "lab", "cli"},
    "classroom": {"exam", "lab", "cli"},
}
# The verb `lm.attribute` lives on the model and hands over to the methods when it is called.
ALLOWED = {("models/language_model.py", "methods")}


def imports(file: Path, *, only_at_module_level: bool = False) -> set[str]:
    """First-level names a file imports: parts of the package by their own name, other libraries by theirs."""
    tree = ast.parse(file.read_text("utf-8"))
    nodes = _outside_functions(tree) if only_at_module_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {_part(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= _from(node, file)
    return found


def _from(node: ast.ImportFrom, file: Path) -> set[str]:
    names = node.module.split(".") if node.module else []
    if node.level:
        here = ["xllm_widgets", *file.relative_to(PACKAGE).parts[:-1]]
        names = here[: len(here) - node.level + 1] + names
    if names == ["xllm_widgets"]:
        return {alias.name for alias in node.names}
    return {_part(names)}


def _part(names: list[str]) -> str:
    return names[1] if names[0] == "xllm_widgets" and len(names) > 1 else names[0]


def _outside_functions(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run on import; those for type checkers alone do not."""
    todo, found = list(tree.body), []
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or "TYPE_CHECKING" in ast.dump(
            getattr(node, "test", ast.Pass())
        ):
            continue
        found.append(node)
        todo += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.ExceptHandler)]
    return found


@pytest.mark.parametrize("part", NEVER)
def test_no_part_reaches_back(part: str) -> None:
    files = sorted((PACKAGE / part).rglob("*.py"))
    assert files
    for file in files:
        name = file.relative_to(PACKAGE).as_posix()
        wrong = {other for other in imports(file) & NEVER[part] if (name, other) not in ALLOWED}
        assert not wrong, f"{name} imports {sorted(wrong)}"


def test_the_one_exception_is_made_inside_a_function() -> None:
    for name, part in ALLOWED:
        assert part in imports(PACKAGE / name), "the exception is no longer needed; remove it"
        assert part not in imports(PACKAGE / name, only_at_module_level=True)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return done.stdout


def test_the_corpus_reads_the_world_when_it_is_asked_to() -> None:
    """Reading the tables of the world takes longer than importing everything that writes documents."""
    code = """
from xllm_widgets.microworld import corpus, world
read = [world.World.default.cache_info().currsize]
for name in ("base", "deleted"):
    assert name in list(corpus.RECIPES) and corpus.RECIPES[name] is corpus.Recipe.named(name)
    read.append(world.World.default.cache_info().currsize)
print(*read)
"""
    assert run(code).split() == ["0", "0", "1"]


def test_the_first_load_brings_in_nothing_but_the_models() -> None:
    """What loading costs beyond transformers' own loading is counted in modules: seconds depend on the day."""
    code = """
import sys, transformers
from xllm_widgets.paths import models_dir
folder = min(path for path in models_dir().iterdir() if path.is_dir())
transformers.AutoModelForCausalLM.from_pretrained(folder)
transformers.AutoTokenizer.from_pretrained(folder)
before = set(sys.modules)
import xllm_widgets
xllm_widgets.load(folder)
print(*sorted(set(sys.modules) - before))
"""
    new = run(code).split()
    assert {name.split(".")[0] for name in new} == {"xllm_widgets"}, new
    parts = {name.split(".")[1] for name in new if name.count(".")}
    assert parts == {"models", "errors"}, new


def test_no_circles_between_modules() -> None:
    graph = {
        file.relative_to(PACKAGE).with_suffix("").as_posix(): _modules(file) for file in PACKAGE.rglob("*.py")
    }  # fmt: skip
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for other in graph.get(name, set()):
            visit(other, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def _modules(file: Path) -> set[str]:
    """Modules of the package that a file imports while it is itself being imported."""
    found: set[str] = set()
    for node in _outside_functions(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = file.parent
            for _ in range(node.level - 1):
                folder = folder.parent
            base = folder.joinpath(*(node.module or "").split("."))
            for path in [base, *(base / alias.name for alias in node.names)]:
                if path.with_suffix(".py").is_file():
                    found.add(path.relative_to(PACKAGE).as_posix())
    return found


@pytest.mark.parametrize(
    "module", ["xllm_widgets", "xllm_widgets.models", "xllm_widgets.models.catalogue", "xllm_widgets.widgets"]
)
def test_what_is_light_stays_light(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.split() == []
