"""What an examination leaves behind: JSON for machines, a card without one number typed by hand, columns of a table."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xllm_widgets import cli
from xllm_widgets.errors import LabelError, XllmError
from xllm_widgets.exam import card, sitting
from xllm_widgets.exam.abilities import EVERY
from xllm_widgets.exam.headlines import HEADLINES, headlines
from xllm_widgets.exam.paper import Ability, Paper
from xllm_widgets.exam.scoring import Result
from xllm_widgets.models import bundled_models, catalogue
from xllm_widgets.models.catalogue import bundled_folder
from xllm_widgets.studies.progress import current

RESULTS = {
    "verdicts": Result(0.912, 0.88, 0.93, 500),
    "facts/head": Result(0.954, 0.91, 0.98, 144),
    "attestation/ratio, random": Result(float("nan"), float("nan"), float("nan"), 0),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest bundled model in a folder of its own, never examined."""
    place = tmp_path / "pebble-tiny"
    shutil.copytree(bundled_folder(bundled_models()[0]), place, ignore=shutil.ignore_patterns("checkpoints", "*.md"))
    (place / "exam.json").unlink(missing_ok=True)
    return place


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "out", cli.Console(highlight=False, width=240))
    monkeypatch.setattr(cli, "err", cli.Console(stderr=True, highlight=False, width=240))


def run(*arguments: str):
    return CliRunner().invoke(cli.app, ["exam", *arguments])


def test_json_has_four_numbers_an_ability_and_null_for_none(tmp_path: Path) -> None:
    card.write_json(tmp_path / "out.json", RESULTS)
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["facts/head"] == {"estimate": 0.954, "low": 0.91, "high": 0.98, "n": 144}
    assert told["attestation/ratio, random"]["estimate"] is None


def test_every_number_of_the_results_comes_from_the_examination(folder: Path) -> None:
    card.write_card(folder, RESULTS)
    text = (folder / "README.md").read_text()
    rows = [line for line in text.split("## Examination")[1].splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(RESULTS)
    examined = json.loads((folder / "exam.json").read_text())
    for row, result in zip(rows, examined.values(), strict=True):
        numbers = [float(number) for number in re.findall(r"\d+\.?\d*", row)]
        assert numbers == pytest.approx([value for value in result.values() if value is not None])
    recipe = json.loads((folder / "recipe.json").read_text())
    assert f"{recipe['parameters']:,}" in text
    assert recipe["fingerprint"] in text


def test_a_card_says_nothing_but_what_the_files_beside_it_say(folder: Path) -> None:
    card.write_card(folder, RESULTS)
    assert card.render(folder) == (folder / "README.md").read_text()
    shape = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(shape | {"hidden_size": 4321}))
    assert "width 4321" in card.render(folder)


def test_examining_one_ability_again_keeps_the_others(folder: Path) -> None:
    card.write_card(folder, RESULTS)
    card.write_card(folder, {"verdicts": Result(0.5, 0.4, 0.6, 90)})
    examined = json.loads((folder / "exam.json").read_text())
    assert (examined["verdicts"]["n"], examined["facts/head"]["n"]) == (90, 144)


def test_an_ability_examined_later_stands_where_the_course_has_it(folder: Path) -> None:
    card.write_card(folder, RESULTS)
    for late in ("space/latitude", "space/longitude"):
        card.write_card(folder, {late: Result(0.9, 0.8, 0.95, 50)})
    abilities = [name.partition("/")[0] for name in json.loads((folder / "exam.json").read_text())]
    assert abilities == sorted(abilities, key=[ability.name for ability in EVERY].index)
    assert abilities.index("facts") < abilities.index("space") < abilities.index("verdicts")


def test_groups_that_an_ability_no_longer_has_leave_the_card(folder: Path) -> None:
    card.write_card(
        folder, RESULTS | {"facts/told once": Result(0.0, 0.0, 0.2, 13), "verdicts/job": RESULTS["verdicts"]}
    )
    card.write_card(folder, {"facts/head": RESULTS["facts/head"]})
    examined = json.loads((folder / "exam.json").read_text())
    assert list(examined) == ["facts/head", "verdicts", "verdicts/job", "attestation/ratio, random"]
    assert "told once" not in (folder / "README.md").read_text()


def test_headlines_are_read_from_the_examination(folder: Path) -> None:
    assert headlines(folder) == {}
    card.write_card(folder, RESULTS)
    assert headlines(folder) == {"head facts": "95%", "verdicts": "91%"}


def test_headlines_name_abilities_that_are_examined() -> None:
    known = {ability.name for ability in sitting.choose()}
    assert {key.partition("/")[0] for key in HEADLINES.values()} <= known


