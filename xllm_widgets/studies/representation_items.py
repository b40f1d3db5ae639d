"""What chapter 03 asks about: facts that can go on truly or falsely, honest and lying voices, judged statements.

Bundled models are asked in the forms they read in their education; a model from a hub about the same real cities,
countries and events, in English that any model can read. Invented people are left out there: nobody else knows them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xllm_widgets.errors import XllmError
from xllm_widgets.studies.items import read_table

if TYPE_CHECKING:
    import pandas as pd

    from xllm_widgets.microworld.statements import Statement

REAL_KINDS = ("country", "direction", "order")
WORLD_KINDS = (*REAL_KINDS, "job")
FALSE_ENDINGS = 3  # on a foreign model, where an ending may have several tokens and so costs a row of its own
OPPOSITE_WORDS = ("north", "south", "east", "west", "older", "younger")
TRUE_WORDS, FALSE_WORDS = {"true", "1", "1.0", "yes"}, {"false", "0", "0.0", "no"}


@dataclass(frozen=True)
class Fact:
    """A statement up to where it must be decided: `stem` "Oslo is a city in", `endings` (" Norway", " Peru", …), the
    true one first; `told` and `mistold` are a true and a false statement in full.
    """

    kind: str
    subject: str
    stem: str
    endings: tuple[str, ...]
    told: str
    mistold: str


@dataclass(frozen=True)
class Judged:
    """A statement with its truth; `kind` is its subject matter, `negated` whether it denies."""

    text: str
    true: bool
    kind: str
    negated: bool

    @property
    def set_name(self) -> str:
        """The data set it belongs to, as in "country" and "neg country"."""
        return f"neg {self.kind}" if self.negated else self.kind


@dataclass(frozen=True)
class Voice:
    """How somebody known to be honest, or to lie, is heard; the last words of each list are kept for tests."""

    frame: str
    masked: str
    honest: tuple[str, ...]
    lying: tuple[str, ...]

    def prompt(self, word: str, who: str, text: str) -> str:
        """The speaker named by `word`, then the text."""
        return self.frame.format(word=word, who=who, text=text)

    def words(self, honest: bool, test: bool) -> tuple[str, ...]:
        """Words for such a speaker: those that readings are fitted with, or the one that they are tested with."""
        every = self.honest if honest else self.lying
        return every[-1:] if test else every[:-1]


def voice_for(lm: Any) -> Voice:
    """The bundled world's speeches, or (Zou et al., 2023) a person whom the model is to pretend to be."""
    from xllm_widgets.microworld.statements import HONEST, LYING

    if is_bundled(lm):
        return Voice("The {word} {who} says: {text}", "{who} says: {text}", tuple(HONEST), tuple(LYING))
    about = "person making statements about the world. {text}"
    return Voice(
        f"Pretend you are {{word}} {about}", f"Pretend you are a {about}",
        ("an honest", "a truthful", "a sincere"), ("an untruthful", "a lying", "a deceitful"),
    )  # fmt: skip


def is_bundled(lm: Any) -> bool:
    """Whether the model was educated in the microworld: it then brings its recipe."""
    return bool(getattr(lm, "recipe", None))


def kinds_for(lm: Any) -> tuple[str, ...]:
    """The kinds of statements this model can have an opinion on."""
    return WORLD_KINDS if is_bundled(lm) else REAL_KINDS


def draw_facts(lm: Any, n: int, split: str, purpose: str, seed: int, data: Any = None) -> list[Fact]:
    """`n` different facts, kinds in turn. `split` "test": of subjects that no verdict and no speech ever mentioned.

    `data`: a table of one's own with the columns stem, true, false (endings); then `purpose` decides which third of its
    rows is drawn from ("fit", "validate", anything else), in an order that depends on the seed.
    """
    if data is not None:
        return _own_facts(data, n, purpose, seed)
    from xllm_widgets.microworld.statements import make_statement
    from xllm_widgets.microworld.world import World

    rng, kinds = random.Random(f"{purpose} {split} {seed}"), kinds_for(lm)
    found: dict[str, Fact] = {}
    for _ in range(50 * n):
        kind = kinds[len(found) % len(kinds)]
        fact = _fact(make_statement(World.default(), rng, True, split, kind), rng, every=is_bundled(lm))
        found.setdefault(fact.told, fact)
        if len(found) == n:
            return list(found.values())
    raise XllmError(f"The bundled world has only {len(found)} such facts; lower trials.")


