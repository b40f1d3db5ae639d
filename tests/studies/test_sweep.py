"""A sweep loses nothing: cells that fail, workers that die, Ctrl-C, a killed process; the rest is taken up again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest
import scripted_models as scripted

import xllm_widgets as xw
from xllm_widgets import models
from xllm_widgets.errors import ModelNotFound, XllmError
from xllm_widgets.studies import cells, progress
from xllm_widgets.studies.evidence import Evidence

SMALL = {"flipped": (0, 1), "shots": 2, "trials": 4, "draws": 1}
REAL = "pebble-0.1m"


@pytest.fixture
def loaded(monkeypatch):
    """Rules stand in for models; gives the names in the order they were loaded."""
    names = []

    def load(name):
        names.append(name)
        if name == "missing":
            raise ModelNotFound("There is no model 'missing'.")
        rule = scripted.keep_prior if name.startswith("prior") else scripted.follow_labels
        return scripted.ScriptedLM(rule, name)

    monkeypatch.setattr(models, "load", load, raising=False)
    return names


@pytest.fixture
def calls(monkeypatch):
    """The names of the cells that were measured."""
    measured, measure = [], cells.measure

    def noted(cell):
        measured.append(cell.name)
        return measure(cell)

    monkeypatch.setattr(cells, "measure", noted)
    return measured


def test_every_cell_is_there_once(loaded, tmp_path):
    evidence = xw.sweep(
        xw.flipped_labels, models=["prior", "follower"], seeds=(0, 1), grid={"shots": (2, 4)}, folder=tmp_path,
        flipped=(0, 1), trials=4, draws=1,
    )  # fmt: skip
    sizes = evidence.table.groupby(["model", "shots", "seed"]).size()
    assert len(sizes) == 8
    assert set(sizes) == {8}  # 4 questions × 2 shares
    assert len(list(tmp_path.iterdir())) == 8
    assert {c.verdict for c in evidence.claims if c.model == "follower" and "follows them" in c.statement} == {"shown"}
    assert {c.seeds for c in evidence.claims} == {2}
    assert evidence.knobs["models"] == ["prior", "follower"]
    assert evidence.to_png().startswith(b"\x89PNG")
    again = Evidence.from_json(evidence.to_json())
    assert [c.verdict for c in again.claims] == [c.verdict for c in evidence.claims]


def test_a_cell_gives_what_the_study_gives(loaded):
    swept = xw.sweep("flipped_labels", models=["follower"], seeds=[3], **SMALL)
    alone = xw.flipped_labels(scripted.ScriptedLM(scripted.follow_labels, "follower"), seed=3, **SMALL)
    pd.testing.assert_frame_equal(swept.table[list(alone.table)], alone.table)
    assert swept.claims == alone.claims


def test_what_is_kept_is_not_measured_again(loaded, calls, tmp_path):
    def sweep(**changes):
        calls.clear()
        xw.sweep(xw.flipped_labels, **{"models": ["follower"], "seeds": (0, 1), "folder": tmp_path, **SMALL, **changes})
        return calls

    assert sweep() == ["follower, seed 0", "follower, seed 1"]
    assert sweep() == []
    assert sweep(seeds=(0, 1, 2)) == ["follower, seed 2"]
    assert len(sweep(trials=6)) == 2
    (damaged,) = tmp_path.glob("*seed2*")
    damaged.write_text("{")
    assert sweep(seeds=(0, 1, 2)) == ["follower, seed 2"]


def test_a_model_educated_anew_is_measured_anew(loaded, calls, tmp_path):
    weights = tmp_path / "mine"
    weights.mkdir()
    for bits in (b"1", b"2", b"2"):
        (weights / "model.safetensors").write_bytes(bits)
        xw.sweep(xw.flipped_labels, models=[str(weights)], seeds=[0], folder=tmp_path / "kept", **SMALL)
    assert len(calls) == 2


def test_a_table_is_known_by_its_contents(loaded, calls, tmp_path):
    rows = [(f"a bright film number {i}", "positive") for i in range(20)]
    rows += [(f"a dull film number {i}", "negative") for i in range(20)]
    for data in (rows, pd.DataFrame(rows, columns=["text", "label"]), pd.DataFrame(rows, columns=["text", "label"])):
        xw.sweep(xw.flipped_labels, models=["follower"], seeds=[0], folder=tmp_path, data=data, **SMALL)
    assert len(calls) == 2


def test_a_cell_that_fails_is_named_and_costs_no_other(loaded, capsys):
    evidence = xw.sweep(xw.flipped_labels, models=["missing", "follower"], seeds=(0, 1), **SMALL)
    assert set(evidence.table["model"]) == {"follower"}
    assert "missing, seed 1 failed: There is no model 'missing'." in evidence.notes
    told = capsys.readouterr().err
    assert "missing, seed 0 failed: There is no model" in told
    assert "4 cells, about" in told
    assert "4/4" in told


def test_if_all_fail_the_first_reason_is_said(loaded):
    with pytest.raises(XllmError, match=r"None of the 2 cells.*missing, seed 0: There is no model"):
        xw.sweep(xw.flipped_labels, models=["missing"], seeds=(0, 1), **SMALL)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"models": "pebble-1m"}, "list of names"),
        ({"models": [scripted.ScriptedLM(scripted.keep_prior)]}, "list of names"),
        ({"models": []}, "nothing to sweep"),
        ({"models": ["m"], "seeds": 3}, r"seeds=3 is none; put it in brackets"),
        ({"models": ["m"], "grid": {"shots": 4}}, r"shots=4 is none; put it in brackets"),
        ({"models": ["m"], "grid": {"shots": (2, 4)}, "shots": 8}, "both vary shots and hold it"),
        ({"models": ["m"], "shot": 4}, "'shot'; its settings are flipped, shots"),
        ({"models": ["m"], "seed": 1}, "'seed'; give seeds"),
        ({"models": ["m"], "grid": {"shot": (4,)}}, "'shot'"),
        ({"models": ["m"], "data": threading.Lock()}, "this data: it cannot be sent"),
        ({"study": xw.over_models, "models": ["m"]}, "over_models is no study of one model"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_loaded(loaded, call, words):
    with pytest.raises(XllmError, match=words):
        xw.sweep(**{"study": xw.flipped_labels, **call})
    assert loaded == []


def test_a_model_is_loaded_once_for_the_cells_that_follow_each_other(loaded):
    xw.sweep(xw.flipped_labels, models=["prior", "follower"], seeds=(0, 1, 2), **SMALL)
    assert loaded == ["prior", "follower", "prior", "follower"]  # the cost first, then the cells
    assert cells._held.lm is None


def test_ctrl_c_keeps_the_cells_that_were_finished(loaded, monkeypatch, tmp_path):
    measure = cells.measure

    def tired(cell):
        if cell.seed == 1:
            raise KeyboardInterrupt
        return measure(cell)

    monkeypatch.setattr(cells, "measure", tired)
    call = {"models": ["follower", "prior"], "seeds": (0, 1), "folder": tmp_path, **SMALL}
    evidence = xw.sweep(xw.flipped_labels, **call)
    assert len(list(tmp_path.iterdir())) == 1
    assert any("stopped after 1 of 4 cells" in note for note in evidence.notes)
    monkeypatch.setattr(cells, "measure", measure)
    whole = xw.sweep(xw.flipped_labels, **call)
    assert not any("stopped" in note for note in whole.notes)
    assert whole.table.groupby(["model", "seed"]).ngroups == 4


def test_stopped_before_the_first_cell_there_is_nothing(loaded):
    with progress.watch(should_stop=lambda: True), pytest.raises(KeyboardInterrupt):
        xw.sweep(xw.flipped_labels, models=["follower"], **SMALL)


def test_half_a_cell_is_none(loaded, tmp_path):
    """A stop in the middle of a study leaves half its evidence, which must not be taken for a finished cell."""
    asked = iter([False] * 4 + [True] * 99)
    with progress.watch(should_stop=lambda: next(asked)), pytest.raises(KeyboardInterrupt):
        xw.sweep(xw.flipped_labels, models=["follower"], seeds=[0], folder=tmp_path, shots=2, trials=200, draws=2)
    assert list(tmp_path.iterdir()) == []


def test_who_watches_is_told(loaded):
    told = []
    with progress.watch(lambda *about: told.append(about)):
        xw.sweep(xw.flipped_labels, models=["follower"], seeds=(0, 1), **SMALL)
    assert told == [("follower, seed 0", 1, 2), ("follower, seed 1", 2, 2)]


def test_threads_give_what_one_after_another_gives(loaded):
    call = {"models": ["prior", "follower"], "seeds": (0, 1), **SMALL}
    with ThreadPoolExecutor(3) as executor:
        together = xw.sweep(xw.flipped_labels, executor=executor, **call)
    alone = xw.sweep(xw.flipped_labels, **call)
    pd.testing.assert_frame_equal(together.table, alone.table)
    assert together.claims == alone.claims


class Breaking(ThreadPoolExecutor):
    """Answers for the first few jobs; then its workers have died, and it takes no more."""

    def __init__(self, jobs):
        super().__init__(1)
        self.jobs = jobs

    def submit(self, work, /, *args):
        self.jobs -= 1
        if self.jobs < -1:
            raise BrokenExecutor("cannot schedule new futures")
        if self.jobs == -1:
            broken = Future()
            broken.set_exception(BrokenExecutor("a child process terminated abruptly"))
            return broken
        return super().submit(work, *args)


def test_an_executor_that_breaks_loses_only_its_own_cells(loaded, calls, tmp_path):
    call = {"models": ["follower"], "seeds": range(4), "folder": tmp_path, **SMALL}
    with Breaking(3) as executor:  # one for the cost, two cells
        evidence = xw.sweep(xw.flipped_labels, executor=executor, **call)
    assert set(evidence.table["seed"]) == {0, 1}
    assert any("seed 2 failed: BrokenExecutor: a child process" in note for note in evidence.notes)
    assert any("seed 3 failed: BrokenExecutor: cannot schedule" in note for note in evidence.notes)
    calls.clear()
    assert set(xw.sweep(xw.flipped_labels, **call).table["seed"]) == {0, 1, 2, 3}
    assert calls == ["follower, seed 2", "follower, seed 3"]


DRIVER = f"""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import sys
import xllm_widgets as xw

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        about = {{"executor": executor, "folder": sys.argv[1], **{SMALL}}}
        xw.sweep("flipped_labels", models=["{REAL}"], seeds=range(200), **about)
