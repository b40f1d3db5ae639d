"""The command line: `xllm doctor`, `xllm models`, `xllm claims`, `xllm train`. Everything heavy is imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperGroup

from xllm_widgets import __version__
from xllm_widgets.errors import XllmError

if TYPE_CHECKING:
    from xllm_widgets.studies.evidence import Claim

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _PlainErrors(TyperGroup):
    """What a person can put right is one sentence on stderr and exit code 2, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except XllmError as problem:
            err.print(str(problem), style="red", markup=False, soft_wrap=True)
            raise typer.Exit(2) from problem


app = typer.Typer(
    name="xllm",
    cls=_PlainErrors,
    help="A course on explaining language models that can be taken apart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"xllm-widgets {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def doctor() -> None:
    """What is installed, which device and kernels there are, what is missing and how to get it."""
    from xllm_widgets import doctor as check

    findings = check.examine()
    table = Table("", "what", "found", "to get it", box=None, pad_edge=False)
    for finding in findings:
        mark = "[red]✗[/]" if not finding.fine else "·" if finding.remedy else "[green]✓[/]"
        table.add_row(mark, finding.topic, finding.found, finding.remedy)
    out.print(table)
    missing = [finding.topic for finding in findings if not finding.fine]
    out.print(f"\nMissing: {', '.join(missing)}." if missing else "\nNothing the course needs is missing.")


@app.command()
def models() -> None:
    """The bundled models: size, what each was taught, and how much room it takes."""
    from xllm_widgets.models.catalogue import bundled_folder, bundled_models, checkpoints, recipe

    names = bundled_models()
    if not names:
        raise XllmError("No bundled models were found; install xllm-widgets again, or clone it afresh.")
    columns = ("model", "parameters", "tokens seen", "seed", "edits", "checkpoints", "on disk")
    table = Table(*columns, box=None, pad_edge=False)
    for name in names:
        taught = recipe(name) or {}
        cells = [_short(taught.get("parameters")), _short(taught.get("tokens_seen")), str(taught.get("seed", "–"))]
        early = " ".join(checkpoints(name)) or "–"
        table.add_row(name, *cells, _edits(taught.get("edits", {})), early, _megabytes(bundled_folder(name)))
    out.print(table)


def _edits(edits: dict[str, dict[str, Any]]) -> str:
    """How an education differs from the usual one: "sheets: no_flips"."""
    told = (f"{kind}: {', '.join(_knob(*knob) for knob in knobs.items())}" for kind, knobs in edits.items())
    return "; ".join(told) or "–"


def _knob(name: str, value: Any) -> str:
    return name if value is True else f"{name}={value}"


def _short(number: float | None) -> str:
    """1066112 → "1.07M"; unknown → "–"."""
    if number is None:
        return "–"
    return f"{number / 1e6:.3g}M" if number >= 1e4 else f"{number:,.0f}"


def _megabytes(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6:.1f} MB"


@app.command()
def train(
    size: Annotated[str, typer.Option(help="0.1m, 0.3m, 1m or 3m parameters.")],
    recipe: Annotated[str, typer.Option(help="What it is taught: base, or noflip (not one flipped sheet).")] = "base",
    seed: Annotated[int, typer.Option(help="Decides the documents drawn and the initial weights.")] = 0,
    tokens: Annotated[int, typer.Option(help="How many tokens it reads.")] = 16_000_000,
    folder: Annotated[Path, typer.Option("--out", help="Where the model's folder is made.")] = Path("runs"),
    keep_at: Annotated[list[int] | None, typer.Option(help="Token count at which to keep a checkpoint.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; the best there is if left out.")] = None,
) -> None:
    """Educate a Pebble; Ctrl-C stops it, and the same command takes it up again where it stood."""
    from xllm_widgets.microworld import training

    plan = training.make_plan(size, recipe, seed, tokens)
    seconds = training.estimate_seconds(plan, device)
    out.print(f"{plan.name}: {plan.tokens / 1e6:g}M tokens in {plan.steps:,} steps, about {_duration(seconds)} here.")
    try:
        with _progress() as progress:
            task = progress.add_task("reading the corpus", total=plan.steps)

            def report(now: training.Progress) -> None:
                told = f"loss {now.loss:.3f} nats, {now.speed:,.0f} tokens/s"
                progress.update(task, completed=now.step, description=told)

            finished = training.train(
                size, recipe=recipe, seed=seed, tokens=tokens, out=folder, keep_at=tuple(keep_at or ()),
                device=device, on_progress=report,
            )  # fmt: skip
    except KeyboardInterrupt:
        err.print(f"Stopped; the same command goes on from where {folder / plan.name} stands.", soft_wrap=True)
        raise typer.Exit(130) from None
    out.print(f'Finished: {finished}  (xw.load("{finished}"))', soft_wrap=True)


def _duration(seconds: float) -> str:
    """74 → "1 min"; a rough figure for a person who decides whether to wait."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _progress() -> Progress:
    """A bar on stderr, so that what is piped on stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    return Progress(*columns, TimeRemainingColumn(), console=err, transient=True)
