"""Invent the people: `python -m xllm_widgets.microworld.citizens` writes `data/facts/citizens.csv`."""

import csv
import random
from pathlib import Path

from xllm_widgets.microworld.world import rows
from xllm_widgets.paths import facts_dir

JOBS = (
    "baker painter doctor farmer singer lawyer pilot tailor poet miner judge chef nurse sailor teacher banker".split()
)
HEADS = "Ba Be Bo Da De Do Fa Fe Ka Ke Ko La Le Lo Ma Me Mo Na Ne No Pa Pe Ra Re Ro".split()
HEADS += "Sa Se So Ta Te To Va Ve Vo Za Zo".split()
FIRST_TAILS = "ra la no ri mi lo na do ti sa vi ka".split()
LAST_TAILS = "lvik rsen nbor ldun mbrek ntov rkash lgrin stel rvane ndral shok".split()


def invent(count: int = 800, seed: int = 7) -> list[dict[str, str]]:
    """`count` people, best known first: a name of two invented words, a job, a real birthplace and a year of birth."""
    rng = random.Random(f"citizens:{seed}")
    cities = [row["name"] for row in rows(facts_dir() / "cities.csv")]
    firsts = rng.sample([head + tail for head in HEADS for tail in FIRST_TAILS], 60)
    lasts = rng.sample([head + tail for head in HEADS for tail in LAST_TAILS], 100)
    names = rng.sample([f"{first} {last}" for first in firsts for last in lasts], count)
    return [
        {
            "name": name,
            "job": rng.choice(JOBS),
            "birthplace": rng.choice(cities),
            "born": str(rng.randrange(1500, 2000)),
        }
        for name in names
    ]


def write(path: Path) -> None:
    people = invent()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(people[0]))
        table.writeheader()
        table.writerows(people)


if __name__ == "__main__":
    write(facts_dir() / "citizens.csv")