"""


def wait_for(folder: Path, count: int, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while len(list(folder.glob("*.json"))) < count:
        assert time.monotonic() < until, "no cell was finished in time"
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="kills a group of processes, which Windows does not have")
def test_a_killed_sweep_over_processes_goes_on_where_it_stopped(calls, tmp_path):
    script, kept = tmp_path / "driver.py", tmp_path / "kept"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(Path(xw.__file__).parents[1])}
    driver = subprocess.Popen([sys.executable, script, kept], env=environment, start_new_session=True)
    try:
        wait_for(kept, 2)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert 2 <= len(before) < 200
    asked = range(len(before) + 2)
    done = {json.loads((kept / name).read_text("utf-8"))["knobs"]["seed"] for name in before}
    evidence = xw.sweep("flipped_labels", models=[REAL], seeds=asked, folder=kept, **SMALL)
    assert len(calls) == len(set(asked) - done)  # finished ones are kept as they come, not by number
    assert {name: (kept / name).stat().st_mtime_ns for name in before} == before
    assert set(evidence.table["seed"]) == set(range(len(before) + 2))


def test_processes_give_what_one_after_another_gives():
    call = {"models": [REAL], "seeds": (0, 1), **SMALL}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        together = xw.sweep(xw.flipped_labels, executor=executor, **call)
    alone = xw.sweep(xw.flipped_labels, **call)
    pd.testing.assert_frame_equal(together.table, alone.table, rtol=1e-4)


SLOW_RULE = f"""
import sys, time
sys.path.insert(0, {str(Path(scripted.__file__).parent)!r})
import scripted_models as scripted
from xllm_widgets import models

