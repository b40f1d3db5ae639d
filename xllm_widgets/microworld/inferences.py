"""Conclusions drawn from two stated premises by the rules of RDFS: rdfs2, 3, 5, 7, 9 and 11 (§17, Wu et al. 2023).

    Given: Every trout is a fish. Sodono is a sparrow. Every sparrow is a bird.
    So: Sodono is a bird.

A third premise, of the same form and beside the point, keeps copying from being enough. Documents conclude only what
the taxonomy states anyway, or bind made-up words afresh; an exam leaves the first premise to memory (1) or to nobody
(0).
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.taxonomy import (
    CLASS_OF,
    KINDS,
    REALM_OF,
    VERBS,
    ask,
    is_implied,
    siblings,
    things,
    told,
)
from xllm_widgets.microworld.world import World

NOUNS = "wug dax blick toma fep zup gorp lund vask nim quib torv".split()  # made-up classes
ACTS = "zibs dafs morps kels vims tulms gafs perns".split()  # made-up verbs
RULES = ("rdfs2", "rdfs3", "rdfs5", "rdfs7", "rdfs9", "rdfs11")
STATES = ("2-2", "1-2", "0-2")  # the first premise is given, left to memory, or unknown; the second is always given


@dataclass(frozen=True)
class Inference:
    """first and second entail `stem` + `answer` (+ `rest`); `decoy` is a premise that does not bear on it."""

    rule: str
    first: str
    second: str
    decoy: str
    stem: str
    answer: str
    rest: str = ""

    def layout(self, rng: random.Random, state: str = "2-2") -> str:
        premises = [self.second, self.decoy] + [self.first] * (state == "2-2")
        rng.shuffle(premises)
        return f"Given: {' '.join(premises)}\nSo: {self.stem} «{self.answer}»{self.rest}."


@dataclass(frozen=True)
class Terms:
    """What a rule is filled with. `low` ⊂ `middle` ⊂ `high`, of nouns or of verbs; the others are beside the point."""

    x: str
    y: str
    verbs: tuple[str, str, str]
    nouns: tuple[str, str, str]
    other_verbs: tuple[str, str, str]
    other_nouns: tuple[str, str, str]
    domain: str
    other_domain: str


def infer_domain(t: Terms) -> Inference:
    first, decoy = (f"Whatever {verb[0]} a thing is a {noun}." for verb, noun in schemas(t))
    return Inference("rdfs2", first, f"{t.x} {t.verbs[0]} {t.y}.", decoy, f"{t.x} is a", t.domain)


def infer_range(t: Terms) -> Inference:
    first, decoy = (f"Whatever a thing {verb[0]} is a {noun}." for verb, noun in schemas(t))
    return Inference("rdfs3", first, f"{t.y} {t.verbs[0]} {t.x}.", decoy, f"{t.x} is a", t.domain)


def schemas(t: Terms) -> tuple[tuple[tuple[str, str, str], str], ...]:
    return (t.verbs, t.domain), (t.other_verbs, t.other_domain)


def infer_superverb(t: Terms) -> Inference:
    (low, middle, high), (_, other, other_high) = t.verbs, t.other_verbs
    first, second = f"Whatever {low} a thing {middle} it.", f"Whatever {middle} a thing {high} it."
    decoy = f"Whatever {other} a thing {other_high} it."
    return Inference("rdfs5", first, second, decoy, f"Whatever {low} a thing", high, " it")


def infer_deed(t: Terms) -> Inference:
    (low, middle, _), (other, other_middle, _) = t.verbs, t.other_verbs
    first, decoy = f"Whatever {low} a thing {middle} it.", f"Whatever {other} a thing {other_middle} it."
    return Inference("rdfs7", first, f"{t.x} {low} {t.y}.", decoy, t.x, middle, f" {t.y}")


def infer_class(t: Terms) -> Inference:
    (low, middle, _), (other, other_middle, _) = t.nouns, t.other_nouns
    second, decoy = f"Every {low} is a {middle}.", f"Every {other} is a {other_middle}."
    return Inference("rdfs9", f"{t.x} is a {low}.", second, decoy, f"{t.x} is a", middle)


def infer_realm(t: Terms) -> Inference:
    (low, middle, high), (_, other, other_high) = t.nouns, t.other_nouns
    second, decoy = f"Every {middle} is a {high}.", f"Every {other} is a {other_high}."
    return Inference("rdfs11", f"Every {low} is a {middle}.", second, decoy, f"Every {low} is a", high)


BUILDERS: dict[str, Callable[[Terms], Inference]] = dict(
    zip(RULES, (infer_domain, infer_range, infer_superverb, infer_deed, infer_class, infer_realm), strict=True)
)


def role(name: str) -> list[str]:
    return [thing.name for thing in things() if thing.role == name]


def leaves(split: str) -> list[str]:
    return [v for v, (superverb, _, _) in VERBS.items() if superverb in VERBS and is_implied(v) == (split == "test")]


def real_terms(rng: random.Random, rule: str, split: str) -> Terms:
    """Words of the taxonomy; with `split="test"` the conclusion is one that no document draws, nor the decoy's either:
    else the right one would be known by its never having been drawn."""
    test = split == "test"
    thing = rng.choice([thing for thing in told() if thing.implied == test])
    kind = thing.kind if rule == "rdfs9" else rng.choice([kind for kind in KINDS if is_implied(kind) == test])
    top = REALM_OF[CLASS_OF[kind]]
    others = [k for k in KINDS if not test or is_implied(k)]
    other_kind = rng.choice([k for k in others if REALM_OF[CLASS_OF[k]] != top])
    verb = rng.choice(leaves(split))
    other_verb = rng.choice([v for v in leaves(split) if VERBS[VERBS[v][0]][0] != VERBS[VERBS[verb][0]][0]])
    x, y = rng.sample(role("ghost" if test else "free"), 2)
    place = 2 if rule == "rdfs3" else 1
    return Terms(
        thing.name if rule == "rdfs9" else x, y, verb_chain(verb), noun_chain(kind), verb_chain(other_verb),
        noun_chain(other_kind), VERBS[verb][place], VERBS[other_verb][place],
    )  # fmt: skip


def verb_chain(low: str) -> tuple[str, str, str]:
    return low, VERBS[low][0], VERBS[VERBS[low][0]][0]


def noun_chain(low: str) -> tuple[str, str, str]:
    return low, CLASS_OF[low], REALM_OF[CLASS_OF[low]]


def is_reserved(*words: str) -> bool:
    return zlib.crc32(" ".join(words).encode()) % 4 == 0


def made_up_terms(rng: random.Random, rule: str, split: str) -> Terms:
    """Made-up words, bound afresh each time; with `split="test"` in a combination that no document uses."""
    while True:
        nouns, acts = rng.sample(NOUNS, 6), rng.sample(ACTS, 6)
        x, y = rng.sample(role("ghost" if split == "test" else "free"), 2)
        if is_reserved(rule, *bound(rule, nouns, acts)) == (split == "test"):
            verbs, other_verbs = (acts[0], acts[1], acts[2]), (acts[3], acts[4], acts[5])
            classes, other_classes = (nouns[0], nouns[1], nouns[2]), (nouns[3], nouns[4], nouns[5])
            return Terms(x, y, verbs, classes, other_verbs, other_classes, nouns[0], nouns[3])


def bound(rule: str, nouns: list[str], acts: list[str]) -> tuple[str, str]:
    """The two words that the rule's conclusion joins, directly or by a third."""
    if rule in ("rdfs2", "rdfs3"):
        return acts[0], nouns[0]
    low, middle, high = acts[:3] if rule in ("rdfs5", "rdfs7") else nouns[:3]
    return low, high if rule in ("rdfs5", "rdfs11") else middle


