"""`xllm bench`: hands over to the benchmarks in the repository; a wheel does not carry them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from xllm_widgets.errors import XllmError


def folder() -> Path:
    """Where the benchmarks lie in a checkout; XllmError where there is none."""
    found = Path(__file__).resolve().parent.parent / "benchmarks"
    if not (found / "run.py").is_file():
        raise XllmError(
            "The benchmarks live in the repository, not in the installed package; clone it, and run `xllm bench` there."
        )
    return found


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Such as shared_prefix; all if left out.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each contestant runs; medians are told.")] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    shape: Annotated[str, typer.Option(help="Of the model: 6m, 7b, or tiny.")] = "6m",
    threads: Annotated[int, typer.Option(help="Threads of each contestant, and the cores it stays on.")] = 1,
    small: Annotated[bool, typer.Option("--small", help="The same work in little: does everything run?")] = False,
    python: Annotated[list[str] | None, typer.Option(help="A peer's interpreter, such as recent=PATH.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the tables here; benchmarks/RESULTS.md if all run.")] = None,
) -> None:
    """Measure our way beside the obvious idiom and the peers, and hold the figures against their targets."""
    command = [sys.executable, str(folder() / "run.py"), *(names or [])]
    told = {"rounds": rounds, "device": device, "dtype": dtype, "shape": shape, "threads": threads}
    command += [f"--{name}={value}" for name, value in told.items()]
    command += [f"--python={one}" for one in python or []]
    command += ["--small"] * small + [f"--out={out}"] * (out is not None)
    raise typer.Exit(subprocess.run(command, check=False).returncode)
