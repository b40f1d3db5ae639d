"""Claims are planned from the registry, measured with a cost told first, and told in words and in JSON."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from xllm_widgets import claims, cli, paths
from xllm_widgets.errors import XllmError
from xllm_widgets.studies import progress
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.widgets import ClaimCards

FIELDS = "study section paper model statement estimate low high n seeds threshold control verdict".split()


def evidence(study: str = "ladder", section: str = "4.1.1", **changes: object) -> Evidence:
    fields = {
        "study": study, "section": section, "paper": "Wei, 2023b", "model": "pebble-1m", "statement": "It [flips]",
        "estimate": 0.5, "low": 0.4, "high": 0.6, "n": 500, "seeds": 3, "threshold": 0.9, "control": 0.1,
        "verdict": "not shown",
    }  # fmt: skip
    table = pd.DataFrame(
        {"model": ["pebble-1m"] * 4, "flipped": [0, 1, 0, 1], "against": ["gold", "gold", "flipped", "flipped"],
         "accuracy": [0.98, 0.21, 0.02, 0.79]}
    )  # fmt: skip
    claim = Claim(**{**fields, **changes})  # type: ignore[arg-type]
    return Evidence(study, section, "Wei et al., 2023b", "Does it?", table, [claim], pd.DataFrame(), notes=["a note"])


def plan(monkeypatch: pytest.MonkeyPatch, *runs) -> None:
    planned = [claims.Measurement(run.__name__, run, []) for run in runs]
    monkeypatch.setattr(claims, "measurements", lambda section, model: planned)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "out", cli.Console(highlight=False, width=240))
    monkeypatch.setattr(cli, "err", cli.Console(stderr=True, highlight=False, width=240))


def run(*arguments: str):
    return CliRunner().invoke(cli.app, ["claims", *arguments])


def test_claims_are_printed_with_control_and_the_curve_of_a_failed_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    def ladder() -> Evidence:
        return evidence()

    plan(monkeypatch, ladder)
    result = run()
    assert result.exit_code == 0
    assert "ladder: about 1 s here" in result.stderr
    for expected in ("○ not shown", "It [flips]", "0.50 [0.40, 0.60]", "0.90", "0.10", "500", "note: a note"):
        assert expected in result.stdout
    (curve,) = [line for line in result.stdout.splitlines() if "0.98" in line]
    assert [cell.strip() for cell in curve.split("│")[1:-1]] == ["pebble-1m", "0.98", "0.21"]


def test_no_curve_where_everything_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def ladder() -> Evidence:
        return evidence(verdict="shown")

    plan(monkeypatch, ladder)
    assert "● shown" in run().stdout
    assert "0.98" not in run().stdout


def test_json_has_the_fields_that_others_lean_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ladder() -> Evidence:
        return evidence(control=None, estimate=float("nan"))

    plan(monkeypatch, ladder)
    assert run("--json", str(tmp_path / "claims.json")).exit_code == 0
    (row,) = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert list(row) == FIELDS
    assert row["control"] is None
    assert row["estimate"] is None
    assert row["verdict"] == "not shown"


def test_the_page_shows_the_same_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ladder() -> Evidence:
        return evidence()

    plan(monkeypatch, ladder)
    both = ("--html", str(tmp_path / "claims.html"), "--json", str(tmp_path / "claims.json"))
    assert run(*both).exit_code == 0
    rows = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert (tmp_path / "claims.html").read_text("utf-8") == ClaimCards(rows).to_html()


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_missing_folder_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str) -> None:
    def ladder() -> Evidence:
        raise AssertionError("measured in vain")

    plan(monkeypatch, ladder)
    result = run(option, str(tmp_path / "none" / "claims"))
    assert result.exit_code == 2
    assert "folder" in result.stderr


def test_ctrl_c_keeps_what_was_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def first() -> Evidence:
        return evidence("first")

    def second() -> Evidence:
        raise KeyboardInterrupt

    def third() -> Evidence:
        raise AssertionError("not after a Ctrl-C")

    plan(monkeypatch, first, second, third)
    result = run()
    assert result.exit_code == 0
    assert "first" in result.stdout
    assert "Stopped early" in result.stderr


def test_a_study_stopped_within_keeps_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def ladder() -> Evidence:
        watcher = progress.current()
        assert watcher is not None
        watcher.stopped = True
        return evidence()

    plan(monkeypatch, ladder)
    result = run()
    assert "It [flips]" in result.stdout
    assert "Stopped early" in result.stderr


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "evidence_dir", lambda: tmp_path / "evidence")
    return tmp_path / "evidence"


def test_recorded_shows_what_was_shipped_and_measures_nothing(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "measurements", lambda *a: pytest.fail("measured"))
    evidence("one").save(shipped / "one.json")
    evidence("two", model="pebble-3m").save(shipped / "deeper" / "two.json")
    result = run("--recorded", "--model", "pebble-3m")
    assert "two" in result.stdout
    assert "one ·" not in result.stdout


def test_sections_are_nested_by_number_not_by_letter(shipped: Path) -> None:
    evidence("one", section="4.1.1").save(shipped / "one.json")
    evidence("two", section="4.11").save(shipped / "two.json")
    assert [each.study for each in claims.recorded("4.1")] == ["one"]
    with pytest.raises(XllmError, match=r"for section 9; leave out --recorded"):
        claims.recorded("9")


def test_an_unknown_section_names_the_known_ones() -> None:
    with pytest.raises(XllmError, match=r"'9'.*4\.1\.1"):
        claims.measurements("9")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sizes and a twin educated without flips, one of them with a checkpoint: newborn, but whole."""
    from xllm_widgets.microworld import training

    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        training.train("0.1m", tokens=8192, out=folder, keep_at=(4096,))
        training.train("0.3m", tokens=4096, out=folder)
        training.train("0.1m", recipe="noflip", tokens=4096, out=folder)
    return folder


