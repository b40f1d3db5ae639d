"""The package can be had in one piece, pins agree with each other, and importing it costs next to nothing."""

import email
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# What Colab's Python 3.13 runtime has installed: googlecolab/backend-info, pip-freeze.txt of 2026-08-19.
COLAB = {
    "anywidget": "0.9.21", "ipywidgets": "7.7.1", "joblib": "1.5.3", "matplotlib": "3.10.0", "numpy": "2.1.3",
    "pandas": "2.2.3", "peft": "0.20.0", "rich": "13.9.4", "safetensors": "0.8.0", "scikit-learn": "1.6.1",
    "scipy": "1.16.3", "seaborn": "0.13.2", "tokenizers": "0.22.2", "torch": "2.11.0", "tqdm": "4.67.3",
    "traitlets": "5.7.1", "transformers": "5.15.0", "typer": "0.27.1",
}  # fmt: skip
NOT_ON_COLAB = {"bertviz"}


def requirements(*extras: str) -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def locked() -> dict[str, Version]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in pins), "the lock pins exact versions"
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names)), "a name is pinned twice"
    return {canonicalize_name(pin.name): Version(str(pin.specifier)[2:]) for pin in pins}


def test_lock_pins_every_requirement_within_its_bounds() -> None:
    pins = locked()
    for requirement in requirements("lab", "test"):
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in requirements.lock"
        assert pinned in requirement.specifier, f"{requirement} does not admit the locked {pinned}"


def test_every_requirement_has_a_lower_bound() -> None:
    for requirement in requirements("lab", "test"):
        assert any(bound.operator == ">=" for bound in requirement.specifier), str(requirement)


def test_lock_is_what_is_installed_here() -> None:
    from importlib.metadata import version

    pins = locked()
    apart = {
        requirement.name: version(requirement.name)
        for requirement in requirements("lab", "test")
        if Version(version(requirement.name)).public != pins[canonicalize_name(requirement.name)].public
    }
    assert apart == {}, "tests passed with other versions than the lock names"


def test_environment_yml_uses_the_lock_and_an_admitted_python() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    (python,) = [entry.split("=", 1)[1] for entry in conda if entry.startswith("python=")]
    assert Version(python) in Requirement(f"python{PROJECT['requires-python']}").specifier
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]
    assert "-c requirements.lock" in pip
    extras = re.search(r"^-e \.\[(.+)\]$", "\n".join(pip), re.MULTILINE)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    # Everything else comes through the package, so that no version is written down twice.
    assert {entry.split("=")[0] for entry in conda} == {"python", "pip"}


def test_the_wheel_upgrades_nothing_on_colab() -> None:
    for requirement in requirements():
        if requirement.name in NOT_ON_COLAB:
            continue
        assert Version(COLAB[requirement.name]) in requirement.specifier, f"{requirement} would replace Colab's own"


def test_the_older_widgets_under_test_are_colabs() -> None:
    lines = (ROOT / "tests" / "older_widgets.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: version for name, version in pins.items() if name in COLAB} == {
        name: COLAB[name] for name in ("anywidget", "ipywidgets")
    }


def test_wheel_carries_package_models_facts_and_notebooks(built_wheel: Path) -> None:
    with zipfile.ZipFile(built_wheel) as wheel:
        names = wheel.namelist()
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "xllm_widgets", "data", "notebooks"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = {f"xllm_widgets/{name.removeprefix('xllm_widgets/')}" for name in tracked.stdout.splitlines()}
    assert expected <= set(names)
    assert any(name.endswith("pebble-3m/model.safetensors") for name in names)
    assert "xllm_widgets/notebooks/00_start_here.ipynb" in names
    bertviz_needs = ["d3.min.js", "d3.LICENSE", "jquery.min.js", "jquery.LICENSE"]
    assert {f"xllm_widgets/widgets/third_party/{name}" for name in bertviz_needs} <= set(names)
    stray = [name for name in names if re.search(r"__pycache__|\.ipynb_checkpoints|\.pyc$|\.log$", name)]
    assert stray == []


