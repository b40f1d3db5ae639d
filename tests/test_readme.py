"""The README names only what is there, and says of no place that it works without naming the test."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
NAMES = dict(re.findall(r"^\[([^]]+)\]: (\S+)$", README, re.MULTILINE))


def test_every_link_to_a_file_leads_somewhere() -> None:
    targets = [*NAMES.values(), *re.findall(r"\]\(([^)\s]+)\)", README)]
    assert [each for each in targets if not each.startswith("https://") and not (ROOT / each).exists()] == []


def test_every_name_of_a_link_is_explained() -> None:
    assert set(re.findall(r"\]\[([^]]+)\]", README)) <= set(NAMES)


def test_where_it_works_is_shown_by_a_test_or_not_claimed() -> None:
    section = README.split("## Where it works")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    assert [row[0].split(":")[0] for row in rows] == [
        "JupyterLab 4", "Notebook 7", "VS Code", "Colab", "Voilà", "static page",
    ]  # fmt: skip
    for place, *cells in rows:
        assert len(cells) == 4, place
        for cell in cells:
            tests = [NAMES[name] for name in re.findall(r"\]\[([^]]+)\]", cell)]
            assert cell == "not tested here" or any(test.startswith("tests/") for test in tests), (place, cell)
