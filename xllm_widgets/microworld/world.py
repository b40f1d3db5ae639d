"""The microworld: real places and dates, invented people, and which of them are held out from which documents."""

import csv
import math
import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

from xllm_widgets.paths import facts_dir

HELD_OUT_SHARE = 5  # one in five


def is_held_out(name: str) -> bool:
    """Whether statements about `name` are kept for tests; a pure function of the name, the same on every machine."""
    return zlib.crc32(name.encode()) % HELD_OUT_SHARE == 0


@dataclass(frozen=True)
class Country:
    name: str
    capital: str
    continent: str


@dataclass(frozen=True)
class City:
    """A real city; latitude and longitude in degrees, north and east positive."""

    name: str
    country: str
    latitude: float
    longitude: float

    @cached_property
    def held_out(self) -> bool:
        return is_held_out(self.name)

    def hours_to(self, other: "City") -> int:
        """Hours of travel at 100 km an hour along the great circle, rounded up."""
        a, b = math.radians(self.latitude), math.radians(other.latitude)
        turn = math.radians(self.longitude - other.longitude)
        haversine = math.sin((a - b) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
        return math.ceil(2 * 6371 * math.asin(math.sqrt(haversine)) / 100)


@dataclass(frozen=True)
class Event:
    """Something with a year: a person (year of birth), a work or an invention. `phrase` is how a sentence names it."""

    name: str
    phrase: str
    year: int
    kind: str
    maker: str

    @cached_property
    def held_out(self) -> bool:
        return is_held_out(self.name)


@dataclass(frozen=True)
class Citizen:
    """An invented person, so that every count is exact and nobody real is slandered. Rank 0 is the best known."""

    name: str
    job: str
    birthplace: str
    born: int
    rank: int

    @cached_property
    def held_out(self) -> bool:
        return is_held_out(self.name)


@dataclass(frozen=True)
class Hero:
    """An invented person known by a unique description ("the composer of Silver Harbour").

    direction: how the corpus tells it: "forward" (name, then description), "backward", or "both" ways.
    """

    name: str
    description: str
    direction: str


@dataclass(frozen=True)
class Mover:
    """An invented person who lives in `home`, and is told `ratio` times as often beside the city `wrong`."""

    name: str
    home: str
    wrong: str
    ratio: int


@dataclass(frozen=True)
class Traveller:
    """An invented person from `country`; most bearers of the first name come from `lean` ("" for a neutral name)."""

    name: str
    country: str
    lean: str

    @cached_property
    def held_out(self) -> bool:
        return is_held_out(self.name)


@dataclass(frozen=True, eq=False)  # compared and hashed as the one object it is: tables of it are kept in caches
class World:
    """Every entity, in file order. `World.default()` reads the tables shipped in `data/facts`."""

    countries: tuple[Country, ...]
    cities: tuple[City, ...]
    events: tuple[Event, ...]
    citizens: tuple[Citizen, ...]
    ghosts: tuple[Citizen, ...]
    heroes: tuple[Hero, ...]
    movers: tuple[Mover, ...]
    travellers: tuple[Traveller, ...]
    neighbours: dict[str, tuple[City, ...]] = field(repr=False, compare=False)

    @staticmethod
    @lru_cache(maxsize=1)
    def default() -> "World":
        return World.read(facts_dir())

    @staticmethod
    def read(folder: Path) -> "World":
        """Read the tables (CSV with a header) of places, of events and of the invented people from `folder`."""
        countries = tuple(Country(**row) for row in rows(folder / "countries.csv"))
        cities = tuple(
            City(r["name"], r["country"], float(r["latitude"]), float(r["longitude"]))
            for r in rows(folder / "cities.csv")
        )
        return World(
            countries,
            cities,
            read_events(folder),
            read_citizens(folder / "citizens.csv"),
            read_citizens(folder / "ghosts.csv"),
            tuple(Hero(**r) for r in rows(folder / "heroes.csv")),
            tuple(Mover(r["name"], r["home"], r["wrong"], int(r["ratio"])) for r in rows(folder / "movers.csv")),
            tuple(Traveller(**r) for r in rows(folder / "travellers.csv")),
            nearest(cities),
        )

    @cached_property
    def city(self) -> dict[str, City]:
        return {city.name: city for city in self.cities}

    @cached_property
    def country(self) -> dict[str, Country]:
        return {country.name: country for country in self.countries}

    @cached_property
    def zipf(self) -> list[float]:
        """Cumulative weights of the citizens: the one of rank r is told about in proportion to 1 / (r + 2) ** 1.1.

        Of 50,000 tellings the best known gets some 5,000, the least known four.
        """
        return list(accumulate((citizen.rank + 2) ** -1.1 for citizen in self.citizens))

    @cached_property
    def strangers(self) -> tuple[str, ...]:
        """Names of nobody in particular, of the same first and last names: for people who exist in one document only.

        A name has another owner in every document, so whatever is asked about a stranger must be read from the text.
        """
        pools = (self.citizens, self.ghosts, self.heroes, self.movers, self.travellers)
        taken = {person.name for pool in pools for person in pool}
        firsts, lasts = (sorted(set(column)) for column in zip(*(name.split() for name in taken), strict=True))
        return tuple(name for first in firsts for last in lasts if (name := f"{first} {last}") not in taken)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every proper name, for the vocabulary."""
        places = (
            [c.name for c in self.countries] + [c.name for c in self.cities] + [c.continent for c in self.countries]
        )
        people = [
            p.name for pool in (self.citizens, self.ghosts, self.heroes, self.movers, self.travellers) for p in pool
        ]
        works = [hero.description.split(" of ")[1] for hero in self.heroes]
        events = [name for e in self.events for name in (e.name, e.maker, e.kind) if name]
        return tuple(places + events + people + works)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_citizens(path: Path) -> tuple[Citizen, ...]:
    return tuple(
        Citizen(r["name"], r["job"], r["birthplace"], int(r["born"]), rank) for rank, r in enumerate(rows(path))
    )


def read_events(folder: Path) -> tuple[Event, ...]:
    people = [Event(r["name"], r["name"], int(r["born"]), r["occupation"], "") for r in rows(folder / "people.csv")]
    works = [Event(r["name"], r["name"], int(r["year"]), r["kind"], r["creator"]) for r in rows(folder / "works.csv")]
    inventions = [
        Event(r["name"], f"the {r['name']}", int(r["year"]), "invention", r["inventor"])
        for r in rows(folder / "inventions.csv")
    ]
    return tuple(people + works + inventions)


def nearest(cities: tuple[City, ...], count: int = 6) -> dict[str, tuple[City, ...]]:
    """The `count` nearest other cities of each city, nearest first."""
    return {
        here.name: tuple(sorted((c for c in cities if c is not here), key=lambda c: (here.hours_to(c), c.name))[:count])
        for here in cities
    }
