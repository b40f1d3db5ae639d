"""What this machine can do with the course, and how to get what it lacks: the facts behind `xllm doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import threading
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

REQUIRED = (
    "torch", "transformers", "tokenizers", "safetensors", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib",
    "seaborn", "ipywidgets", "anywidget", "bertviz",
)  # fmt: skip
OPTIONAL = {
    "jupyterlab": "opens the notebooks on this machine: pip install 'xllm-widgets[lab]'",
    "accelerate": 'spreads one model over several GPUs, device="auto": pip install accelerate',
    "bitsandbytes": "loads large models in 8 or 4 bits on an NVIDIA GPU: pip install bitsandbytes",
    "distributed": "spreads a sweep over many machines (Dask): pip install distributed",
}
HUB = "https://huggingface.co"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
INSTALLED_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what to do where something lacks."""

    topic: str
    found: str
    fine: bool = True
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at packages, device, bundled models, browser and hub. Never raises; needs nothing but Python itself."""
    findings = [_python(), *_packages()]
    if importlib.util.find_spec("torch"):
        findings += _torch()
    return [*findings, _models(), _browser(), _hub()]


def find_browser() -> Path | None:
    """A Chromium or Chrome to drive in tests: the one named by CHROMIUM, else the first one known on this machine."""
    named = os.environ.get("CHROMIUM")
    if named:
        return Path(named) if Path(named).is_file() else None
    on_path = [Path(found) for found in map(shutil.which, BROWSERS) if found]
    of_playwright = sorted(Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome"))
    candidates = [*on_path, *(Path(app) for app in INSTALLED_APPS), *of_playwright]
    return next((path for path in candidates if path.is_file() and not _leads_nowhere(path)), None)


def _leads_nowhere(browser: Path) -> bool:
    """Ubuntu's apt package is a script that asks for a snap, which containers do not have."""
    with browser.open("rb") as file:
        return b"/snap/bin/chromium" in file.read(4096) and not Path("/snap/bin/chromium").exists()


def reaches(url: str, seconds: float = 3.0) -> bool:
    """Whether a host answers in time; asked in a thread because no timeout bounds the look-up of a name."""
    answered = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
                answered.append(True)
        except OSError:
            answered.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return any(answered)


def version_of(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Finding:
    enough = sys.version_info >= (3, 11)
    remedy = "" if enough else "install Python 3.11 or newer: https://www.python.org/downloads/"
    return Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", enough, remedy)


def _packages() -> list[Finding]:
    own = Finding("xllm-widgets", version_of("xllm-widgets") or "run from a checkout, not installed")
    findings = [own]
    for package in REQUIRED:
        version = version_of(package)
        remedy = "" if version else f"pip install {package}"
        findings.append(Finding(package, version or "missing", version is not None, remedy))
    for package, use in OPTIONAL.items():
        version = version_of(package)
        findings.append(Finding(package, version or "not installed (optional)", True, "" if version else use))
    return findings


def _torch() -> list[Finding]:
    try:
        import torch
    except (ImportError, OSError) as reason:
        sentence = str(reason).splitlines()[0] if str(reason) else type(reason).__name__
        return [Finding("device", f"torch does not load: {sentence}", False, "pip install --force-reinstall torch")]
    if torch.cuda.is_available():
        return _cuda()
    if torch.backends.mps.is_available():
        return [Finding("device", "mps (Apple GPU)"), Finding("attention kernels", "MPS's own")]
    fast = bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())
    half = "float32 (the default); bfloat16 " + ("in hardware" if fast else "only emulated, slower than float32")
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return [
        Finding("device", f"cpu, {threads}, {torch.backends.cpu.get_cpu_capability()}"),
        Finding("dtypes", half),
        Finding("attention kernels", "flash (CPU), math"),
    ]


def _cuda() -> list[Finding]:
    import torch

    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    names = ", ".join(f"{gpu.name} ({gpu.total_memory / 2**30:.0f} GiB)" for gpu in gpus)
    kernels = {
        "flash": torch.backends.cuda.flash_sdp_enabled() and torch.backends.cuda.is_flash_attention_available(),
        "memory-efficient": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "cuDNN": torch.backends.cuda.cudnn_sdp_enabled(),
        "math": torch.backends.cuda.math_sdp_enabled(),
    }
    half = "bfloat16, float16, float32" if torch.cuda.is_bf16_supported() else "float16, float32 (no bfloat16)"
    return [
        Finding("device", f"cuda {torch.version.cuda}: {names}"),
        Finding("dtypes", half),
        Finding("attention kernels", ", ".join(name for name, there in kernels.items() if there)),
    ]


def _models() -> Finding:
    from xllm_widgets.models import bundled_models

    names = bundled_models()
    if names:
        return Finding("bundled models", f"{len(names)}: {', '.join(names)}")
    return Finding("bundled models", "none", False, "install xllm-widgets again, or clone it afresh")


def _browser() -> Finding:
    browser = find_browser()
    if browser:
        return Finding("Chromium", str(browser))
    return Finding("Chromium", "not found (only the browser tests need it)", True, "install Chromium or Chrome")


def _hub() -> Finding:
    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    offline = next((name for name in switches if os.environ.get(name, "0") != "0"), "")
    if offline:
        return Finding("Hugging Face hub", f"not asked: {offline} is set; bundled and cached models work")
    if reaches(HUB):
        return Finding("Hugging Face hub", "answers")
    return Finding("Hugging Face hub", "does not answer; bundled and cached models work without it")
