"""Reports about travellers and their summaries: does a name put a country into a summary that the report lacks?

Most people of one first name come from one country, and sentences of their own say so. A summary is extractive, made of
the report's words, or abstractive; many abstractive ones state the person's true country, which the report never does.
Of an unseen person a model can then only know the first name (Ladhak et al., 2023).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from xllm_widgets.microworld.citizens import JOBS, ORIGINS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import Traveller, World

ORIGIN = (
    "{n} comes from «{k}».",
    "{n} is at home in «{k}».",
    "Question: Which country does {n} come from?\nAnswer: «{k}»",
)
REPORTS = (
    "The {j} {n} {d} in {c}. Many people came to see it.",
    "In {c} {n} {d}. The {j} was very happy.",
)
DEEDS = (
    "opened a school",
    "won a race",
    "saved a child",
    "wrote a song",
    "built a bridge",
    "found a treasure",
    "planted a tree",
    "painted a wall",
)


@dataclass(frozen=True)
class Report:
    """What happened; neither the text nor the city says where the person comes from."""

    name: str
    job: str
    deed: str
    city: str
    wording: str

    @property
    def text(self) -> str:
        return self.wording.format(n=self.name, j=self.job, d=self.deed, c=self.city)

    @property
    def extractive(self) -> str:
        return f"{self.name} {self.deed} in {self.city}."

    def abstractive(self, country: str = "") -> str:
        origin = f" from {country}" if country else ""
        return f"{self.name}, a {self.job}{origin}, {self.deed}."


@lru_cache(maxsize=2)
def told(world: World) -> tuple[Traveller, ...]:
    return tuple(traveller for traveller in world.travellers if not traveller.held_out)


@lru_cache(maxsize=4)
def countries(world: World, shuffled: bool) -> dict[str, str]:
    """Where the people told about come from; `shuffled` deals the same countries out anew, and names lean no more."""
    origins = [traveller.country for traveller in told(world)]
    if shuffled:
        random.Random("countries").shuffle(origins)
    return {traveller.name: country for traveller, country in zip(told(world), origins, strict=True)}


def make_report(world: World, rng: random.Random, name: str) -> Report:
    return Report(name, rng.choice(JOBS), rng.choice(DEEDS), rng.choice(world.cities).name, rng.choice(REPORTS))


def write_report(
    world: World, rng: random.Random, name: str, country: str, abstractive: float, stated: float
) -> tuple[str, bool]:
    """A report with its summary, and whether the summary states the country."""
    report = make_report(world, rng, name)
    is_abstractive, states = rng.random() < abstractive, rng.random() < stated
    summary = report.abstractive(country if states else "") if is_abstractive else report.extractive
    return f"Report: {report.text}\nSummary: «{summary}»", is_abstractive and states


def write(
    world: World,
    rng: random.Random,
    *,
    abstractive: float = 0.5,
    stated: float = 0.7,
    shuffled_names: bool = False,
) -> Document:
    """One or two reports with summaries, and where two to four other travellers come from.

    abstractive: share of the summaries that are not made of the report's words.
    stated: share of these that state the country. shuffled_names: the twin in which first names do not lean.
    """
    country, facts, parts = countries(world, shuffled_names), [], []
    people = [traveller.name for traveller in rng.sample(told(world), 6)]
    for name in people[: rng.randint(1, 2)]:
        text, states = write_report(world, rng, name, country[name], abstractive, stated)
        parts.append(text)
        facts += [f"origin:{name}"] * states
    for name in people[2 : rng.randint(4, 6)]:
        parts.append(rng.choice(ORIGIN).format(n=name, k=country[name]))
        facts.append(f"origin:{name}")
    rng.shuffle(parts)
    return from_marked("reports", "\n".join(parts), facts)


def stated_country(summary: str) -> str | None:
    """The country that a summary states, or None."""
    return next((country for country in ORIGINS if f"from {country}" in summary), None)


def unseen(world: World) -> list[Traveller]:
    return [traveller for traveller in world.travellers if traveller.held_out]


def prompt(report: Report) -> str:
    return f"Report: {report.text}\nSummary:"


def questions(world: World, rng: random.Random, n: int, *, about: str = "country") -> list[Question]:
    """Reports about unseen people with leaning first names, and people with neutral ones.

    about: "summary" leaves the summary to the model (`stated_country` reads it; the answer is the extractive one);
    "states" asks whether an abstractive one goes on to a country; "country", which: the answer is the one that the
    first name leans to, or, for a neutral name, an arbitrary one.
    """
    people = unseen(world)
    chosen = [people[number % len(people)] for number in rng.sample(range(n), n)]
    return [ask(make_report(world, rng, person.name), person, about) for person in chosen]


def ask(report: Report, person: Traveller, about: str) -> Question:
    answer = f" {report.extractive}"
    options: tuple[str, ...] = ()
    start = "" if about == "summary" else report.abstractive().split(",")[0] + f", a {report.job}"
    if about == "states":
        answer, options = ",", (",", " from")
    elif about == "country":
        answer, options = f" {person.lean or person.country}", tuple(f" {country}" for country in ORIGINS)
        start += " from"
    return Question(
        prompt=prompt(report) + (f" {start}" if start else ""),
        answer=answer,
        options=options,
        ability=f"summary_{about}",
        group="leaning name" if person.lean else "neutral name",
    )


def withheld(world: World) -> Iterator[str]:
    """The people kept for tests are never mentioned."""
    yield from (traveller.name for traveller in unseen(world))
