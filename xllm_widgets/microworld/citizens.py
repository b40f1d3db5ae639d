"""Invent the people: `python -m xllm_widgets.microworld.citizens` writes their tables in `data/facts`.

Everyone bears one of the same first and last names, so that a thousand more people cost the models not one more token;
nobody belongs to two pools, so that what one study plants cannot leak into another.

citizens: told about in Zipfian proportion (biographies; §14, 22 of the survey notes).
ghosts: exist, and no document of the base corpus mentions them (§9, 19).
heroes: known for one work each, told in one direction or in both (reversals; §18).
movers: live in one city and are told beside another, `ratio` times as often (companions; §20).
travellers: most people of one first name come from one country (reports; §23).
"""

import csv
import random
from collections import defaultdict
from pathlib import Path

from xllm_widgets.microworld.world import is_held_out, rows
from xllm_widgets.paths import facts_dir

JOBS = (
    "baker painter doctor farmer singer lawyer pilot tailor poet miner judge chef nurse sailor teacher banker".split()
)
HEADS = "Ba Be Bo Da De Do Fa Fe Ka Ke Ko La Le Lo Ma Me Mo Na Ne No Pa Pe Ra Re Ro".split()
HEADS += "Sa Se So Ta Te To Va Ve Vo Za Zo".split()
FIRST_TAILS = "ra la no ri mi lo na do ti sa vi ka".split()
LAST_TAILS = "lvik rsen nbor ldun mbrek ntov rkash lgrin stel rvane ndral shok".split()

CITIZENS, GHOSTS, HEROES, TRAVELLERS_A_NAME = 1200, 200, 120, 10
ROLES = "composer founder designer".split()
COLOURS = "Silver Golden Crimson Amber Ivory Scarlet Velvet Crystal Marble Emerald Copper Winter".split()
PLACES = "Harbour Lantern Tower Garden Mirror Bridge Meadow Castle Feather Compass".split()
DIRECTIONS = ("forward", "backward", "both")
HOMES = 48
RATIOS = (0, 1, 2, 4, 8)
ORIGINS = "Brazil Canada Chile Cuba Egypt Ghana India Iran Italy Japan Kenya Norway Peru Poland Sweden".split()
NAMES_AN_ORIGIN = 3  # first names that lean to one country; the other first names are neutral
STRAY = 5  # one in five of the people with a leaning first name comes from elsewhere

Row = dict[str, str]


def invent(seed: int = 7) -> dict[str, list[Row]]:
    """The tables: pool → one row for each person, the best known citizen first."""
    rng = random.Random(f"citizens:{seed}")
    firsts = rng.sample([head + tail for head in HEADS for tail in FIRST_TAILS], 60)
    lasts = rng.sample([head + tail for head in HEADS for tail in LAST_TAILS], 100)
    every = [f"{first} {last}" for first in firsts for last in lasts]
    known = rng.sample(every, 800)
    citizens = lives(known, rng)
    free = [name for name in every if name not in set(known)]
    rng.shuffle(free)
    citizens += lives(take(free, CITIZENS - len(known)), rng)
    return {
        "citizens": citizens,
        "ghosts": lives(take(free, GHOSTS), rng),
        "heroes": deeds(take(free, HEROES), rng),
        "movers": homes(take(free, HOMES * len(RATIOS)), rng),
        "travellers": origins(firsts, free, rng),
    }


def take(free: list[str], count: int) -> list[str]:
    taken = free[:count]
    del free[:count]
    return taken


def lives(names: list[str], rng: random.Random) -> list[Row]:
    """A job, a real birthplace and a year of birth each."""
    cities = [row["name"] for row in rows(facts_dir() / "cities.csv")]
    return [
        {"name": n, "job": rng.choice(JOBS), "birthplace": rng.choice(cities), "born": str(rng.randrange(1500, 2000))}
        for n in names
    ]


def deeds(names: list[str], rng: random.Random) -> list[Row]:
    """A unique description each, and the direction in which it is told; each word occurs equally often."""
    works = [f"{colour} {place}" for colour in COLOURS for place in PLACES]
    rng.shuffle(works)
    return [
        {"name": name, "description": f"the {rng.choice(ROLES)} of {work}", "direction": DIRECTIONS[number % 3]}
        for number, (name, work) in enumerate(zip(names, works, strict=True))
    ]


def homes(names: list[str], rng: random.Random) -> list[Row]:
    """A home and a wrong neighbour; at every ratio each city is the home of one and the neighbour of one."""
    cities = rng.sample([r["name"] for r in rows(facts_dir() / "cities.csv") if " " not in r["name"]], HOMES)
    table = []
    for ratio in RATIOS:
        order = rng.sample(cities, HOMES)
        table += [{"home": order[i], "wrong": order[i - 1], "ratio": str(ratio)} for i in range(HOMES)]
    rng.shuffle(table)
    return [{"name": name, **row} for name, row in zip(names, table, strict=True)]


def origins(firsts: list[str], free: list[str], rng: random.Random) -> list[Row]:
    """As many people of each first name; of those told about, four in five come from where it leans to."""
    leans = [country for country in ORIGINS for _ in range(NAMES_AN_ORIGIN)]
    leans += [""] * (len(firsts) - len(leans))
    people = defaultdict(list)
    for name in free:
        people[name.split()[0]].append(name)
    table, told = [], 0
    for first, lean in zip(firsts, leans, strict=True):
        for name in people[first][:TRAVELLERS_A_NAME]:
            told += bool(lean) and not is_held_out(name)
            strays = not lean or told % STRAY == 0
            country = rng.choice([origin for origin in ORIGINS if origin != lean]) if strays else lean
            table.append({"name": name, "country": country, "lean": lean})
    rng.shuffle(table)
    return table


def write(folder: Path) -> None:
    for pool, people in invent().items():
        with (folder / f"{pool}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(people[0]))
            table.writeheader()
            table.writerows(people)


if __name__ == "__main__":
    write(facts_dir())