def test_models_shows_headlines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path)
    for name in ("pebble-1m", "pebble-3m"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    card.write_card(tmp_path / "pebble-3m", RESULTS)
    lines = CliRunner().invoke(cli.app, ["models"]).stdout.splitlines()
    assert (lines[0].split(), "facts" in lines[1].split()) == (["head"], True)
    cells = {line.split()[0]: line.split() for line in lines[1:]}
    assert "95%" in cells["pebble-3m"]
    assert "95%" not in cells["pebble-1m"]


def test_the_command_examines_writes_and_shows(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = run(
        str(folder), "--items", "6", "--ability", "verdicts", "--ability", "membership", "--json", str(file), "--card"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(file.read_text())
    assert told == json.loads((folder / "exam.json").read_text())
    assert {"verdicts", "verdicts/negated", "membership/implied"} <= set(told)
    for result in told.values():
        assert set(result) == {"estimate", "low", "high", "n"}
        assert 0 <= result["low"] <= result["estimate"] <= result["high"] <= 1
    assert told["verdicts"]["n"] == 6
    assert "implied" in done.stdout


def test_items_are_the_same_for_the_same_seed(folder: Path) -> None:
    chosen = sitting.choose(["verdicts"])
    first, again, other = (sitting.sit(sitting.paper_for(str(folder), 20, seed), chosen) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pebble-9m"], "There is no model 'pebble-9m'"),
        ([bundled_models()[0], "--ability", "verdict"], "did you mean 'verdicts'?"),
        ([bundled_models()[0], "--items", "0"], "at least one item"),
        ([bundled_models()[0], "--json", "/nowhere/at/all.json"], "there is no folder"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_cannot_be_written_is_refused_before_the_examination(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_sit", lambda *_: pytest.fail("examined in vain"))
    done = run(str(folder), "--json", str(tmp_path))
    assert (done.exit_code, done.stderr) == (2, f"{tmp_path} cannot be written: it is a folder; name a file in it.\n")
    monkeypatch.setattr(cli.os, "access", lambda path, mode: Path(path) != folder)  # whoever tests may be root
    done = run(str(folder), "--card")
    assert done.exit_code == 2
    assert f"{folder / 'README.md'} cannot be written: you have no right to write there" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_ability_without_likeness_is_told_what_there_is() -> None:
    with pytest.raises(XllmError, match=r"there are .*verdicts"):
        sitting.choose(["zzzzzzzz"])


def test_the_base_of_a_chat_model_is_part_of_its_education(folder: Path) -> None:
    base = json.loads((folder / "recipe.json").read_text())
    chat = folder.parent / "chat"
    chat.mkdir()
    (chat / "recipe.json").write_text(json.dumps(base | {"begins_with": "base", "documents_seen": 7}))
    folder.rename(folder.parent / f"pebble-{base['size']}")
    assert [corpus.length for corpus in sitting.education(chat)] == [base["documents_seen"], 7]
    assert sitting.education(None) == ()


def test_a_stop_keeps_the_abilities_that_were_finished(answer_book) -> None:
    def interrupt(paper: Paper) -> dict[str, Result]:
        raise KeyboardInterrupt

    def swallow(paper: Paper) -> dict[str, Result]:  # as a study does, which keeps its finished parts
        current().stopped = True
        return {"": RESULTS["verdicts"]}

    done = Ability("done", "", lambda paper: {"": RESULTS["verdicts"]})
    for way in (interrupt, swallow):
        paper, stopped = Paper(answer_book(str)), Ability("stopped", "", way)
        assert set(sitting.sit(paper, [done, stopped, done])) == {"done"}
        with pytest.raises(KeyboardInterrupt):
            sitting.sit(paper, [stopped])


def test_what_a_model_cannot_be_asked_is_left_out_and_told(answer_book) -> None:
    def refuse(paper: Paper) -> dict[str, Result]:
        raise LabelError("These labels look alike.")

    abilities = [Ability("odd", "", refuse), Ability("done", "", lambda paper: {"": RESULTS["verdicts"]})]
    told: list[str] = []

    def skip(ability: Ability, problem: XllmError) -> None:
        told.append(f"{ability.name}: {problem}")

    assert set(sitting.sit(Paper(answer_book(str)), abilities, on_skip=skip)) == {"done"}
    assert told == ["odd: These labels look alike."]
    with pytest.raises(LabelError):
        sitting.sit(Paper(answer_book(str)), abilities)


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_card_says_what_its_files_say(name: str) -> None:
    folder = bundled_folder(name)
    assert (folder / "README.md").read_text("utf-8") == card.render(folder)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, None),
        ({"tokens_in_that_time": 400}, "a card, 1.5 minutes"),
        ({"tokens_in_that_time": 100}, "a card, 1.5 minutes for the last 100 of these tokens"),
    ],
)
def test_a_card_says_where_and_how_long_as_far_as_it_is_known(told: dict, said: str | None) -> None:
    taught = {"tokens_seen": 400} | ({"trained_on": "a card", "seconds": 90} | told if told else {})
    assert card._where(taught) == said
