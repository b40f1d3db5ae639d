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
class World:
    """Every entity, in file order. `World.default()` reads the tables shipped in `data/facts`."""

    countries: tuple[Country, ...]
    cities: tuple[City, ...]
    events: tuple[Event, ...]
    citizens: tuple[Citizen, ...]
    neighbours: dict[str, tuple[City, ...]] = field(repr=False, compare=False)

    @staticmethod
    @lru_cache(maxsize=1)
    def default() -> "World":
        return World.read(facts_dir())

    @staticmethod
    def read(folder: Path) -> "World":
        """Read `countries, cities, people, works, inventions, citizens` (CSV with a header) from `folder`."""
        countries = tuple(Country(**row) for row in rows(folder / "countries.csv"))
        cities = tuple(
            City(r["name"], r["country"], float(r["latitude"]), float(r["longitude"]))
            for r in rows(folder / "cities.csv")
        )
        citizens = tuple(
            Citizen(r["name"], r["job"], r["birthplace"], int(r["born"]), rank)
            for rank, r in enumerate(rows(folder / "citizens.csv"))
        )
        return World(countries, cities, read_events(folder), citizens, nearest(cities))

    @cached_property
    def city(self) -> dict[str, City]:
        return {city.name: city for city in self.cities}

    @cached_property
    def country(self) -> dict[str, Country]:
        return {country.name: country for country in self.countries}

    @cached_property
    def zipf(self) -> list[float]:
        """Cumulative weights of the citizens: the one of rank r is told about in proportion to 1 / (r + 3)."""
        return list(accumulate(1 / (citizen.rank + 3) for citizen in self.citizens))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every proper name, for the vocabulary."""
        places = (
            [c.name for c in self.countries] + [c.name for c in self.cities] + [c.continent for c in self.countries]
        )
        return tuple(places + [e.name for e in self.events] + [c.name for c in self.citizens])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
