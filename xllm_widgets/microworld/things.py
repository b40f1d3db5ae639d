"""Name the things of the taxonomy: `python -m xllm_widgets.microworld.things` writes `data/facts/things.csv`."""

import csv
import random
from pathlib import Path

from xllm_widgets.microworld.citizens import FIRST_TAILS, HEADS
from xllm_widgets.microworld.taxonomy import KINDS
from xllm_widgets.paths import facts_dir

OF_A_KIND, FREE, GHOSTS = 5, 30, 30


def invent(seed: int = 7) -> list[dict[str, str]]:
    """Three syllables a name, so that no thing is called like a person; five of each kind, then free, then ghosts."""
    rng = random.Random(f"things:{seed}")
    pool = [head + a + b for head in HEADS for a in FIRST_TAILS for b in FIRST_TAILS if a != b]
    names = iter(rng.sample(pool, OF_A_KIND * len(KINDS) + FREE + GHOSTS))
    table = [{"name": next(names), "kind": kind, "role": "told"} for kind in KINDS for _ in range(OF_A_KIND)]
    return table + [{"name": n, "kind": "", "role": "free" if i < FREE else "ghost"} for i, n in enumerate(names)]


def write(path: Path) -> None:
    table = invent()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]))
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    write(facts_dir() / "things.csv")
