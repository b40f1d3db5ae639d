"""The scripts behind the Makefile: setting up, finding a browser, publishing notebooks."""

import importlib.util
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The set-up script, looking at an empty folder with this project's pyproject and locks."""
    module = script("environment")
    for name in ("pyproject.toml", *module.MADE_FROM):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_set_up_ignores_lint_settings_and_heeds_pins(environment: ModuleType) -> None:
    made_from = environment.fingerprint()
    pyproject, lock = environment.ROOT / "pyproject.toml", environment.ROOT / "requirements.lock"
    pyproject.write_text(pyproject.read_text("utf-8").replace("line-length = 120", "line-length = 100"), "utf-8")
    assert environment.fingerprint() == made_from
    lock.write_text(lock.read_text("utf-8").replace("rich==", "rich==99."), "utf-8")
    assert environment.fingerprint() != made_from


def test_set_up_heeds_the_scripts_that_bertviz_draws_with(environment: ModuleType) -> None:
    made_from = environment.fingerprint()
    lock = environment.ROOT / "scripts" / "third_party" / "package-lock.json"
    lock.write_text(lock.read_text("utf-8").replace('"5.16.0"', '"5.15.1"'), "utf-8")
    assert environment.fingerprint() != made_from


def test_cpu_wheels_are_taken_only_where_wanted(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment, "answers", lambda url: True)
    assert environment.torch_options() == ["--extra-index-url", environment.TORCH_CPU_INDEX]
    monkeypatch.setattr(environment, "answers", lambda url: False)
    assert environment.torch_options() == []
    monkeypatch.setattr(environment, "answers", lambda url: True)
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert environment.torch_options() == []
    monkeypatch.setattr(environment.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    assert environment.torch_options() == []


def test_a_silent_index_is_given_up_on(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and never answers must not hold the set-up: the deadline ends the wait, not the server."""
    monkeypatch.setattr(environment.urllib.request, "urlopen", lambda url, timeout: threading.Event().wait())
    assert environment.answers("http://127.0.0.1/", seconds=0.05) is False


def test_nothing_is_done_twice(environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "made-from")
    monkeypatch.setattr(environment, "runs", lambda python: "create" in done)
    for step in ("create", "install"):
        monkeypatch.setattr(environment, step, lambda step=step: done.append(step))
    environment.main()
    assert done == ["create", "install"]
    environment.main()
    assert done == ["create", "install"]
    lock = tmp_path / "requirements.lock"
    lock.write_text(lock.read_text("utf-8") + "another==1.0\n", "utf-8")
    environment.main()
    assert done == ["create", "install", "install"], "changed pins are installed into the environment that is there"


def test_a_failed_installation_is_tried_again(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "made-from")
    monkeypatch.setattr(environment, "runs", lambda python: True)
    monkeypatch.setattr(environment.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1))
    monkeypatch.setattr(environment, "torch_options", list)
    with pytest.raises(SystemExit, match="run the same command again"):
        environment.main()
    assert not environment.is_current()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here: the README gives the plain commands")
def test_make_without_a_recent_python_ends_in_one_sentence(tmp_path: Path) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        old = tmp_path / name
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
    make, path = shutil.which("make"), f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = {"args": [make, "environment"], "cwd": ROOT, "env": {"PATH": path}}
    done = subprocess.run(**command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here: the README gives the plain commands")
def test_make_lab_serves_the_repository_and_hands_arguments_on() -> None:
    command = ["make", "-n", "lab", "LAB_ARGS=--no-browser --port=1"]
    apart = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # `make test` runs this
    recipe = subprocess.run(command, cwd=ROOT, env=apart, capture_output=True, text=True, check=True).stdout
    assert f'--ServerApp.root_dir="{ROOT}"' in recipe
    assert recipe.rstrip().endswith("--no-browser --port=1")


def test_a_browser_that_is_there_is_left_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    module = script("install_browser")
    monkeypatch.setattr(module, "find_browser", lambda: Path("/usr/bin/chromium"))
    monkeypatch.setattr(module, "install", lambda: pytest.fail("installed in vain"))
    module.main()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("apt", "root", "reason"),
    [(None, True, "no apt-get to install one"), ("/usr/bin/apt-get", False, "only root can install one")],
)
def test_where_no_browser_can_be_installed_the_reason_is_one_line(
    apt: str | None, root: bool, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    module = script("install_browser")
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(module, "find_browser", lambda: None)
    monkeypatch.setattr(module.shutil, "which", lambda name: apt)
    monkeypatch.setattr(module.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    module.main()
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert reason in told


def test_aptitude_fails_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("install_browser")
    refused = subprocess.CompletedProcess([], 100, stdout="", stderr="noise\nE: no network\n")
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: refused)
    assert module.install() == "apt-get update failed: E: no network"


def test_published_notebooks_keep_pictures_and_lose_live_views() -> None:
    module = script("publish_notebooks")
    live = {module.LIVE_VIEW: {"model_id": "1"}}
    pictured = nbformat.v4.new_output("display_data", data={**live, "image/png": "", "text/plain": "words"})
    bare = nbformat.v4.new_output("display_data", data={**live, "text/plain": "words"})
    metadata = {"execution": {"shell.execute_reply": "2026-11-21"}, "tags": ["a"]}
    cell = nbformat.v4.new_code_cell("1", outputs=[pictured, bare], metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    assert module.make_readable(notebook) == 1
    assert "widgets" not in notebook.metadata
    assert notebook.cells[0].metadata == {"tags": ["a"]}
    assert [sorted(output.data) for output in cell.outputs] == [["image/png", "text/plain"], ["text/plain"]]


@pytest.mark.notebook
def test_a_notebook_is_run_before_it_is_published_and_kept_if_it_fails(tmp_path: Path) -> None:
    module = script("publish_notebooks")
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")]), path)
    assert module.publish(path, timeout=60) == 0
    assert nbformat.read(path, 4).cells[0].outputs[0].text == "42\n"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    before = path.read_text("utf-8")
    with pytest.raises(module.CellExecutionError):
        module.publish(path, timeout=60)
    assert path.read_text("utf-8") == before


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script that makes the bundled models, with a model that is there, and a run of it that can be published."""
    module = script("train_family")
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(module, "models_dir", lambda: tmp_path / "models")
    for place, said in (("models", "old"), ("runs", "new")):
        (tmp_path / place / "pebble-0.1m").mkdir(parents=True)
        (tmp_path / place / "pebble-0.1m" / "config.json").write_text(said)
    for left_out in ("state.new", "checkpoints/1M", "checkpoints/2M"):
        (tmp_path / "runs" / "pebble-0.1m" / left_out).mkdir(parents=True)
    return module


def published(place: Path) -> tuple[str, list[str]]:
    """What stands in the place of the models: which one it is, and every file and folder there."""
    return (place / "pebble-0.1m" / "config.json").read_text(), sorted(
        str(path.relative_to(place)) for path in place.rglob("*")
    )


def test_a_run_that_was_not_finished_is_not_published(
    family: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def run(arguments: list[str], **how: bool) -> object:
        return command(arguments, **how) if arguments[0] == "train" else pytest.fail("examined")

    command = family.app
    monkeypatch.setattr(family, "app", run)
    monkeypatch.setattr(family.training, "estimate_seconds", lambda *_, **__: 1.0)
    monkeypatch.setattr(family.training, "train", interrupted)
    with pytest.raises(SystemExit, match="130"):
        family.educate(family.training.Plan("0.1m"))
    with pytest.raises(SystemExit, match="2"):
        family.xllm("train", "--size", "9m")
    assert published(tmp_path / "models") == ("old", ["pebble-0.1m", "pebble-0.1m/config.json"])


def test_a_finished_run_takes_the_place_of_the_model_before_and_is_examined(
    family: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(family, "CHECKPOINTS", {"pebble-0.1m": (2_000_000,)})
    monkeypatch.setattr(family, "app", lambda arguments, **_: ran.append(arguments[0]))
    family.educate(family.training.Plan("0.1m"))
    files = ["", "/checkpoints", "/checkpoints/2M", "/config.json"]
    assert published(tmp_path / "models") == ("new", [f"pebble-0.1m{file}" for file in files])
    assert ran == ["train", "exam"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "runs"]


def test_a_model_stays_whole_while_its_successor_is_copied(family: ModuleType, tmp_path: Path) -> None:
    home = tmp_path / "models" / "pebble-0.1m"
    with pytest.raises(FileNotFoundError):
        family.publish(tmp_path / "runs" / "pebble-0.1m", home, ["9M"])
    assert published(tmp_path / "models") == ("old", ["pebble-0.1m", "pebble-0.1m/config.json"])
    family.publish(tmp_path / "runs" / "pebble-0.1m", home)
    assert published(tmp_path / "models")[0] == "new"


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script that fetches d3 and jQuery, with an empty place to put them."""
    module = script("third_party_scripts")
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "third_party")
    monkeypatch.setattr(module, "STAMP", tmp_path / "third_party" / "made-from")
    return module


def hook(module: ModuleType) -> object:
    return module.ScriptsHook(str(ROOT), {}, None, None, "", "wheel")


def test_the_scripts_come_out_of_locked_npm_packages(third_party: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm is asked in a folder that holds the lock, for what the lock says alone (`ci`), and may run nothing of it."""

    def npm(command: list[str], cwd: str, **_: object) -> subprocess.CompletedProcess:
        assert command[1:3] == ["ci", "--ignore-scripts"]
        lock = json.loads(Path(cwd, "package-lock.json").read_text("utf-8"))
        assert all(entry["integrity"].startswith("sha512-") for name, entry in lock["packages"].items() if name)
        for source in third_party.FILES:
            file = Path(cwd, "node_modules", source)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(third_party.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(third_party.subprocess, "run", npm)
    assert not third_party.are_current()
    hook(third_party).initialize("standard", {})
    assert third_party.are_current()
    assert (third_party.SHIPPED / "d3.min.js").read_text() == "d3/dist/d3.min.js"
    third_party.STAMP.write_text("another lock")
    assert not third_party.are_current()


def test_a_wheel_without_the_scripts_is_not_built_and_a_checkout_goes_on(
    third_party: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "npm error EINTEGRITY")
    monkeypatch.setattr(third_party.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(third_party.subprocess, "run", lambda *a, **k: refused)
    with pytest.raises(third_party.ScriptsMissing, match="could not fetch d3 and jQuery: npm error EINTEGRITY"):
        hook(third_party).initialize("standard", {})
    hook(third_party).initialize("editable", {})
    assert not third_party.are_current()


def test_npm_itself_comes_from_pypi_where_there_is_none(
    third_party: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(third_party.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert hook(third_party).dependencies() == []
    monkeypatch.setattr(third_party.shutil, "which", lambda name: None)
    assert hook(third_party).dependencies() == [third_party.NPM_FROM_PYPI]
    with pytest.raises(third_party.ScriptsMissing, match="install Node"):
        third_party.fetch()
