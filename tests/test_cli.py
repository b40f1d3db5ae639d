"""The command line says what it found, in words; a mistake is one sentence on stderr and exit code 2."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xllm_widgets import cli, doctor
from xllm_widgets.classroom import Journal
from xllm_widgets.errors import XllmError
from xllm_widgets.models import catalogue

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "out", cli.Console(highlight=False, width=240))
    monkeypatch.setattr(cli, "err", cli.Console(stderr=True, highlight=False, width=240))


def run(*arguments: str):
    return CliRunner().invoke(cli.app, list(arguments))


def write_model(models: Path, name: str, **recipe: object) -> Path:
    folder = models / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\0" * 500_000)
    if recipe:
        (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_models_lists_what_each_was_taught(models: Path) -> None:
    write_model(models, "pebble-1m", parameters=1_066_112, tokens_seen=16_000_000, seed=0, recipe="base")
    twin = write_model(models, "pebble-0.3m-noflip", parameters=290_000, tokens_seen=8_000_000, seed=3, recipe="noflip")
    (twin / "checkpoints" / "2M").mkdir(parents=True)
    (twin / "checkpoints" / "2M" / "config.json").write_text("{}")
    result = run("models")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["model", "size", "read", "ages", "MB"]
    assert ["pebble-0.3m-noflip", "0.29M", "8M", "1", "0.5"] in rows
    assert ["pebble-1m", "1.07M", "16M", "–", "0.5"] in rows


def test_models_says_whole_names_in_a_narrow_terminal(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(models, "pebble-0.3m-repeated-1000-seed1", parameters=381_376, tokens_seen=8_000_000)
    found = {
        key: {"estimate": 0.5} for key in ("facts/head", "verdicts", "problems-worked/steps=3", "few-shot/flipped")
    }
    (folder / "exam.json").write_text(json.dumps(found), "utf-8")
    monkeypatch.setattr(cli, "out", cli.Console(highlight=False, width=80))
    lines = run("models").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert any(line.startswith("pebble-0.3m-repeated-1000-seed1 ") and line.count("50%") == 4 for line in lines)


def test_models_shows_a_dash_for_what_nobody_wrote_down(models: Path) -> None:
    write_model(models, "pebble-1m")
    assert re.search(r"pebble-1m\s+–\s+–\s+–", run("models").stdout)


def test_no_models_is_one_sentence(models: Path) -> None:
    result = run("models")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "No bundled models" in result.stderr


def test_an_error_for_people_shows_no_traceback_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise XllmError("Label [bold]x[/bold] is empty; write a word.")

    monkeypatch.setattr(catalogue, "bundled_models", fail)
    result = run("models")
    assert result.exit_code == 2
    assert result.stderr == "Label [bold]x[/bold] is empty; write a word.\n"


def test_doctor_reports_versions_models_browser_and_hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    write_model(models, "pebble-1m")
    monkeypatch.setattr(doctor, "find_browser", lambda: Path("/somewhere/chromium"))
    result = run("doctor")
    assert result.exit_code == 0
    for expected in (torch.__version__, "1: pebble-1m", "/somewhere/chromium", "HF_HUB_OFFLINE is set", "threads"):
        assert expected in result.stdout
    assert "Nothing the course needs is missing." in result.stdout


def test_doctor_is_useful_without_torch() -> None:
    program = """
import sys
sys.modules["torch"] = None
from importlib import metadata
really = metadata.version
def version(name):
    if name == "torch":
        raise metadata.PackageNotFoundError(name)
    return really(name)
metadata.version = version
sys.argv = ["xllm", "doctor"]
from xllm_widgets.cli import app
app()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"✗\s+torch\s+missing\s+pip install torch", done.stdout)
    assert "Missing: torch" in done.stdout


def test_doctor_says_what_to_do_where_the_hub_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setattr(doctor, "reaches", lambda url: False)
    assert "does not answer; bundled and cached models work without it" in run("doctor").stdout


def test_a_named_browser_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    assert doctor.find_browser() is None
    browser = tmp_path / "chromium"
    browser.write_text("")
    monkeypatch.setenv("CHROMIUM", str(browser))
    assert doctor.find_browser() == browser


def test_ubuntus_doorway_to_a_missing_snap_is_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\nif ! [ -x /snap/bin/chromium ]; then exit 1; fi\n")
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "INSTALLED_APPS", ())
    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(stub) if name == "chromium-browser" else None)
    assert doctor.find_browser() is None


def test_train_educates_a_model_that_transformers_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = run("train", "--size", "0.1m", "--tokens", "8192", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert re.search(r"pebble-0.1m: 0.008192M tokens in 2 steps, about \d+ s here", result.stdout)
    card = json.loads((tmp_path / "pebble-0.1m" / "recipe.json").read_text())
    assert card["tokens_seen"] == 8192
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "pebble-0.1m")
    assert sum(p.numel() for p in model.parameters()) == card["parameters"]


