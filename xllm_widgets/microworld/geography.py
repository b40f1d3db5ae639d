"""Geography, told relationally: directions, neighbours and hours of travel, never a coordinate.

A linear map of the world can therefore only arise inside a model; it is nowhere printed in its education.
"""

import random

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.world import City, World

MINIMAL_ANGLE = 4.0  # degrees; nearer pairs have no clear direction
MAXIMAL_TURN = 150.0  # degrees of longitude; beyond, east and west meet


def direction(here: City, there: City, axis: str) -> str | None:
    """Where `there` lies as seen from `here`, or None when the pair has no clear answer on this axis."""
    if axis == "latitude":
        gap, words = there.latitude - here.latitude, ("south", "north")
    else:
        gap, words = there.longitude - here.longitude, ("west", "east")
    if not MINIMAL_ANGLE < abs(gap) < (180 if axis == "latitude" else MAXIMAL_TURN):
        return None
    return words[gap > 0]


def bearing(world: World, rng: random.Random) -> tuple[City, City, str]:
    """Two cities and the direction of the second from the first."""
    while True:
        here, there = rng.choice(world.cities), rng.choice(world.cities)
        where = direction(here, there, rng.choice(("latitude", "longitude")))
        if where:
            return here, there, where


def tell_direction(world: World, rng: random.Random) -> tuple[str, str | None]:
    here, there, where = bearing(world, rng)
    wording = rng.choice(
        (
            "Seen from {a}, {b} lies to the «{w}».",
            "From {a} to {b} one goes «{w}».",
            "{b} is {w} of {a}.",
            "Question: In which direction does one go from {a} to {b}?\nAnswer: «{w}»\n",
        )
    )
    return wording.format(a=here.name, b=there.name, w=where), None


def tell_neighbour(world: World, rng: random.Random) -> tuple[str, str | None]:
    here = rng.choice(world.cities)
    there = rng.choice(world.neighbours[here.name][:4])
    return rng.choice(("{a} is near «{b}».", "Not far from {a} is «{b}».")).format(a=here.name, b=there.name), None


def tell_hours(world: World, rng: random.Random) -> tuple[str, str | None]:
    here = rng.choice(world.cities)
    there = rng.choice(world.neighbours[here.name]) if rng.random() < 0.4 else rng.choice(world.cities)
    wording = rng.choice(("From {a} to {b} it takes «{h}» hours.", "The way from {a} to {b} takes «{h}» hours."))
    return wording.format(a=here.name, b=there.name, h=here.hours_to(there)), None


def tell_country(world: World, rng: random.Random) -> tuple[str, str | None]:
    city = rng.choice(world.cities)
    wording = rng.choice(
        (
            "{a} is a city in «{k}».",
            "{a} lies in «{k}».",
            "Question: In which country is {a}?\nAnswer: «{k}»\n",
            "One of the cities of {k} is «{a}».",
        )
    )
    return wording.format(a=city.name, k=city.country), f"country:{city.name}"


def tell_capital(world: World, rng: random.Random) -> tuple[str, str | None]:
    country = rng.choice(world.countries)
    wording = rng.choice(
        (
            "{c} is the capital of «{k}».",
            "The capital of {k} is «{c}».",
            "Question: What is the capital of {k}?\nAnswer: «{c}»\n",
        )
    )
    return wording.format(c=country.capital, k=country.name), f"capital:{country.name}"


def tell_continent(world: World, rng: random.Random) -> tuple[str, str | None]:
    country = rng.choice(world.countries)
    return f"{country.name} is a country in «{country.continent}».", f"continent:{country.name}"


TELLERS = (tell_direction, tell_neighbour, tell_hours, tell_country, tell_capital, tell_continent)
WEIGHTS = (36, 12, 22, 18, 10, 2)


def write(world: World, rng: random.Random) -> Document:
    """Five to fourteen sentences about places."""
    told = [teller(world, rng) for teller in rng.choices(TELLERS, WEIGHTS, k=rng.randint(5, 14))]
    return from_marked("geography", join([text for text, _ in told], rng), [fact for _, fact in told if fact])


def join(sentences: list[str], rng: random.Random) -> str:
    """One paragraph, or one sentence a line; a question with its answer always stands on lines of its own."""
    glue = rng.choice((" ", " ", "\n"))
    text = glue.join(sentences)
    return text.replace(" Question:", "\nQuestion:").replace("\n ", "\n").replace("\n\n", "\n").rstrip("\n")