def write(world: World, rng: random.Random, *, made_up: float = 0.4) -> Document:
    """Two to four worked inferences, a share of them over made-up words, so that the premises must be read."""
    lines, facts = [], []
    for _ in range(rng.randint(2, 4)):
        rule = rng.choices(RULES, (1, 1, 1, 1, 3, 2))[0]
        terms = made_up_terms if rng.random() < made_up else real_terms
        inference = BUILDERS[rule](chosen := terms(rng, rule, "train"))
        lines.append(inference.layout(rng))
        facts += concluded(rule, chosen) if terms is real_terms else []
    return from_marked("inferences", "\n\n".join(lines), facts)


def concluded(rule: str, t: Terms) -> list[str]:
    """Which facts of the taxonomy a worked inference states: premises, conclusion and the premise beside the point."""
    (low, _, _), (other, _, _) = (t.verbs, t.other_verbs) if rule in RULES[:4] else (t.nouns, t.other_nouns)
    return {
        "rdfs2": [f"domain:{low}", f"domain:{other}"],
        "rdfs3": [f"range:{low}", f"range:{other}"],
        "rdfs5": [f"subproperty:{v}" for v in (low, t.verbs[1], t.other_verbs[1])] + [f"superverb:{low}"],
        "rdfs7": [f"subproperty:{low}", f"subproperty:{other}"],
        "rdfs9": [f"kind:{t.x}", f"class:{low}", f"class:{t.x}", f"class:{other}"],
        "rdfs11": [f"class:{low}", f"realm:{t.nouns[1]}", f"realm:{low}", f"realm:{t.other_nouns[1]}"],
    }[rule]


def questions(world: World, rng: random.Random, n: int, rules: tuple[str, ...] = RULES) -> list[Question]:
    """Ability "inference", groups "rdfs9 2-2" and so on: the first premise given, left to memory, or unknown."""
    asked = []
    for number in range(n):
        rule, state = rules[number % len(rules)], STATES[number // len(rules) % len(STATES)]
        terms = real_terms(rng, rule, "test")
        inference = BUILDERS[rule](terms)
        marked = inference.layout(rng, state)
        if state == "0-2":
            marked = hide(marked, rule, terms, rng)
        asked.append(ask(marked, siblings(inference.answer), ability="inference", group=f"{rule} {state}"))
    return asked


def hide(marked: str, rule: str, t: Terms, rng: random.Random) -> str:
    """Put a word that nobody has been told about where memory could supply the first premise."""
    known = t.x if rule == "rdfs9" else t.nouns[0] if rule == "rdfs11" else t.verbs[0]
    unknown = role("ghost") if rule == "rdfs9" else NOUNS if rule == "rdfs11" else ACTS
    return marked.replace(f" {known} ", f" {rng.choice(unknown)} ")


def made_up_questions(world: World, rng: random.Random, n: int, rules: tuple[str, ...] = RULES) -> list[Question]:
    """The control: ability "inference_made_up", both premises given ("2-2") or not the first ("0-2")."""
    asked = []
    for number in range(n):
        rule, state = rules[number % len(rules)], ("2-2", "0-2")[number // len(rules) % 2]
        inference = BUILDERS[rule](made_up_terms(rng, rule, "test"))
        words = ACTS if inference.answer in ACTS else NOUNS
        labels = {"ability": "inference_made_up", "group": f"{rule} {state}"}
        asked.append(ask(inference.layout(rng, state), tuple(words), **labels))
    return asked
