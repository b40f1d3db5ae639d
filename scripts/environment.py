"""Make .venv, the course's environment, or leave it alone if nothing has changed since it was made.

Plain Python 3.11+, nothing to install first: `python scripts/environment.py` (what `make lab` and `make test` call).
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import tomllib
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "made-from"
EXTRAS = "lab,test"
MADE_FROM = ("requirements.lock", "scripts/third_party/package-lock.json")  # the second: what bertviz draws with
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 5.0
# Comms over subshells cost a widget about 35 ms a step, and the news prompt covers the first notebook.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


def python_of(environment: Path) -> Path:
    """The interpreter inside a virtual environment, on any system."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint() -> str:
    """What the environment was made from; lint settings and prose do not count, dependencies and pins do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locks = [(ROOT / name).read_text(encoding="utf-8") for name in MADE_FROM]
    made_from = [project["project"], project["build-system"], *locks]
    return hashlib.sha256(json.dumps([*made_from, EXTRAS, str(ROOT)], sort_keys=True).encode()).hexdigest()


def is_current() -> bool:
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == fingerprint() and runs(python_of(VENV))


def runs(python: Path) -> bool:
    """Whether the interpreter starts; it does not after the Python it was made from was removed."""
    if not python.exists():
        return False
    return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0


def answers(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether the page can be had within so many seconds; the thread bounds name look-up too, which no timeout does."""
    reached = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as page:
                reached.append(page.status == 200)
        except OSError:
            reached.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return any(reached)


def torch_options() -> list[str]:
    """On Linux, PyPI's torch brings gigabytes of CUDA libraries: without an NVIDIA GPU take PyTorch's CPU builds."""
    if platform.system() != "Linux" or shutil.which("nvidia-smi") or not answers(f"{TORCH_CPU_INDEX}/torch/"):
        return []
    return ["--extra-index-url", TORCH_CPU_INDEX]


def create() -> None:
    """An empty virtual environment, in place of one that no longer runs."""
    try:
        venv.create(VENV, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"Python {version} here cannot make virtual environments: install its venv module "
            f"(Debian, Ubuntu: apt-get install python{version}-venv) and try again."
        )


def install() -> None:
    """The package itself (editable) with everything pinned by requirements.lock; its build hook brings the scripts."""
    pip = [python_of(VENV), "-m", "pip", "--disable-pip-version-check", "install", "--no-warn-script-location"]
    quietly = ["--quiet", "--quiet"]  # errors only: a warning about an index is nothing a student can act on
    wanted = ["--constraint", "requirements.lock", "--editable", f".[{EXTRAS}]"]
    done = subprocess.run([*pip, *quietly, *torch_options(), *wanted], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("The installation stopped (pip's reason stands above): put it right and run the same command again.")


def quieten_lab() -> None:
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(LAB_SETTINGS, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit("xllm-widgets needs Python 3.11 or newer: https://www.python.org/downloads/")
    if is_current():
        return
    print("Setting up .venv (once; a few minutes, mostly PyTorch) …", flush=True)
    if not runs(python_of(VENV)):
        create()
    install()
    quieten_lab()
    STAMP.write_text(fingerprint(), encoding="utf-8")


if __name__ == "__main__":
    main()
