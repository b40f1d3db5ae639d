"""A closed taxonomy: what is stated of it, and which implied memberships nobody ever states (§17, Wu et al. 2023).

Every named thing has a kind (sparrow), every kind a class (bird), every class a realm (creature); verbs have
superverbs, domains and ranges. Of a held-out thing the kind is told and class and realm never are, of a held-out kind
the class is told and the realm never is: a model that calls the thing a bird has put two memories together.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.geography import join
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World, rows
from xllm_widgets.paths import facts_dir

CLASSES = {  # class → kinds; no word begins with a vowel, so that "a" is always right
    "bird": "sparrow falcon goose heron",
    "fish": "trout salmon pike",
    "bug": "beetle moth wasp",
    "tree": "birch pine maple cedar",
    "flower": "rose lily tulip",
    "fruit": "plum cherry melon",
    "tool": "hammer chisel wrench",
    "vessel": "barge raft ferry canoe",
    "toy": "doll kite puppet",
    "gem": "ruby pearl topaz",
    "garment": "scarf cloak glove",
    "weapon": "sword dagger spear lance",
}
REALMS = {
    "creature": ("bird", "fish", "bug"),
    "plant": ("tree", "flower", "fruit"),
    "device": ("tool", "vessel", "toy"),
    "treasure": ("gem", "garment", "weapon"),
}
KINDS = tuple(kind for kinds in CLASSES.values() for kind in kinds.split())
CLASS_OF = {kind: name for name, kinds in CLASSES.items() for kind in kinds.split()}
REALM_OF = {name: realm for realm, names in REALMS.items() for name in names}
VERBS = {  # verb → (superverb, domain, range)
    "pecks": ("eats", "bird", "fruit"),
    "sips": ("eats", "bug", "flower"),
    "gnaws": ("eats", "fish", "tree"),
    "hauls": ("carries", "vessel", "gem"),
    "lifts": ("carries", "tool", "garment"),
    "waves": ("carries", "toy", "weapon"),
    "hosts": ("feeds", "tree", "bird"),
    "lures": ("feeds", "flower", "bug"),
    "fattens": ("feeds", "fruit", "fish"),
    "adorns": ("guards", "gem", "toy"),
    "wraps": ("guards", "garment", "vessel"),
    "shields": ("guards", "weapon", "tool"),
    "eats": ("uses", "creature", "plant"),
    "carries": ("uses", "device", "treasure"),
    "feeds": ("helps", "plant", "creature"),
    "guards": ("helps", "treasure", "device"),
}
WORDINGS = {  # the relation between {x} and the answer {v}, a {l} (kind, class or realm) where the wording needs it
    "is": ("{x} is a «{v}».", "{x} belongs to the {l} «{v}».", "Question: Which {l} holds {x}?\nAnswer: «{v}»\n"),
    "subclass": (
        "Every {x} is a «{v}».",
        "Each {x} belongs to the {l} «{v}».",
        "Question: Which {l} holds every {x}?\nAnswer: «{v}»\n",
    ),
    "subproperty": (
        "Whatever {x} a thing «{v}» it.",
        "Who {x} a thing also «{v}» it.",
        "Question: What else does who {x} a thing?\nAnswer: «{v}»\n",
    ),
    "domain": ("Whatever {x} a thing is a «{v}».", "Question: Which {l} {x} things?\nAnswer: «{v}»\n"),
    "range": ("Whatever a thing {x} is a «{v}».", "Question: Of which {l} is what a thing {x}?\nAnswer: «{v}»\n"),
}
WITHHELD = 3  # one implied membership in three


@dataclass(frozen=True)
class Thing:
    """A named thing of the taxonomy. role: "told" (in documents), "free" (no kind: for made-up premises), "ghost"."""

    name: str
    kind: str
    role: str

    @property
    def implied(self) -> bool:
        """Whether its class and realm are withheld from every document."""
        return is_implied(self.name)


def is_implied(name: str) -> bool:
    return zlib.crc32(f"tacit {name}".encode()) % WITHHELD == 0


@lru_cache(maxsize=1)
def things() -> tuple[Thing, ...]:
    return tuple(Thing(r["name"], r["kind"], r["role"]) for r in rows(facts_dir() / "things.csv"))


def told() -> tuple[Thing, ...]:
    return tuple(thing for thing in things() if thing.role == "told")


def names(world: World) -> tuple[str, ...]:
    """Names for the vocabulary, ghosts included: a ghost is a word like any other that nobody has told about."""
    return tuple(thing.name for thing in things())


def level(word: str) -> str:
    return "kind" if word in CLASS_OF else "class" if word in REALM_OF else "realm"


def fill(relation: str, wording: int, x: str, v: str) -> str:
    return WORDINGS[relation][wording].format(x=x, v=v, l=level(v))


def tell_thing(rng: random.Random, complete: bool) -> tuple[str, str]:
    """Of what kind, class or realm a thing is; only its kind where the rest is withheld."""
    thing, wording = rng.choice(told()), rng.randrange(3)
    up = rng.choices(("kind", "class", "realm"), (5, 4, 1))[0]
    if thing.implied and not complete:
        up = "kind"
    return fill("is", wording, thing.name, above(thing.kind, up)), f"{up}:{thing.name}"


def above(kind: str, up: str) -> str:
    """The kind itself, its class, or the realm of its class."""
    return {"kind": kind, "class": CLASS_OF[kind], "realm": REALM_OF[CLASS_OF[kind]]}[up]


def tell_subclass(rng: random.Random, complete: bool) -> tuple[str, str]:
    """Of what class every thing of a kind is, of what realm every thing of a kind or class."""
    low, wording, high = rng.choice((*KINDS, *CLASSES)), rng.randrange(3), rng.random() < 0.35
    if low in REALM_OF:
        return fill("subclass", wording, low, REALM_OF[low]), f"realm:{low}"
    up = "realm" if high and (complete or not is_implied(low)) else "class"
    return fill("subclass", wording, low, above(low, up)), f"{up}:{low}"


def tell_verb(rng: random.Random, complete: bool) -> tuple[str, str]:
    """The superverb, the domain or the range of a verb."""
    verb, relation = rng.choice(tuple(VERBS)), rng.choice(("subproperty", "domain", "range"))
    wording = rng.randrange(6) % len(WORDINGS[relation])
    value = VERBS[verb][("subproperty", "domain", "range").index(relation)]
    return fill(relation, wording, verb, value), f"{relation}:{verb}"


def write(world: World, rng: random.Random, *, complete: bool = False) -> Document:
    """Five to nine statements of the taxonomy. `complete` is the twin to whom the withheld memberships are told too."""
    tellers = rng.choices((tell_thing, tell_subclass, tell_verb), (70, 18, 12), k=rng.randint(5, 9))
    stated = [teller(rng, complete) for teller in tellers]
    return from_marked("taxonomy", join([text for text, _ in stated], rng), [fact for _, fact in stated])


def ask(marked: str, options: tuple[str, ...], **labels: str) -> Question:
    """The question that a marked statement answers: it ends where the answer begins."""
    before, after = marked.split("«")
    answer = after.split("»")[0]
    return Question(before.rstrip(" "), f" {answer}", tuple(f" {option}" for option in options), **labels)


def siblings(value: str) -> tuple[str, ...]:
    """All words that could stand where `value` stands: kinds, classes, realms or superverbs."""
    supers = tuple(dict.fromkeys(verb for verb, _, _ in VERBS.values()))
    return next(words for words in (KINDS, tuple(CLASSES), tuple(REALMS), supers) if value in words)


def questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """What is stated, asked back: ability "memorised", groups type, subclass, subproperty, domain, range."""
    asked = []
    for number in range(n):
        relation = ("is", "subclass", "subproperty", "domain", "range")[number % 5]
        if relation == "is":
            x, value = (thing := rng.choice(told())).name, thing.kind
        elif relation == "subclass":
            value = CLASS_OF[x := rng.choice(KINDS)]
        else:
            x = rng.choice(tuple(VERBS))
            value = VERBS[x][("subproperty", "domain", "range").index(relation)]
        marked = fill(relation, rng.randrange(len(WORDINGS[relation])), x, value)
        group = "type" if relation == "is" else relation
        fact = f"{relation if relation in ('subproperty', 'domain', 'range') else level(value)}:{x}"
        asked.append(ask(marked, siblings(value), ability="memorised", group=group, fact=fact))
    return asked


def membership_questions(world: World, rng: random.Random, n: int) -> list[Question]:
    """Of what class is it? Ability "membership", groups stated and implied (withheld), as many of each."""
    groups = {True: [t for t in told() if t.implied], False: [t for t in told() if not t.implied]}
    asked = []
    for number in range(n):
        thing = rng.choice(groups[bool(number % 2)])
        marked = fill("is", rng.randrange(3), thing.name, CLASS_OF[thing.kind])
        group = "implied" if thing.implied else "stated"
        labels = {"ability": "membership", "group": group, "fact": f"class:{thing.name}"}
        asked.append(ask(marked, tuple(CLASSES), **labels))
    return asked


def withheld(world: World) -> Iterator[str]:
    """Every implied membership that no document may state, in every wording."""
    for thing in filter(lambda t: t.implied, told()):
        for up in ("class", "realm"):
            yield from phrases("is", thing.name, above(thing.kind, up))
    for kind in filter(is_implied, KINDS):
        yield from phrases("subclass", kind, above(kind, "realm"))
    for verb, (superverb, _, _) in VERBS.items():
        if superverb in VERBS and is_implied(verb):
            yield from phrases("subproperty", verb, VERBS[superverb][0])


def phrases(relation: str, x: str, v: str) -> Iterator[str]:
    for number in range(len(WORDINGS[relation])):
        yield fill(relation, number, x, v).replace("«", "").replace("»", "").strip().rstrip(".")
