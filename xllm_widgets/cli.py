"""The command line: `xllm doctor`, `models`, `claims`, `exam`, `twins`, `train`, …; the heavy comes in late."""

from __future__ import annotations

import io
import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperGroup

from xllm_widgets import __version__
from xllm_widgets.bench import bench
from xllm_widgets.errors import XllmError
from xllm_widgets.studies.progress import duration

if TYPE_CHECKING:
    from xllm_widgets.claims import Measurement
    from xllm_widgets.classroom.journal import Journal
    from xllm_widgets.exam.paper import Ability, Paper
    from xllm_widgets.exam.scoring import Result
    from xllm_widgets.exam.twins import Change, Pair
    from xllm_widgets.studies.evidence import Evidence

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that knows no ● shows a ?, not a traceback


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
    """The bundled models: size, what each was taught, what its examination found, and how much room it takes."""
    from xllm_widgets.exam.headlines import headlines
    from xllm_widgets.models.catalogue import bundled_folder, bundled_models, checkpoints, recipe

    names = bundled_models()
    if not names:
        raise XllmError("No bundled models were found; install xllm-widgets again, or clone it afresh.")
    examined = {name: headlines(bundled_folder(name)) for name in names}
    shown = list(dict.fromkeys(column for each in examined.values() for column in each))
    # Fits 80 columns: one blank between, and what a name says already, twin and seed, is left out.
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("model", no_wrap=True)
    for column in ("size", "read", "ages", *shown, "MB"):
        table.add_column(column.replace(" ", "\n"), justify="right")
    for name in names:
        taught = recipe(name) or {}
        cells = [_short(taught.get("parameters")), _short(taught.get("tokens_seen"))]
        early = str(len(checkpoints(name)) or "–")
        scores = [examined[name].get(column, "–") for column in shown]
        table.add_row(name, *cells, early, *scores, _megabytes(bundled_folder(name)))
    out.print(table)


def _short(number: float | None) -> str:
    """1066112 → "1.07M"; unknown → "–"."""
    if number is None:
        return "–"
    return f"{number / 1e6:.3g}M" if number >= 1e4 else f"{number:,.0f}"


def _megabytes(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6:.1f}"