def test_third_party_scripts_are_locked_and_never_committed() -> None:
    command = ["git", "ls-files", "*.min.js", "node_modules", "xllm_widgets/widgets/third_party"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""
    lock = json.loads((ROOT / "scripts" / "third_party" / "package-lock.json").read_text("utf-8"))
    asked = json.loads((ROOT / "scripts" / "third_party" / "package.json").read_text("utf-8"))["dependencies"]
    locked = {name.removeprefix("node_modules/"): entry for name, entry in lock["packages"].items() if name}
    assert {name: locked[name]["version"] for name in asked} == asked
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())


def test_wheel_is_small_enough_to_hand_around(built_wheel: Path) -> None:
    assert built_wheel.stat().st_size < 60e6


def test_wheel_metadata(built_wheel: Path) -> None:
    with zipfile.ZipFile(built_wheel) as wheel:
        (info,) = [name.split("/")[0] for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
        licence = wheel.read(f"{info}/licenses/LICENSE").decode()
    assert metadata["Name"] == "xllm-widgets"
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra", [])) == {"lab", "test"}
    assert "xllm = xllm_widgets.cli:app" in entry_points
    assert licence.startswith("MIT License")


FROM_THE_WHEEL = """
import json
from xllm_widgets import microworld, models, paths
world = microworld.World.default()
print(json.dumps([str(paths.data_dir()), str(paths.notebooks_dir()), models.bundled_models()]))
"""


def test_an_installed_wheel_needs_nothing_of_the_checkout(installed_wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed_wheel)}
    command = [sys.executable, "-c", FROM_THE_WHEEL]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    data, notebooks, models = json.loads(done.stdout)
    assert Path(data) == installed_wheel / "xllm_widgets" / "data"
    assert (Path(notebooks) / "00_start_here.ipynb").is_file()
    shipped = {path.parent.name for path in (ROOT / "data" / "models").glob("*/model.safetensors")}
    assert {"pebble-0.1m", "pebble-0.3m", "pebble-1m", "pebble-3m"} <= set(models) == shipped


PROBE = """
import json, sys
before = set(sys.modules)
import xllm_widgets
after = set(sys.modules) - before
print(json.dumps({"new": sorted(after), "face": dir(xllm_widgets), "all": xllm_widgets.__all__}))
"""


@pytest.fixture(scope="module")
def bare_import() -> dict[str, list[str]]:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def test_import_loads_nothing_heavy(bare_import: dict[str, list[str]]) -> None:
    heavy = {"torch", "transformers", "pandas", "numpy", "scipy", "matplotlib", "ipywidgets", "anywidget", "typer"}
    assert heavy & {name.split(".")[0] for name in bare_import["new"]} == set()
    assert len(bare_import["new"]) < 20, bare_import["new"]


def test_face_lists_its_names_before_any_is_used(bare_import: dict[str, list[str]]) -> None:
    assert set(bare_import["all"]) <= set(bare_import["face"])


def test_every_name_of_the_face_is_there() -> None:
    import xllm_widgets

    for name in xllm_widgets.__all__:
        assert getattr(xllm_widgets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        xllm_widgets.nonsense  # noqa: B018


def test_type_checkers_see_the_same_face() -> None:
    import ast

    import xllm_widgets

    tree = ast.parse(Path(xllm_widgets.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {line.names[0].name: line.module for line in block.body if isinstance(line, ast.ImportFrom)}
    assert seen == {name: f"xllm_widgets.{home}" for name, home in xllm_widgets._HOME.items()}


@pytest.mark.parametrize("first", ["xw.studies", "xw.flipped_labels", "import_module('xllm_widgets.studies.registry')"])
def test_studies_is_a_function_and_a_package_whatever_came_first(first: str) -> None:
    program = f"""
import xllm_widgets as xw
from importlib import import_module
{first}
import xllm_widgets.studies.registry as registry
assert xw.studies().equals(registry.studies()) and xw.studies.registry is registry
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
