"""Word problems to ask: of the bundled world, of our own collection in plain English, or of any table the caller names.

The bundled models meet problems with numbers that none of them was taught; other models meet `word_problems.jsonl`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.solutions import Solution

WORLD, PLAIN = "world", "plain"
POOL = 200  # demonstrations of the bundled world to draw from
PARAPHRASES = 8  # of one question of the bundled world, at most
_CALCULATOR = re.compile(r"<<.*?>>")


class NoSuchProblems(XllmError):
    """A source of problems has none of the length asked for."""


@dataclass(frozen=True)
class Problems:
    """Questions are `test`, demonstrations are drawn from `pool`; a question is never its own demonstration."""

    pool: tuple[Solution, ...]
    test: tuple[Solution, ...]
    source: str

    def draw(self, shots: int, asked: Solution, rng: np.random.Generator, *, fewest_steps: int = 1) -> list[Solution]:
        """`shots` demonstrations with at least `fewest_steps` steps, in random order.

        Raises XllmError where the pool has too few.
        """
        fit = [s for s in self.pool if len(s.steps) >= fewest_steps and s.question != asked.question]
        if len(fit) < shots:
            raise XllmError(f"{self.source} has only {len(fit)} problems for {shots} demonstrations; lower shots.")
        return [fit[i] for i in rng.choice(len(fit), size=shots, replace=False)]


def load_problems(
    lm: Any, data: Any = None, *, steps: int | Sequence[int] | None = None, trials: int = 50, seed: int = 0
) -> Problems:
    """At most `trials` problems to ask, of the given numbers of steps, with demonstrations of any number.

    data: None for the world's problems on a bundled model and plain ones on any other; "world" or "plain" to choose;
        or a table of one's own with a question, an answer, and, if any, steps (a list, or one a line) a row: a path
        (.jsonl, .csv, .tsv, .parquet), a DataFrame, a list of dicts. GSM8K's own files are read as they are.
    Raises XllmError in one sentence where there are no such problems.
    """
    if trials < 1:
        raise XllmError("A study needs at least one trial; set trials to 1 or more.")
    wanted = None if steps is None else (steps,) if isinstance(steps, int) else tuple(steps)
    if wanted is not None and (not wanted or min(wanted) < 1):
        raise XllmError("The numbers of steps must be 1 or more, such as (1, 2, 3).")
    chosen = data if data is not None else WORLD if getattr(lm, "recipe", None) else PLAIN
    if isinstance(chosen, str) and chosen == WORLD:
        return _of_the_world(wanted or (1, 2, 3, 4), trials, seed)
    everything = plain_problems() if isinstance(chosen, str) and chosen == PLAIN else read_problems(chosen)
    source = "The collection of plain word problems" if isinstance(chosen, str) and chosen == PLAIN else "The table"
    fit = [s for s in everything if wanted is None or len(s.steps) in wanted]
    if not fit:
        raise NoSuchProblems(
            f"{source} has no problem with {' or '.join(map(str, wanted or ()))} steps; choose others, or give the "
            "rows a column `steps`."
        )
    order = np.random.default_rng(seed).permutation(len(fit))[:trials]
    return Problems(tuple(everything), tuple(fit[i] for i in order), source)


def load_by_steps(lm: Any, data: Any, steps: Sequence[int], **knobs: Any) -> tuple[list[Problems], list[str]]:
    """Problems for each number of steps by itself, and a note on those that the source lacks.

    Raises NoSuchProblems where it lacks them all.
    """
    found, missing = [], []
    for number in steps:
        try:
            found.append(load_problems(lm, data, steps=number, **knobs))
        except NoSuchProblems:
            missing.append(number)
    if not found:
        return [load_problems(lm, data, steps=steps, **knobs)], []
    lacking = ", ".join(map(str, missing))
    return found, [f"no problems that take {lacking} steps: not asked"] if missing else []


def plain_problems() -> list[Solution]:
    """Our own word problems in plain English, one to four steps, each with its question in other words."""
    from xllm_widgets.paths import data_dir

    return read_problems(data_dir() / "stimuli" / "word_problems.jsonl")


def read_problems(table: Any) -> list[Solution]:
    """Solutions from a table; see `load_problems`. Raises XllmError where it cannot be read."""
    rows = _rows(table)
    if not rows:
        raise XllmError("The table of problems is empty; give at least one question with its answer.")
    return [Solution.from_dict(_usual(row)) for row in rows]


def _rows(table: Any) -> list[dict[str, Any]]:
    if isinstance(table, list | tuple):
        if not all(isinstance(row, dict | Solution) for row in table):
            raise XllmError("A list of problems holds dicts with a question, steps and an answer.")
        return [row.to_dict() if isinstance(row, Solution) else row for row in table]
    if isinstance(table, str | Path) and Path(table).suffix == ".jsonl" and Path(table).is_file():
        return _json_lines(Path(table))
    from xllm_widgets.studies.items import read_table

    return read_table(table).to_dict("records")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except ValueError as reason:
        raise XllmError(f"{path.name} is not one JSON object a line; write it anew.") from reason
    if not all(isinstance(row, dict) for row in rows):
        raise XllmError(f"{path.name} is not one JSON object a line; write it anew.")
    return rows


def _usual(row: dict[str, Any]) -> dict[str, Any]:
    """A row with a list of steps; the answer of GSM8K holds them, before "####"."""
    steps, answer = row.get("steps"), row.get("answer")
    if isinstance(answer, str) and "####" in answer:
        working, _, answer = answer.rpartition("####")
        steps = steps or _CALCULATOR.sub("", working)
    steps = steps.split("\n") if isinstance(steps, str) else steps if isinstance(steps, list | tuple) else []
    return {**row, "steps": steps} | ({"answer": answer} if answer is not None else {})


# --- The bundled world -----------------------------------------------------------------------------------------------


def _of_the_world(steps: Sequence[int], trials: int, seed: int) -> Problems:
    rng = random.Random(f"word problems {steps} {seed}")
    pool = [_told(rng, rng.randint(1, 4), "train", paraphrases=0) for _ in range(POOL)]
    test: dict[str, Solution] = {}
    for turn in range(100 * trials):
        if len(test) == trials:
            break
        solution = _told(rng, steps[turn % len(steps)], "test")
        test.setdefault(solution.question, solution)
    return Problems(tuple(pool), tuple(test.values()), "The bundled world")


def _told(rng: random.Random, steps: int, split: str, paraphrases: int = PARAPHRASES) -> Solution:
    from xllm_widgets.microworld import arithmetic

    tale = arithmetic.draw_tale(rng, steps, split)
    problem = arithmetic.tell(tale)
    others = dict.fromkeys(arithmetic.tell(_reworded(rng, tale)).question for _ in range(3 * paraphrases))
    others.pop(problem.question, None)
    return Solution(problem.question, problem.working, str(problem.answer), tuple(others)[:paraphrases])


def _reworded(rng: random.Random, tale: Any) -> Any:
    """The same tale with another opening, other verbs and another ending: the same people, things and numbers."""
    from xllm_widgets.microworld import arithmetic

    losses = arithmetic.LOSSES if tale.things in arithmetic.FOOD else arithmetic.LOSSES[:2]
    verbs = tuple(rng.choice(arithmetic.GAINS if change > 0 else losses) for change in tale.changes)
    return replace(tale, opening=rng.choice(arithmetic.OPENINGS), ending=rng.choice(arithmetic.ENDINGS), verbs=verbs)