@app.command()
def claims(
    section: Annotated[str | None, typer.Option(help="Section of the survey, 4.1.1 or 4.1; all if left out.")] = None,
    model: Annotated[str | None, typer.Option(help="A bundled model, a folder or a hub id; or the family.")] = None,
    recorded: Annotated[bool, typer.Option("--recorded", help="Show the shipped evidence, measure nothing.")] = False,
    file: Annotated[Path | None, typer.Option("--json", help="Write the claims to this file as well.")] = None,
    page: Annotated[Path | None, typer.Option("--html", help="And to this page, as cards to look through.")] = None,
) -> None:
    """Measure every claim afresh, each with its interval and its control; a claim that fails is printed as failed."""
    from xllm_widgets import claims as of

    _check_writable(file, page)
    evidence = of.recorded(section, model) if recorded else _measure(of.measurements(section, model))
    for each in evidence:
        _print_claims(each)
    rows = [claim.to_dict() for each in evidence for claim in each.claims]
    if page:
        from xllm_widgets.widgets import ClaimCards

        ClaimCards(rows).to_html(page)
    if file:
        file.write_text(json.dumps(rows, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _measure(planned: list[Measurement]) -> list[Evidence]:
    """Run what was planned, with its cost told first; Ctrl-C ends early and keeps what was finished."""
    from xllm_widgets import claims as of
    from xllm_widgets.studies.progress import watch

    with err.status("estimating the cost …"):
        seconds = of.estimate(planned)
    names = ", ".join(measurement.name for measurement in planned)
    err.print(f"{names}: about {duration(seconds)} here; Ctrl-C keeps what is done.")
    finished: list[Evidence] = []
    with _progress() as progress:
        for measurement in planned:
            task = progress.add_task(measurement.name, total=None)

            def report(stage: str, done: int, total: int, task: Any = task, name: str = measurement.name) -> None:
                progress.update(task, completed=done, total=total, description=f"{name}: {stage}")

            try:
                with watch(report) as watcher:
                    finished.append(measurement.run())
            except KeyboardInterrupt:
                watcher.stopped = True
            progress.remove_task(task)
            if watcher.stopped:
                break
    if len(finished) < len(planned) or watcher.stopped:
        err.print("Stopped early; what was finished stands below.")
    return finished


def _print_claims(evidence: Evidence) -> None:
    """The claims of one study as a table, its notes, and the curve behind them where one of them failed."""
    title = f"{evidence.study} · section {evidence.section} · {evidence.paper}"
    table = Table("verdict", "model", "claim", "estimate [95 %]", "threshold", "control", "n", "seeds", title=title)
    table.title_justify = "left"
    for claim in evidence.claims:
        interval = f"{claim.estimate:.2f} [{claim.low:.2f}, {claim.high:.2f}]"
        control = "–" if claim.control is None else f"{claim.control:.2f}"
        numbers = (interval, f"{claim.threshold:.2f}", control, str(claim.n), str(claim.seeds))
        table.add_row(f"{claim.glyph} {claim.verdict}", escape(claim.model), escape(claim.statement), *numbers)
    out.print(table)
    for note in evidence.notes:
        out.print(f"  note: {note}", markup=False)
    if any(claim.verdict != "shown" for claim in evidence.claims):
        _print_curve(evidence)
    out.print()


def _print_curve(evidence: Evidence) -> None:
    """Accuracy against the share of flipped labels, a row per model: what a failed rung looks like."""
    if not {"model", "flipped", "against", "accuracy"} <= set(evidence.table):
        return
    right = evidence.table[evidence.table["against"] == "gold"].dropna(subset=["flipped"])
    curves = right.pivot_table(index="model", columns="flipped", values="accuracy", sort=False)
    table = Table("flipped labels", *(f"{share:.0%}" for share in curves), title="right by the unflipped label")
    table.title_justify = "left"
    for model, curve in curves.iterrows():
        table.add_row(str(model), *(f"{accuracy:.2f}" for accuracy in curve))
    out.print(table)


@app.command()
def exam(
    model: Annotated[str, typer.Argument(help="A bundled model, a folder or a hub id.")],
    ability: Annotated[list[str] | None, typer.Option(help="An ability; give several, or none for all.")] = None,
    items: Annotated[int, typer.Option(help="Items for each ability, where the world has so many.")] = 500,
    seed: Annotated[int, typer.Option(help="Decides which items are drawn.")] = 0,
    file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file as well.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Write README.md and exam.json beside the weights.")] = False,
) -> None:
    """What can a model do, and which planted phenomena does it show? Held-out items, 95 % intervals."""
    from xllm_widgets.exam import card as cards
    from xllm_widgets.exam import sitting

    chosen, folder = sitting.choose(ability or ()), sitting.folder_of(model)
    _check_writable(file, *((folder / "README.md", folder / "exam.json") if card and folder else ()))
    paper = sitting.paper_for(model, items, seed)
    if card and folder is None:
        raise XllmError(f"{model} has no folder of its own, so its card has no place; leave out --card, or use --json.")
    results = _sit(paper, chosen)
    _print_results(model, results)
    if file:
        cards.write_json(file, results)
    if card and folder:
        written = cards.write_card(folder, results)
        out.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True)


def _check_writable(*files: Path | None) -> None:
    """XllmError, before an hour is spent on measuring, for a file that could not be written afterwards."""
    for file in filter(None, files):
        folder = file.resolve().parent
        if not folder.is_dir():
            raise XllmError(f"{file} cannot be written: there is no folder {file.parent}; make it first.")
        if file.is_dir():
            raise XllmError(f"{file} cannot be written: it is a folder; name a file in it.")
        if not os.access(file if file.exists() else folder, os.W_OK):
            raise XllmError(f"{file} cannot be written: you have no right to write there; choose another place.")


def _sit(paper: Paper, chosen: list[Ability]) -> dict[str, Result]:
    """Examine with a progress bar; the time is told first where it is more than ten seconds."""
    from xllm_widgets.exam import sitting

    with err.status("estimating the time …"):
        seconds = sitting.estimate_seconds(paper, chosen)
    if seconds > 10:
        err.print(f"{paper.lm.name}: about {duration(seconds)} here; Ctrl-C keeps what is done.")
    with _progress() as progress:
        task = progress.add_task("", total=None)

        def report(ability: Ability, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, description=ability.name)

        def skip(ability: Ability, problem: XllmError) -> None:
            progress.console.print(f"{ability.name} is left out: {problem}", markup=False, soft_wrap=True)

        return sitting.sit(paper, chosen, report, skip)


def _print_results(model: str, results: dict[str, Result]) -> None:
    """One line for each ability, and below it one for each of its groups."""
    table = Table("ability", "estimate [95 %]", "n", title=f"examination of {escape(model)}", box=None, pad_edge=False)
    table.title_justify = "left"
    above = ""
    for name, (estimate, low, high, n) in results.items():
        ability, _, group = name.partition("/")
        if group and ability != above:
            table.add_row(escape(ability))
        above = ability
        table.add_row(escape(f"  {group}" if group else ability), f"{estimate:.2f} [{low:.2f}, {high:.2f}]", str(n))
    out.print(table)


@app.command()
def twins(
    models: Annotated[list[str], typer.Argument(help="Twins of one recipe and size, one for each training seed.")],
    ability: Annotated[
        list[str] | None, typer.Option(help="An ability; those they were taught for if left out.")
    ] = None,
    items: Annotated[int, typer.Option(help="Items for each ability, where the world has so many.")] = 500,
    seed: Annotated[int, typer.Option(help="Decides which items are drawn.")] = 0,
    file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file as well.")] = None,
) -> None:
    """What did a different education change? Twins and their bases are put the same items; paired 95 % intervals."""
    from xllm_widgets.exam import sitting
    from xllm_widgets.exam import twins as paired

    _check_writable(file)
    pairs = paired.pair(models)
    chosen = paired.abilities_for(pairs, ability or ())
    with err.status("estimating the time …"):
        seconds = 2 * len(pairs) * sitting.estimate_seconds(sitting.paper_for(models[0], items, seed), chosen)
    if seconds > 10:
        err.print(f"About {duration(seconds)} here; Ctrl-C keeps what is done.")
    changes = _compare(pairs, chosen, items, seed)
    _print_changes(pairs, changes)
    if file:
        paired.write_json(file, changes)


def _compare(pairs: list[Pair], chosen: list[Ability], items: int, seed: int) -> dict[str, Change]:
    """Each ability with a progress bar; after a Ctrl-C, what was finished."""
    from xllm_widgets.exam.twins import compare

    changes: dict[str, Change] = {}
    with _progress() as progress:
        task, done = progress.add_task("", total=2 * len(pairs) * len(chosen)), count()

        def report(model: str) -> None:
            progress.update(task, completed=next(done), description=model)

        try:
            for each in chosen:
                changes |= compare(pairs, each, items, seed, report)
        except KeyboardInterrupt:
            if not changes:
                raise
    return changes


def _print_changes(pairs: list[Pair], changes: dict[str, Change]) -> None:
    """One line for each ability and group, below the names of those compared."""
    for pair in pairs:
        out.print(f"{pair.twin} beside {pair.base}", markup=False)
    table = Table("", "base", "twin", "difference [95 %]", "n", "seeds", box=None, pad_edge=False)
    for name, (base, twin, (estimate, low, high, _), n) in changes.items():
        numbers = (f"{base:.3f}", f"{twin:.3f}", f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]")
        table.add_row(escape(name), *numbers, str(n), str(len(pairs)))
    out.print(table)


@app.command()
def train(
    size: Annotated[str, typer.Option(help="0.1m, 0.3m, 1m, 3m or 7m parameters.")],
    recipe: Annotated[str, typer.Option(help="What it is taught: base, chat, or a counterfactual one.")] = "base",
    seed: Annotated[int, typer.Option(help="Decides the documents drawn and the initial weights.")] = 0,
    tokens: Annotated[int | None, typer.Option(help="How many tokens it reads, if not the usual number.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="Where the model's folder is made.")] = Path("runs"),
    keep_at: Annotated[list[int] | None, typer.Option(help="Token count at which to keep a checkpoint.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; the best there is if left out.")] = None,
) -> None:
    """Educate a Pebble; Ctrl-C stops it, and the same command takes it up again where it stood."""
    from transformers.utils import logging

    from xllm_widgets.microworld import training

    logging.disable_progress_bar()
    plan = training.make_plan(size, recipe, seed, tokens)
    done = training.Run(plan, folder / plan.name, device).step
    left = f"{duration(training.estimate_seconds(plan, device, done=done))} {'more ' if done else ''}here"
    behind = f", {done:,} of them done" if done else ""
    out.print(f"{plan.name}: {plan.tokens / 1e6:g}M tokens in {plan.steps:,} steps{behind}, about {left}.")
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


app.command()(bench)

journals = typer.Typer(help="Your lab journal: what you predicted, ran and found.", no_args_is_help=True)
app.add_typer(journals, name="journal")

Student = Annotated[str | None, typer.Option(help="Whose journal; this account's if left out.")]
Folder = Annotated[Path | None, typer.Option(help="The folder it lies in; the user's data folder if left out.")]


@journals.command()
def show(student: Student = None, folder: Folder = None) -> None:
    """How many entries there are, the score of the predictions, and how reliable the confidence behind them was."""
    _say(out, _journal(student, folder).describe())


@journals.command()
def export(
    page: Annotated[Path, typer.Argument(metavar="FILE.html", help="The page to write.")],
    student: Student = None,
    folder: Folder = None,
) -> None:
    """The journal as one HTML page that needs no network."""
    journal = _journal(student, folder)
    written = journal.export_html(page)
    _say(err, journal.notice)
    _say(out, f"Written: {written}")


@journals.command()
def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Journals, or folders of them.")],
    table: Annotated[Path, typer.Option("--out", help="The CSV table to write.")],
) -> None:
    """For instructors: the journals of a class in one table; a damaged one is named and left out."""
    from xllm_widgets.classroom import merging

    merged = merging.merge(files, table)
    for sentence in merged.skipped:
        _say(err, sentence)
    _say(out, f"{table}: {_many(len(merged.students), 'student')}, {_many(len(merged.rows), 'row')}")


def _journal(student: str | None, folder: Path | None) -> Journal:
    """The journal named, else the one that a session started here would keep."""
    from xllm_widgets.classroom import journal

    return journal.Journal(student, folder or journal.chosen_folder())


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _say(console: Console, text: str) -> None:
    """Text of a student's: no markup, no emoji names, and nothing that steers the terminal."""
    harmless = "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
    if harmless:
        console.print(harmless, markup=False, emoji=False, soft_wrap=True)


def _progress() -> Progress:
    """A bar on stderr, so that what is piped on stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    return Progress(*columns, TimeRemainingColumn(), console=err, transient=True)