@pytest.fixture
def newborn(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xllm_widgets.models import catalogue

    monkeypatch.setattr(catalogue, "models_dir", lambda: family)
    monkeypatch.setattr(paths, "models_dir", lambda: family)
    monkeypatch.setattr(claims, "ITEMS", 10)


@pytest.mark.usefixtures("newborn")
def test_the_family_is_measured_on_every_model_and_checkpoint() -> None:
    planned = {each.name: [model for _, model, _ in each.parts] for each in claims.measurements("4.1.1")}
    everyone = {"pebble-0.1m", "pebble-0.3m", "pebble-0.1m-noflip"}
    assert set(planned["label_override_ladder"]) == everyone
    assert set(planned["emergence"]) == {"pebble-0.1m@0.004096M", "pebble-0.1m"}
    assert set(planned["contrastive_demonstrations"]) == {"pebble-0.1m", "pebble-0.3m"}


@pytest.mark.usefixtures("newborn")
def test_the_plan_names_exactly_the_runs_that_are_made(tmp_path: Path) -> None:
    """So the cost that is told is the cost of what is done, and a recording that goes on skips all of it."""
    spec = importlib.util.spec_from_file_location("record_evidence", "scripts/record_evidence.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    planned = [each for each in claims.measurements("4.1.1") if each.name in ("label_override_ladder", "emergence")]
    assert all(each.parts for each in script.unmeasured(planned, tmp_path / "memory"))
    kept = [path.name for _, path in script.record(planned, tmp_path, tmp_path / "memory")]
    assert kept == ["label_override_ladder.json", "emergence.json"]
    assert [each.parts for each in script.unmeasured(planned, tmp_path / "memory")] == [[], []]
    runs = {(study.__name__, model, str(knobs)) for each in planned for study, model, knobs in each.parts}
    assert len(list((tmp_path / "memory").iterdir())) == len(runs)


@pytest.mark.usefixtures("newborn")
def test_a_newborn_model_is_measured_and_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = [each for each in claims.measurements("4.1.1") if each.name != "contrastive_demonstrations"]
    monkeypatch.setattr(claims, "measurements", lambda section, model: cheap)
    result = run("--section", "4.1.1", "--json", str(tmp_path / "claims.json"))
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert all(list(row) == FIELDS for row in rows)
    natural = [row for row in rows if row["statement"].startswith("With natural labels")]
    assert {row["model"] for row in natural} == {"pebble-0.1m", "pebble-0.3m"}
    assert {row["verdict"] for row in natural} <= {"not shown", "reversed"}
    assert all(row["n"] == 10 for row in natural)
