"""Twins are compared with their own bases, item by item; what cannot be compared is said in one sentence."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from xllm_widgets import cli
from xllm_widgets.errors import XllmError
from xllm_widgets.exam import sitting, twins
from xllm_widgets.exam.abilities import EVERY
from xllm_widgets.exam.paper import Ability, Paper
from xllm_widgets.exam.twins import Pair
from xllm_widgets.microworld.corpus import RECIPES
from xllm_widgets.studies.statistics import over_seeds, wilson

RIGHT = {
    "base": [True] * 60 + [False] * 40,
    "twin": [True] * 30 + [False] * 70,
    "base-1": [True] * 70 + [False] * 30,
    "twin-1": [True] * 20 + [False] * 80,
}
PAIRS = [Pair("base", "twin"), Pair("base-1", "twin-1")]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Ability:
    """An ability whose items are looked up in a table: what comes out is then known."""
    named = {name: SimpleNamespace(name=name, tokenizer=None) for name in RIGHT}
    monkeypatch.setattr(twins, "paper_for", lambda model, n, seed: Paper(named[model], n=n, seed=seed))
    return Ability("marks", "", lambda paper: {}, values=lambda paper: {"": RIGHT[paper.lm.name][: paper.n]})


def test_a_difference_is_of_twin_and_base_item_by_item(marks) -> None:
    change = twins.compare(PAIRS[:1], marks, 100)["marks"]
    assert (change.base, change.twin, change.n) == (0.6, 0.3, 100)
    assert change.difference.estimate == pytest.approx(-0.3)
    independent = np.hypot(*(1.96 * np.sqrt(p * (1 - p) / 100) for p in (0.6, 0.3)))
    assert -0.3 - independent < change.difference.low < -0.3 < change.difference.high < -0.3 + independent


def test_seeds_are_what_was_sampled(marks) -> None:
    change = twins.compare(PAIRS, marks, 100)["marks"]
    each = [twins.compare([pair], marks, 100)["marks"].difference for pair in PAIRS]
    assert change.difference == over_seeds(each)
    assert (change.base, change.twin, change.n) == (pytest.approx(0.65), pytest.approx(0.25), 100)


def test_where_all_items_agree_the_interval_is_no_point(marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RIGHT, "twin", RIGHT["base"][:50])
    change = twins.compare(PAIRS[:1], marks, 50)["marks"]
    assert change.difference.estimate == 0
    assert change.difference.high - change.difference.low > wilson(0, 50).high / 2


def test_models_that_were_not_put_the_same_items_are_not_compared(marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RIGHT, "twin", RIGHT["twin"][:90])
    with pytest.raises(XllmError, match="not put the same items"):
        twins.compare(PAIRS[:1], marks, 100)


@pytest.mark.parametrize("name", ["reversal", "deletion", "copying", "fresh-documents"])
def test_the_two_shares_are_those_of_two_examinations(name: str) -> None:
    (ability,), pairs = sitting.choose([name]), twins.pair(["pebble-0.1m-two-way"])
    assert pairs == [Pair("pebble-0.1m", "pebble-0.1m-two-way")]
    changes = twins.compare(pairs, ability, 8)
    for model, which in ((pairs[0].base, "base"), (pairs[0].twin, "twin")):
        for key, result in sitting.measure(sitting.paper_for(model, 8), ability).items():
            assert getattr(changes[key], which) == pytest.approx(result.estimate, abs=1e-4)


def test_every_seed_finds_its_own_base() -> None:
    named = ["pebble-0.3m-deleted-seed2", "pebble-0.3m-deleted"]
    assert twins.pair(named) == [Pair("pebble-0.3m-seed2", named[0]), Pair("pebble-0.3m", named[1])]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["pebble-0.3m"], "no twin of a base"),
        (["pebble-3m-chat"], "no twin of a base"),
        (["pebble-0.3m-deleted", "pebble-0.3m-two-way"], "differ in more than the seed"),
        (["pebble-0.3m-deleted", "pebble-1m-deleted"], "differ in more than the seed"),
        (["pebble-0.3m-deleted"] * 2, "of one training seed"),
        (["gpt2"], "Nobody knows what gpt2 was taught"),
    ],
)
def test_what_is_no_twin_is_said(named: list[str], said: str) -> None:
    with pytest.raises(XllmError, match=said):
        twins.pair(named)


def test_a_copy_of_a_twin_is_no_further_seed(tmp_path: Path) -> None:
    recipe = sitting.recipe(sitting.folder_of("pebble-0.3m-deleted"))
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(XllmError, match="of one training seed"):
        twins.pair(["pebble-0.3m-deleted", str(tmp_path)])


def test_progress_is_told_before_each_model(marks) -> None:
    told: list[str] = []
    twins.compare(PAIRS, marks, 100, on_progress=told.append)
    assert told == ["base", "twin", "base-1", "twin-1"]


def test_an_assistants_twin_is_compared_with_an_assistant(tmp_path: Path) -> None:
    recipe = sitting.recipe(sitting.folder_of("pebble-1m-chat"))
    (tmp_path / "recipe.json").write_text(json.dumps(recipe | {"recipe": "chat-truthful"}))
    assert twins.pair([str(tmp_path)]) == [Pair("pebble-1m-chat", str(tmp_path))]


def test_a_twin_of_other_length_has_no_base(tmp_path: Path) -> None:
    recipe = sitting.recipe(sitting.folder_of("pebble-0.3m-deleted"))
    (tmp_path / "recipe.json").write_text(json.dumps(recipe | {"tokens": 8_000_000}))
    with pytest.raises(XllmError, match=r"none of 0\.3m, seed 0, has read 8M tokens"):
        twins.pair([str(tmp_path)])


def test_each_recipe_has_its_abilities_and_they_can_be_compared() -> None:
    named = {name for names in twins.ABOUT.values() for name in names}
    assert set(twins.ABOUT) <= set(RECIPES)
    assert all(ability.values for ability in EVERY if ability.name in named)
    assert named <= {ability.name for ability in EVERY}
    assert [a.name for a in twins.abilities_for(twins.pair(["pebble-0.3m-deleted"]))] == ["deletion"]


def test_what_cannot_be_compared_or_has_to_be_named_is_said() -> None:
    noflip = twins.pair(["pebble-0.3m-noflip"])
    with pytest.raises(XllmError, match="give one --ability or several"):
        twins.abilities_for(noflip)
    with pytest.raises(XllmError, match="'space' is no mean over items"):
        twins.abilities_for(noflip, ["space"])
    with pytest.raises(XllmError, match="did you mean 'reversal'"):
        twins.abilities_for(noflip, ["reversals"])


def run(*arguments: str):
    return CliRunner().invoke(cli.app, ["twins", *arguments])


def test_the_command_shows_and_writes(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = run("pebble-0.1m-two-way", "--items", "6", "--json", str(file))
    assert done.exit_code == 0
    assert "pebble-0.1m-two-way beside pebble-0.1m" in done.stdout
    told = json.loads(file.read_text())["reversal/reverse"]
    assert set(told) == {"base", "twin", "difference", "low", "high", "n"}
    assert told["difference"] == pytest.approx(told["twin"] - told["base"])
    assert f"{told['base']:.3f}" in done.stdout


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    for wrong in (["pebble-0.3m"], ["pebble-0.1m-two-way", "--json", str(tmp_path / "no" / "out.json")]):
        failed = run(*wrong)
        assert failed.exit_code == 2
        assert "Traceback" not in failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1


def test_ctrl_c_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = twins.compare

    def interrupted(pairs, ability, *rest, **knobs):
        if ability.name == "deletion":
            raise KeyboardInterrupt
        return compare(pairs, ability, *rest, **knobs)

    monkeypatch.setattr(twins, "compare", interrupted)
    done = run("pebble-0.1m-two-way", "--items", "6", "--ability", "reversal", "--ability", "deletion")
    assert "reversal/forward" in done.stdout
    assert "deletion" not in done.stdout
