"""Every notebook runs from top to bottom out of the built wheel, in an empty home, with the network cut off."""

import json
import os
import shutil
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


@pytest.fixture
def cut_off(installed_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel's notebooks; kernels started now know the wheel, an empty home, and no network."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(CUT_OFF, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(guard), str(installed_wheel)]))
    (tmp_path / "home").mkdir()
    for name in ("HOME", "XDG_CACHE_HOME", "HF_HOME", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)  # cut off, and nobody told the libraries
    shutil.copytree(installed_wheel / "xllm_widgets" / "notebooks", tmp_path / "notebooks")
    return tmp_path / "notebooks"


@pytest.mark.notebook
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_from_the_wheel_with_the_network_cut_off(name: str, cut_off: Path, installed_wheel: Path) -> None:
    notebook = nbformat.read(cut_off / name, 4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    again = [nbformat.v4.new_code_cell(source) for source in (setup.source, WITNESS)]
    notebook.cells += again
    resources = {"metadata": {"path": cut_off}}
    NotebookClient(notebook, timeout=A_CELL, kernel_name="python3", resources=resources).execute()
    witness = json.loads(again[-1].outputs[0].text)
    assert Path(witness["package"]).is_relative_to(installed_wheel)
    assert "cut off for this test" in witness["network"]
    assert grumbles(notebook) == []


def grumbles(notebook: nbformat.NotebookNode) -> list[str]:
    """What a reader would see in red: warnings of libraries, bars of progress."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.get("name") == "stderr"]