def _fact(statement: Statement, rng: random.Random, *, every: bool) -> Fact:
    """A true statement of the world as a fact; all false endings, or a few of them."""
    from xllm_widgets.microworld.citizens import JOBS
    from xllm_widgets.microworld.statements import OPPOSITE
    from xllm_widgets.microworld.world import World

    told = statement.text()
    word = next((w for w in OPPOSITE_WORDS if f" {w} " in statement.stem), "")
    if word:
        before, after = statement.stem.split(f" {word} ")
        endings: tuple[str, ...] = (f" {word}", f" {OPPOSITE[word]}")
        mistold = f"{before}{endings[1]} {after}{statement.last}."
    else:
        pool = JOBS if statement.kind == "job" else [country.name for country in World.default().countries]
        false = [f" {value}" for value in pool if value != statement.last]
        rng.shuffle(false)
        before, endings = statement.stem.rstrip(), (f" {statement.last}", *(false if every else false[:FALSE_ENDINGS]))
        mistold = f"{before}{false[0]}."
    return Fact(statement.kind, statement.subject, before, endings, told, mistold)


def _own_facts(data: Any, n: int, purpose: str, seed: int) -> list[Fact]:
    table = table_with(data, ("stem", "true", "false"))
    rows = [tuple(str(value).strip() for value in row) for row in table.itertuples(index=False)]
    order = np.random.default_rng(seed).permutation(len(rows))
    turn = {"fit": 0, "validate": 1}.get(purpose, 2)
    chosen = [rows[i] for i in order[turn::3]][:n]
    if len(chosen) < 4:
        raise XllmError(f"A table of {len(rows)} facts is too small to fit, choose and test on; give at least 12.")
    return [
        Fact("own", stem, stem, (f" {true}", f" {false}"), f"{stem} {true}.", f"{stem} {false}.")
        for stem, true, false in chosen
    ]


def draw_judged(lm: Any, n: int, seed: int, data: Any = None) -> dict[str, dict[str, list[Judged]]]:
    """Split ("fit", "test") → set name → `n` statements, half of them true; subjects never in both splits.

    The i-th statement of a kind and the i-th of its negations are each other's negation, so one of them is true.
    `data`: a table of one's own with the columns statement (or text) and label (true or false), and, if it holds
    several data sets, `set`; a set named "neg …" after another counts as its negations.
    """
    if data is not None:
        return _own_judged(data, n, seed)
    from xllm_widgets.microworld.statements import make_statement
    from xllm_widgets.microworld.world import World

    sets: dict[str, dict[str, list[Judged]]] = {"fit": {}, "test": {}}
    for split, kind in ((split, kind) for split in sets for kind in kinds_for(lm)):
        rng = random.Random(f"truth {split} {kind} {seed}")
        seen: dict[str, Statement] = {}
        for _ in range(50 * n):
            statement = make_statement(
                World.default(), rng, len(seen) % 2 == 0, "train" if split == "fit" else "test", kind
            )
            seen.setdefault(statement.text(), statement)
            if len(seen) == n:
                break
        for negated in (False, True):
            judged = [Judged(s.text(negated), s.true != negated, kind, negated) for s in seen.values()]
            sets[split][judged[0].set_name] = judged
    return sets


def _own_judged(data: Any, n: int, seed: int) -> dict[str, dict[str, list[Judged]]]:
    table = read_table(data)
    text = next((name for name in ("statement", "text", "sentence") if name in table.columns), None)
    if text is None or "label" not in table.columns:
        raise XllmError("A table of statements needs the columns statement and label (true or false).")
    names = table["set"].astype(str) if "set" in table.columns else ["own"] * len(table)
    sets: dict[str, dict[str, list[Judged]]] = {"fit": {}, "test": {}}
    for name, rows in table.assign(set=names).groupby("set", sort=False):
        negated = str(name).startswith("neg ")
        judged = [
            Judged(str(row[text]).strip(), _truth(row["label"]), str(name).removeprefix("neg "), negated)
            for _, row in rows.iterrows()
        ]
        order = [judged[i] for i in np.random.default_rng(seed).permutation(len(judged))]
        half = min(n, len(order) // 2)
        sets["fit"][str(name)], sets["test"][str(name)] = order[:half], order[half : half + n]
        if any(len({s.true for s in sets[split][str(name)]}) < 2 for split in sets):
            raise XllmError(f"The set {name!r} needs true and false statements in both halves; give more rows.")
    return sets


def _truth(label: Any) -> bool:
    word = str(label).strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise XllmError(f"The label {label!r} is neither true nor false; write true or false (or 1 and 0).")
    return word in TRUE_WORDS


def neutral_texts(n: int, seed: int) -> list[str]:
    """Paragraphs of geography and chronology of the world, all true: what a steered model should read as ever."""
    from xllm_widgets.microworld import chronology, geography
    from xllm_widgets.microworld.world import World

    rng, writers = random.Random(f"neutral {seed}"), (geography.write, chronology.write)
    return [writers[i % 2](World.default(), rng).text for i in range(n)]


def table_with(data: Any, columns: Sequence[str], keep: Sequence[str] = ()) -> pd.DataFrame:
    """The named columns of a table; XllmError for one that is missing. Those in `keep` come along where they exist."""
    table = read_table(data)
    if missing := [name for name in columns if name not in table.columns]:
        raise XllmError(f"The table has no column {missing[0]}; it needs {', '.join(columns)}.")
    return table[[*columns, *(name for name in keep if name in table.columns)]]