def slowly(demonstrations, question):
    time.sleep(0.01)
    return scripted.follow_labels(demonstrations, question)

models.load = lambda name: scripted.ScriptedLM(slowly, name)
"""


def test_dask_workers_killed_in_mid_run(tmp_path):
    """Both workers die after the first finished cells: those are kept, Dask starts others, and they do the rest."""
    distributed = pytest.importorskip("distributed")
    preload, kept, seeds, killed = tmp_path / "rule.py", tmp_path / "kept", range(30), {}
    preload.write_text(SLOW_RULE)

    def kill_workers(cluster):
        wait_for(kept, 2)
        killed.update({nanny.pid: len(list(kept.glob("*.json"))) for nanny in cluster.workers.values()})
        for pid in killed:
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
    patience = {"distributed.deploy.lost-worker-timeout": "10 minutes"}  # a busy machine is slow to start another
    with (
        pytest.importorskip("dask").config.set(patience),
        distributed.LocalCluster(**options, preload=[str(preload)]) as cluster,
        distributed.Client(cluster) as client,
    ):
        killer = threading.Thread(target=kill_workers, args=[cluster])
        killer.start()
        evidence = xw.sweep(
            xw.flipped_labels, models=["follower"], seeds=seeds, executor=client.get_executor(), folder=kept, **SMALL
        )
        killer.join()
        now = {nanny.pid for nanny in cluster.workers.values()}
    assert len(killed) == 2
    assert max(killed.values()) < len(seeds)
    assert not now & set(killed)
    assert evidence.notes == []
    assert set(evidence.table["seed"]) == set(seeds)
    assert len(list(kept.glob("*.json"))) == len(seeds)
