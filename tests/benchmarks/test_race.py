"""The race: who takes part, who is skipped and why, what the ratios are, and what is said of the targets."""

import importlib
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from common import floor, report, running
from common.bench import OURS, Benchmark, Case, Options, Setting, Target
from common.model import parameters, text, words
from common.race import Lap, enter, race
from run import NAMES, is_on_record
from typer.testing import CliRunner

from xllm_widgets import bench, cli

ROOT = Path(__file__).resolve().parent.parent.parent
TOY = """
import os, time
import numpy as np
from common.bench import OURS, Benchmark, Case, Contestant

def ours(setting): return lambda: np.arange(float(setting.sizes["n"]))
def slow(setting):
    def run():
        time.sleep(0.05)
        print("what a library prints")
        return np.arange(float(setting.sizes["n"])) * 1.1
    return run
def hungry(setting): return (lambda: np.ones(30_000_000 // 8), lambda out: {"figure": 7})
def absent(setting): import no_such_library
def broken(setting): raise ValueError("no good\\nat all")
def fatal(setting): return lambda: os._exit(3)

CONTESTANTS = tuple(Contestant(f.__name__ if f is not ours else OURS, f, "recent" if f is absent else "")
                    for f in (ours, slow, hungry, absent, broken, fatal))
BENCHMARK = Benchmark("toy", "?", (Case("all", {"n": 5}, {"n": 3}),), CONTESTANTS)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy", raising=False)
    return importlib.import_module("toy").BENCHMARK


def _silent(words: str) -> None:
    """Nothing is said."""


def test_everyone_runs_in_turn_and_who_cannot_is_skipped_by_name(toy: Benchmark, tmp_path: Path) -> None:
    options = Options(rounds=3)
    laps = {lap.name: lap for lap in race(enter(toy, toy.cases[0], options, tmp_path), options, _silent)}
    assert [len(laps[name].seconds) for name in (OURS, "slow", "hungry")] == [3, 3, 3]
    assert laps["absent"].note.startswith("no_such_library is not installed: make an environment with `pip install -r")
    assert "--python recent=PATH" in laps["absent"].note
    assert laps["broken"].note == "ValueError: no good"
    assert laps["fatal"].note == "ended with code 3"
    assert laps["hungry"].figure == 7
    if sys.platform == "linux":
        assert 28e6 < laps["hungry"].peak < 40e6
    rows = {row.name: row for row in report.rows(toy, toy.cases[0], list(laps.values()), options)}
    assert rows[OURS].time_ratio == 1
    assert rows["slow"].time_ratio > 10
    assert rows["slow"].difference == pytest.approx(0.1)
    assert rows["fatal"].cells()[1] == "skipped"


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of this test is a shell script")
def test_an_interpreter_that_is_named_is_used(toy: Benchmark, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\nexit 5\n")
    other.chmod(0o755)
    options = Options(rounds=1, only=("absent",), interpreters={"recent": str(other)})
    laps = race(enter(toy, toy.cases[0], options, tmp_path), options, _silent)
    assert [lap.note for lap in laps] == ["", "ended with code 5"]


def test_ratios_are_medians_of_the_rounds() -> None:
    benchmark = Benchmark("b", "?", (Case("c", {}, {}),), (), work=lambda sizes: (1024.0, 0.0))
    laps = [
        Lap(OURS, [1.0, 2.0, 10.0], peak=4e6),
        Lap("peer", [3.0, 6.0, 10.0], peak=1e7),
        Lap(floor.NAME, [0.5, 1, 5]),
    ]
    ours, peer, least = report.rows(benchmark, benchmark.cases[0], laps, Options())
    assert (peer.time_ratio, peer.memory_ratio, peer.seconds) == (3, 2.5, 6)
    assert (ours.over_floor, least.time_ratio) == (2, 0.5)


def test_the_floor_counts_each_weight_a_token_passes_twice() -> None:
    body, head = parameters("6m")
    assert 5.5e6 < body + head < 6.5e6
    assert floor.flops((10, 3), "6m") == 2 * (10 * body + 3 * head)


@pytest.mark.parametrize(
    ("target", "measured", "word"),
    [
        (Target("c", "time", 3, ("peer", "other")), 2, "missed"),
        (Target("c", "time", 2, ("peer",)), 3, "met"),
        (Target("c", "memory", 2, ("peer",)), 2.5, "met"),
        (Target("c", "excess", 1.2, ("floor",)), 1.25, "missed"),
        (Target("c", "seconds", 0.5), 0.4, "met"),
        (Target("c", "figure", 6), 5, "met"),
        (Target("c", "time", 1, ("absent",)), math.nan, "not measured"),
    ],
)
def test_a_target_is_met_missed_or_not_measured(target: Target, measured: float, word: str) -> None:
    nan = math.nan
    found = [
        report.Row(OURS, 0.4, 1, 1e6, 1, 0, 1),
        report.Row("peer", 1.2, 3, 2.5e6, 2.5, 0, 3),
        report.Row("other", 0.8, 2, 1e6, 1, 0, 2),
        report.Row("floor", 0.32, 0.8, nan, nan, nan, 1),
        report.Row("absent", nan, nan, nan, nan, nan, nan, note="not installed"),
    ]
    benchmark = Benchmark("b", "?", (Case("c", {}, {}),), (), (target,))
    (verdict,) = report.verdicts(benchmark, benchmark.cases[0], found, Lap(OURS, figure=5))
    assert verdict.word == word
    assert verdict.measured == pytest.approx(measured, nan_ok=True)


def test_another_answer_is_no_ratio() -> None:
    target = Target("c", "time", 2, ("peer",))
    benchmark = Benchmark("b", "?", (Case("c", {}, {}),), (), (target,))
    found = [report.Row(OURS, 1, 1, 1, 1, 0, 1), report.Row("peer", 9, 9, 1, 1, 0.2, 9)]
    (verdict,) = report.verdicts(benchmark, benchmark.cases[0], found, Lap(OURS))
    assert verdict.word == "not measured"


@pytest.mark.parametrize("other", [["--rounds", "1"], ["--dtype", "bfloat16"], ["--threads", "2"], ["--small"]])
def test_only_what_the_targets_are_about_goes_on_record(other: list[str]) -> None:
    assert is_on_record(running.options(["--rounds", "7"], NAMES)[0])
    assert not is_on_record(running.options(other, NAMES)[0])


def test_samples_bring_their_own_reference() -> None:
    ours = {"values": np.zeros(3)}
    assert report.difference({"values": np.array([1.0, 2]), "reference": np.array([1.0, 4])}, ours) == 0.5
    assert math.isnan(report.difference({}, ours))
    assert math.isnan(report.difference({"values": np.zeros(2)}, ours))


@pytest.mark.parametrize("name", NAMES)
def test_targets_name_who_takes_part_and_peers_have_an_environment(name: str) -> None:
    benchmark = importlib.import_module(name).BENCHMARK
    assert benchmark.name == name
    assert benchmark.contestants[0].name == OURS
    names = {contestant.name for contestant in benchmark.contestants} | {floor.NAME}
    for target in benchmark.targets:
        assert set(target.against) <= names
        assert target.case in {case.label for case in benchmark.cases}
    for contestant in benchmark.contestants:
        assert not contestant.environment or (ROOT / f"benchmarks/peers/{contestant.environment}.txt").is_file()
    for case in benchmark.cases:
        assert case.sizes.keys() == case.small.keys()
        assert benchmark.work is None or min(benchmark.work(case.sizes)) >= 0


def test_peers_are_pinned_and_are_no_dependencies() -> None:
    needed = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.M | re.S)
    for file in (ROOT / "benchmarks/peers").glob("*.txt"):
        lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
        assert lines
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), file
        own = {"torch", "transformers", "numpy", "bertviz"}
        assert not [p for line in lines if (p := line.split("==")[0]) not in own and f'"{p}>' in needed[1]]


def test_a_word_is_a_token_whatever_reads_it(tmp_path: Path) -> None:
    from common import model

    model.build(tmp_path, "tiny", "float32")
    setting = Setting(tmp_path, "tiny", "cpu", "float32", 1, {})
    tokenizer, lm = model.load_tokenizer(setting), model.load_lm(setting)
    asked = text(7, 0)
    assert len(tokenizer(asked)["input_ids"]) == len(lm.tokens(asked)) == 7
    assert len({len(word) for word in words()}) == 1
    assert tokenizer.eos_token is None


def test_the_whole_way_from_a_script_to_its_tables(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/shared_prefix.py"), "--small", "--shape", "tiny", "--rounds", "2"]
    command += ["--only", "transformers, one pass a label", "--out", str(tmp_path / "out.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "out.md").read_text("utf-8")
    for expected in ("- command: `python benchmarks/shared_prefix.py --small", "versions: torch ", "processor: "):
        assert expected in told
    row = re.search(r"^\| transformers, one pass a label \|(.*)\|$", told, re.M)
    cells = [cell.strip() for cell in row[1].split("|")]
    assert float(cells[4]) < 1e-5
    assert re.search(r"at least 50 × our time \| [\d.]+ \| (met|missed) \|", told)


def test_the_profile_tells_shares_of_the_whole() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/where_time_goes.py"), "--small", "gradient_x_input"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [re.findall(r"(\d+)%", line) for line in done.stdout.splitlines() if "gradient_x_input" in line]
    assert len(rows) == 4
    for shares in rows:
        assert len(shares) == 4
        assert abs(sum(map(int, shares)) - 100) <= 2  # each is rounded


def test_unknown_names_and_crooked_options_are_refused(capsys: pytest.CaptureFixture) -> None:
    for arguments, sentence in (
        (["nonsense"], "there is no benchmark 'nonsense'"),
        (["--python", sys.executable], "--python wants NAME=PATH with a name of inseq, older"),
        (["--python", "recent=/no/such/python"], "there is no interpreter '/no/such/python' for recent"),
    ):
        with pytest.raises(SystemExit):
            running.options(arguments, NAMES)
        assert sentence in capsys.readouterr().err


def test_xllm_bench_hands_its_options_over(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(bench.subprocess, "run", lambda command, check: commands.append(command) or done)
    typed = ["bench", "sampling", "--rounds", "7", "--python", f"older={sys.executable}", "--small"]
    result = CliRunner().invoke(cli.app, typed)
    assert result.exit_code == 0, result.output
    options, asked = running.options(commands[0][2:], NAMES)
    assert asked.names == ["sampling"]
    assert (options.rounds, options.interpreters, options.small) == (7, {"older": sys.executable}, True)


def test_a_wheel_has_no_benchmarks_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "err", cli.Console(stderr=True, highlight=False, width=240))
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "site-packages" / "xllm_widgets" / "bench.py"))
    result = CliRunner().invoke(cli.app, ["bench"])
    assert result.exit_code == 2
    assert "live in the repository" in result.stderr
    assert result.stderr.count("\n") == 1
