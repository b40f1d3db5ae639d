"""Every notebook runs from top to bottom out of the built wheel, in an empty home, with the network cut off."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
A_CELL = 900  # seconds; only a cell that hangs reaches it, however busy the machine

# Python imports `sitecustomize` by itself when it starts: this one cuts the kernel off from all but this machine.
CUT_OFF = """
import ipaddress, socket

def _is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "", None)

def _guard(name):
    really = getattr(socket.socket, name)
    def guarded(self, address, *rest):
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise OSError(101, "the network is cut off for this test")
        return really(self, address, *rest)
    setattr(socket.socket, name, guarded)

for name in ("connect", "connect_ex", "sendto"):
    _guard(name)

_look_up = socket.getaddrinfo
def _no_names(host, *rest, **named):
    if not _is_here(host.decode() if isinstance(host, bytes) else host):
        raise socket.gaierror(-3, "the network is cut off for this test")
    return _look_up(host, *rest, **named)
socket.getaddrinfo = _no_names
"""

# One more cell, after a second setup: where the package came from, and whether the network was really cut off.
WITNESS = """
import json, socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
    network = "reached"
except OSError as refused:
    network = str(refused)
print(json.dumps({"package": xw.__file__, "network": network}))
"""


@pytest.fixture(scope="module")
def executed(
    request: pytest.FixtureRequest, installed_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future]]:
    """Name → the notebook as it was left; all that were asked for, as many at a time as there are cores."""
    asked = [item.callspec.params["name"] for item in request.session.items if "executed" in item.fixturenames]
    cores = os.cpu_count() or 1
    threads = max(1, cores // max(1, len(asked)))
    with ThreadPoolExecutor(cores) as pool:
        yield {
            name: pool.submit(execute, name, installed_wheel, tmp_path_factory.mktemp("bare"), threads)
            for name in asked
        }
        pool.shutdown(cancel_futures=True)


def execute(name: str, wheel: Path, bare: Path, threads: int) -> nbformat.NotebookNode:
    """Run a notebook of the wheel in a kernel that knows the wheel, an empty home and no network, and ask it so."""
    (bare / "sitecustomize.py").write_text(CUT_OFF, encoding="utf-8")
    shutil.copytree(wheel / "xllm_widgets" / "notebooks", bare / "notebooks")
    known = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}  # nobody told the libraries
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "HF_HOME", "IPYTHONDIR"), str(bare / "home"))
    (bare / "home").mkdir()
    path = os.pathsep.join([str(bare), str(wheel)])
    notebook = nbformat.read(bare / "notebooks" / name, 4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in (setup.source, WITNESS)]
    client = NotebookClient(
        notebook, timeout=A_CELL, kernel_name="python3", resources={"metadata": {"path": bare / "notebooks"}}
    )
    return client.execute(env=known | homes | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)})


@pytest.mark.notebook
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_from_the_wheel_with_the_network_cut_off(
    name: str, executed: dict[str, Future], installed_wheel: Path
) -> None:
    notebook = executed[name].result()
    witness = json.loads(notebook.cells[-1].outputs[0].text)
    assert Path(witness["package"]).is_relative_to(installed_wheel)
    assert "cut off for this test" in witness["network"]
    assert grumbles(notebook) == []


def grumbles(notebook: nbformat.NotebookNode) -> list[str]:
    """What a reader would see in red: warnings of libraries, bars of progress."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.get("name") == "stderr"]
