"""Walks over every exercise there is: wrong answers rejected by name with a counterexample, right ones accepted."""

import re
from pathlib import Path

import nbformat
import pytest

from xllm_widgets.classroom.chapters import EXERCISES
from xllm_widgets.classroom.exercises import Exercise

SEEDS = range(20)
FEWEST = 3  # wrong answers, and right ones
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def rejected(exercise: Exercise) -> int:
    """How many of its mistakes are rejected for every seed, each with its misconception and a counterexample."""
    count = 0
    for mistake in exercise.mistakes:
        said = [exercise.check(mistake.answer, seed) for seed in SEEDS]
        named = all(each.misconception == mistake.misconception and not each.right for each in said)
        shown = all("it gives" in each.text if exercise.variant else mistake.because in each.text for each in said)
        count += named and shown and bool(exercise.variant or mistake.because)
    return count


def accepted(exercise: Exercise) -> int:
    return sum(all(exercise.check(answer, seed).right for seed in SEEDS) for answer in exercise.right_answers)


def test_every_checker_rejects_its_wrong_answers_and_accepts_its_right_ones(capsys: pytest.CaptureFixture) -> None:
    found = {name: (rejected(each), accepted(each)) for name, each in EXERCISES.items()}
    expected = {name: (len(each.mistakes), len(each.right_answers)) for name, each in EXERCISES.items()}
    wrong, right = (sum(counts) for counts in zip(*found.values(), strict=True))
    with capsys.disabled():
        print(f"\n{len(found)} exercises, {len(SEEDS)} seeds: {wrong} wrong answers rejected, {right} right accepted")
        for name, counts in found.items():
            print(f"  {name}: {counts[0]} of {expected[name][0]} rejected, {counts[1]} of {expected[name][1]} accepted")
    assert found == expected
    assert all(min(counts) >= FEWEST for counts in found.values())


@pytest.mark.parametrize("name", [name for name, each in EXERCISES.items() if each.variant])
def test_right_answers_are_written_differently(name: str) -> None:
    codes = {function.__code__.co_code for function in EXERCISES[name].right_answers}
    assert len(codes) == len(EXERCISES[name].right_answers)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_every_exercise_that_a_notebook_sets_is_walked_over(path: Path) -> None:
    code = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")
    names = re.findall(r"""\b(?:exercise|check)\(\s*["']([^"']+)""", code)
    assert names
    assert set(names) <= set(EXERCISES)
