"""What was measured on: without it, times say nothing."""

import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path

from .bench import Options


def load() -> str:
    """How much else the machine was doing: take it before the first race, each of which adds one."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def describe(options: Options) -> list[str]:
    """One fact a line: processor, threads, device, versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines = [
        f"processor: {_processor()}, {os.cpu_count()} cores, {cores} of them at hand, {_memory()}",
        f"threads: {options.threads} a contestant, pinned; device: {_device(options.device)}; numbers: {options.dtype}",
        f"model: {options.shape} Llama shape, random weights" + (", small inputs" if options.small else ""),
        f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
    ]
    return [*lines, "versions: " + ", ".join(f"{name} {_version(name)}" for name in ("torch", "transformers", "numpy"))]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "memory unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"


def _device(name: str) -> str:
    if not name.startswith("cuda"):
        return name
    import torch

    return torch.cuda.get_device_name(name)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def command() -> str:
    """What was typed."""
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(shlex.quote, sys.argv[1:])])
