"""Educate the bundled Pebbles, examine each, and put them where the package finds them.

    python scripts/train_family.py                          (all that are not there yet, one after another)
    python scripts/train_family.py pebble-3m pebble-3m-chat
    python scripts/train_family.py --list

Each is what `xllm train` makes, in `runs/`; a Ctrl-C loses nothing, the same command goes on. A chat model goes on from
its base, so that comes first. The time is told before each.

A twin is small where the effect shows there; where the small one's card says that it hardly does, a larger one is to
stand beside it. At 0.3M whether a model learns to look things up in its prompt is a matter of chance, so that one twin
by itself says little about copying or faithful replies: those of repeated data and of unfaithful replies have three
training seeds, and `xllm twins` tells how far these differ.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from xllm_widgets.cli import app
from xllm_widgets.microworld import training
from xllm_widgets.paths import models_dir

RUNS = Path("runs")
YOUNG = tuple(round(millions * 1e6) for millions in (0.5, 1, 2, 3, 4, 6, 8, 10, 12, 16))
FAMILY = [
    training.make_plan(size, recipe, seed)
    for recipe, seed, sizes in (
        ("base", 0, ("0.1m", "0.3m", "1m", "3m")),
        ("chat", 0, ("1m", "3m")),
        ("base", 1, ("0.1m", "0.3m", "1m")),
        ("base", 2, ("0.1m", "0.3m", "1m")),
        ("noflip", 0, ("0.3m",)),
        ("two-way", 0, ("0.1m", "0.3m")),
        ("deleted", 0, ("0.1m", "0.3m", "1m")),
        ("deleted", 1, ("0.3m",)),
        ("deleted", 2, ("0.3m",)),
        ("shuffled-names", 0, ("0.1m", "0.3m")),
        ("faithful", 0, ("0.3m",)),
        *(("unfaithful-60", seed, ("0.3m",)) for seed in range(3)),
        *((f"repeated-{times}", seed, ("0.3m",)) for seed in range(3) for times in (10, 100, 1000)),
    )
    for size in sizes
]
CHECKPOINTS = {"pebble-0.3m": YOUNG}  # whose earlier states show the order in which abilities appear


def xllm(*arguments: str) -> None:
    """Run one command of `xllm`; SystemExit, with its code, if it did not finish: what comes next needs its work."""
    if code := app(list(arguments), standalone_mode=False):  # which returns the code of a Ctrl-C (130) or a mistake (2)
        raise SystemExit(code)


def educate(plan: training.Plan) -> None:
    """Train one model, publish it with its checkpoints, and write its card."""
    kept = [word for count in CHECKPOINTS.get(plan.name, ()) for word in ("--keep-at", str(count))]
    xllm("train", "--size", plan.size, "--recipe", plan.recipe, "--seed", str(plan.seed), "--out", str(RUNS), *kept)
    wanted = [f"{count / 1e6:g}M" for count in CHECKPOINTS.get(plan.name, ())]
    publish(RUNS / plan.name, models_dir() / plan.name, wanted)
    xllm("exam", plan.name, "--card")


def publish(run: Path, home: Path, checkpoints: Sequence[str] = ()) -> None:
    """Copy a finished run, with these of its checkpoints, beside the models, then swap: no half a model is ever there.

    Not among the models: whatever folder there holds a config.json is one of them.
    """
    fresh, old = (home.parent.with_name(f"{home.name}.{age}") for age in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(run, fresh, ignore=shutil.ignore_patterns("state*", "checkpoints"))
    for name in checkpoints:
        shutil.copytree(run / "checkpoints" / name, fresh / "checkpoints" / name)
    if home.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        home.rename(old)
    fresh.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="models to make anew; all that are missing when none is named")
    parser.add_argument("--list", action="store_true", help="say which there are, and stop")
    asked = parser.parse_args()
    plans = {plan.name: plan for plan in FAMILY}
    if asked.list:
        print("\n".join(plans))
        return
    if unknown := [name for name in asked.names if name not in plans]:
        parser.error(f"there is no {unknown[0]} in the family: choose from {', '.join(plans)}")
    for name in asked.names or [name for name in plans if not (models_dir() / name / "exam.json").is_file()]:
        educate(plans[name])


if __name__ == "__main__":
    main()
