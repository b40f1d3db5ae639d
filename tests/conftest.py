"""What every test shares: no network but loopback, a wheel built once, and a reason for each kind of skip."""

import hashlib
import importlib.util
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from xllm_widgets.doctor import find_browser

ROOT = Path(__file__).resolve().parent.parent
# Small models gain nothing from threads, and threads that wait for each other on a busy machine lose minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ["XLLM_JOURNAL"] = "off"  # tests do not write into the journal of whoever runs them

# Tests of several folders import it; where there is no anywidget, the other tests still run. It is read when somebody
# first looks at it, torch's import perhaps, which looks at all modules.
if "every_view" not in sys.modules and importlib.util.find_spec("anywidget"):
    _spec = importlib.util.spec_from_file_location("every_view", Path(__file__).with_name("every_view.py"))
    _spec.loader = importlib.util.LazyLoader(_spec.loader)
    sys.modules["every_view"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["every_view"])


class NetworkForbidden(AssertionError):
    """A test tried to leave the machine."""


def _stays_here(address: object) -> bool:
    """Whether an address is a unix socket or a loopback one; names are not looked up, `localhost` apart."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The course promises to run unplugged: a unit test that connects elsewhere fails, and says where it went."""
    for verb in ("connect", "connect_ex"):
        really = getattr(socket.socket, verb)

        def guarded(self: socket.socket, address: object, really: object = really) -> object:
            if not _stays_here(address):
                raise NetworkForbidden(f"a test tried to reach {address}")
            return really(self, address)  # type: ignore[operator]

        monkeypatch.setattr(socket.socket, verb, guarded)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_browser() is None:
        pytest.skip("no Chromium or Chrome found: install one, or set CHROMIUM=/path/to/it")
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One wheel built from this checkout, with the tools at hand and no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed_wheel(built_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked as pip does it; put the folder first on PYTHONPATH, and no file of the checkout is used."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    done = subprocess.run([*command, str(built_wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def older_widgets(request: pytest.FixtureRequest) -> Path:
    """Colab's ipywidgets and anywidget in a folder for PYTHONPATH: fetched once, then kept in pytest's cache."""
    pins = Path(__file__).with_name("older_widgets.txt")
    shelf = request.config.cache.mkdir("older-widgets")
    folder = shelf / hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    if not folder.exists():
        fresh = Path(tempfile.mkdtemp(dir=shelf))  # renamed when it is whole: an interrupted download leaves no half
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        limits = ["--only-binary=:all:", "--retries=0", "--timeout=15", "--target", str(fresh), "-r", str(pins)]
        done = subprocess.run([*command, *limits], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(fresh)
            pytest.skip(f"pip cannot fetch Colab's ipywidgets (no network?): {done.stderr.strip().splitlines()[-1]}")
        fresh.rename(folder)
    return folder


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built from the notebooks of this checkout as `make site` builds it."""
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, str(ROOT / "scripts" / "build_site.py"), "--out", str(folder)]
    apart = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(command, env=apart, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