def test_ctrl_c_in_training_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xllm_widgets.microworld import training

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "estimate_seconds", lambda plan, device, done: 74.0)
    monkeypatch.setattr(training, "train", interrupted)
    result = run("train", "--size", "0.1m", "--out", str(tmp_path))
    assert result.exit_code == 130
    assert "the same command goes on" in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_a_run_taken_up_again_is_told_the_time_of_the_steps_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xllm_widgets.microworld import training

    plan = training.make_plan("0.1m", "base", 0, 100 * training.TOKENS_A_STEP)
    stopped = training.Run(plan, tmp_path / plan.name)
    stopped.step = 60
    stopped.save_state()
    asked: list[int] = []
    monkeypatch.setattr(training, "estimate_seconds", lambda plan, device, done: asked.append(done) or 74.0)
    monkeypatch.setattr(training, "train", lambda *_, **__: tmp_path)
    result = run("train", "--size", "0.1m", "--tokens", str(plan.tokens), "--out", str(tmp_path))
    assert asked == [60]
    assert "in 100 steps, 60 of them done, about 74 s more here." in result.stdout


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--device", "foo", "This machine has no device 'foo'; leave it out, or use \"cpu\"."),
        ("--device", "cuda:99", "This machine has no device 'cuda:99'; leave it out, or use \"cpu\"."),
        ("--tokens", "0", "A model cannot read 0 tokens; ask for 1 or more, or leave it out for 20,000,000."),
        ("--tokens", "-5", "A model cannot read -5 tokens; ask for 1 or more, or leave it out for 20,000,000."),
    ],
)
def test_what_no_model_can_be_trained_with_is_one_sentence(
    option: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xllm_widgets.microworld import training

    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained"))
    result = run("train", "--size", "0.1m", option, value, "--out", str(tmp_path))
    assert (result.exit_code, result.stderr.strip()) == (2, said)


def test_an_unknown_size_names_the_sizes() -> None:
    result = run("train", "--size", "9m")
    assert result.exit_code == 2
    assert "0.1m, 0.3m, 1m, 3m" in result.stderr


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "1 s"), (74, "74 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_told_roughly(seconds: float, said: str) -> None:
    assert cli.duration(seconds) == said


def test_a_console_without_unicode_is_served_too() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", "from xllm_widgets.cli import app; app()", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Python" in done.stdout


def test_version() -> None:
    from xllm_widgets import __version__

    assert run("--version").stdout == f"xllm-widgets {__version__}\n"


@pytest.fixture
def ada(tmp_path: Path) -> Journal:
    journal = Journal("Ada", tmp_path / "journal")
    journal.add("prediction", card="1", question="[red]:heart:[/red]", prediction=1.0, confidence=0.8)
    journal.add("outcome", card="1", outcome=1.0, correct=True)
    return journal


def test_journal_show_tells_the_score(ada: Journal) -> None:
    result = run("journal", "show", "--student", "Ada", "--folder", str(ada.path.parent))
    assert result.exit_code == 0
    assert "1 prediction, 1 outcome." in result.stdout
    assert "Brier score 0.04, n = 1" in result.stdout
    assert re.search(r"80% sure\s+1\s+100%\s+21% to 100%", result.stdout)


def test_journal_show_before_there_is_one(tmp_path: Path) -> None:
    result = run("journal", "show", "--student", "Ada", "--folder", str(tmp_path / "none"))
    assert result.exit_code == 0
    assert "Nothing yet" in result.stdout
    assert not (tmp_path / "none").exists()


def test_journal_lies_where_the_setting_says(ada: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLLM_JOURNAL", str(ada.path.parent))
    assert "1 prediction" in run("journal", "show", "--student", "Ada").stdout


def test_journal_export_writes_a_page(ada: Journal, tmp_path: Path) -> None:
    where = ("--student", "Ada", "--folder", str(ada.path.parent))
    result = run("journal", "export", str(tmp_path / "page.html"), *where)
    assert result.exit_code == 0
    assert "[red]:heart:[/red]" in (tmp_path / "page.html").read_text("utf-8")
    refused = run("journal", "export", str(tmp_path / "nowhere" / "page.html"), *where)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


def test_journal_merge_names_what_it_skips(ada: Journal, tmp_path: Path) -> None:
    broken = tmp_path / ":heart: [red].json"
    broken.write_text("{")
    table = tmp_path / "table.csv"
    result = run("journal", "merge", str(ada.path), str(broken), "--out", str(table))
    assert result.exit_code == 0
    assert result.stderr == f"{broken} was skipped: {broken.name} is damaged: it is not the JSON of a journal.\n"
    assert result.stdout == f"{table}: 1 student, 1 row\n"
    assert table.read_text("utf-8-sig").count("\n") == 2


def test_a_students_text_does_not_steer_the_terminal(tmp_path: Path) -> None:
    entry = {"id": "1", "at": "", "kind": "\x1b[31m"}
    (tmp_path / "Ada.json").write_text(json.dumps({"version": 1, "student": "Ada", "entries": [entry]}))
    result = run("journal", "show", "--student", "Ada", "--folder", str(tmp_path))
    assert "damaged in entry 1" in result.stdout
    assert "\x1b" not in result.stdout
