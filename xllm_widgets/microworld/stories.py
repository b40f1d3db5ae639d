"""Small social stories, and questions whose answers are explained from the story (§31, Ye & Durrett 2022, Synth).

    Tom agrees with Sam. Ann agrees with Eva. … Sam is a student. Eva is a baker. …
    Question: Who agrees with a student?
    Explanation and answer: Because Sam is a student and Tom agrees with Sam, the answer is Tom.

Explanations come before the answer ("explain"), after it ("predict"), or not at all ("direct"). In a known share of the
documents the explanation is not what the story says. Whether a model's own explanation is factual, whether it is
consistent with its answer, and whether the answer is right can be read off the text exactly.
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from xllm_widgets.microworld.arithmetic import PEOPLE
from xllm_widgets.microworld.citizens import JOBS
from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.question import Question
from xllm_widgets.microworld.world import World

DEEDS = ("hangs out with", "agrees with", "plays with", "sits beside")
ROLES = ("student", *JOBS)
LAYOUTS = {
    "explain": "Explanation and answer: Because «{e}», the answer is «{a}».",
    "predict": "Answer and explanation: «{a}», because «{e}».",
    "direct": "Answer: «{a}».",
}
LAYOUT_WEIGHTS = (4, 4, 2)
SMALL = 0.35  # share of the stories with two pairs of people; the others have four
_REASON = re.compile(rf"(\w+) is a (\w+) and (\w+) ({'|'.join(DEEDS)}) (\w+)")
_BOND = re.compile(rf"(\w+) ({'|'.join(DEEDS)}) (\w+)\.")
_ROLE = re.compile(r"(\w+) is a (\w+)\.")
_ANSWER = re.compile(r"the answer is (\w+)|^\W*(\w+), because|^\W*(\w+)\W*$", re.M)


@dataclass(frozen=True)
class Bond:
    """`who` does `deed` with `whom`, who is a `role`."""

    who: str
    deed: str
    whom: str
    role: str

    @property
    def reason(self) -> str:
        return f"{self.whom} is a {self.role} and {self.who} {self.deed} {self.whom}"

    @property
    def question(self) -> str:
        return f"Question: Who {self.deed} a {self.role}?"

    @property
    def reserved(self) -> bool:
        """Whether this question with this answer is kept for tests: no document has both."""
        return zlib.crc32(f"{self.who} {self.deed} a {self.role}".encode()) % 6 == 0


@dataclass(frozen=True)
class Explanation:
    """What a continuation says: the answer, and the claims "whom is a role" and "who does deed with other".

    Empty strings stand for what could not be read.
    """

    answer: str = ""
    whom: str = ""
    role: str = ""
    who: str = ""
    deed: str = ""
    other: str = ""

    def is_factual(self, story: str) -> bool:
        """Whether the story says both claims."""
        return (self.whom, self.role) in _ROLE.findall(story) and (
            (self.who, self.deed, self.other) in _BOND.findall(story)
        )

    def is_consistent(self, question: str) -> bool:
        """Whether the claims, true or not, add up to the answer given to this question."""
        asked = f"Who {self.deed} a {self.role}?"
        return bool(self.who) and self.who == self.answer and self.whom == self.other and asked in question


def read_explanation(text: str) -> Explanation:
    """Read a model's continuation of any layout, or a document's line, up to the end of its first line."""
    line = text.strip().split("\n")[0].split(": ")[-1]
    answer, reason = _ANSWER.search(line), _REASON.search(line)
    named = next(filter(None, answer.groups()), "") if answer else ""
    return Explanation(named, *reason.groups()) if reason else Explanation(named)


def draw_bonds(rng: random.Random) -> list[Bond]:
    """Four pairs of people for every combination of two deeds and two roles, or two that differ in one of them."""
    deeds, roles = rng.sample(DEEDS, 2), rng.sample(ROLES, 2)
    names = iter(rng.sample(PEOPLE, 8))
    bonds = [Bond(next(names), deed, next(names), role) for deed in deeds for role in roles]
    small, across = rng.random() < SMALL, rng.randint(1, 2)
    rng.shuffle(bonds)
    if not small:
        return bonds
    first = bonds[0]
    alike = [b for b in bonds[1:] if (b.deed == first.deed if across == 1 else b.role == first.role)]
    return [first, alike[0]]


def tell(rng: random.Random, bonds: list[Bond]) -> str:
    """Who is with whom, then who is what, each in an order of its own."""
    whos = rng.sample([f"{b.who} {b.deed} {b.whom}." for b in bonds], len(bonds))
    roles = rng.sample([f"{b.whom} is a {b.role}." for b in bonds], len(bonds))
    return " ".join(whos + roles)


def misled(rng: random.Random, bond: Bond, bonds: list[Bond]) -> Bond:
    """The bond with somebody else of the story in the place of `whom`: leads to the answer, and is not what is told."""
    return Bond(bond.who, bond.deed, rng.choice([b.whom for b in bonds if b is not bond]), bond.role)


def write_story(rng: random.Random, unfactual: float) -> str:
    bonds = draw_bonds(rng)
    while all(bond.reserved for bond in bonds):
        bonds = draw_bonds(rng)
    usable = [bond for bond in bonds if not bond.reserved]
    lines = [tell(rng, bonds)]
    for bond in rng.sample(usable, min(len(usable), rng.randint(1, 2))):
        layout = rng.choices(tuple(LAYOUTS), LAYOUT_WEIGHTS)[0]
        wrong, wrongly = misled(rng, bond, bonds), rng.random() < unfactual
        reason = (wrong if wrongly else bond).reason
        lines.append(f"{bond.question}\n{LAYOUTS[layout].format(e=reason, a=bond.who)}")
    return "\n".join(lines)


def write(world: World, rng: random.Random, *, unfactual: float = 0.1) -> Document:
    """A story and one or two questions; `unfactual` is the share of explanations that the story does not bear out."""
    return from_marked("stories", write_story(rng, unfactual), [])


def draw_kept(rng: random.Random) -> tuple[Bond, list[Bond]]:
    """Four bonds, and the one to be asked about, kept for tests whoever of the four does the deed.

    If only the right answer were, it would be known by its never having been an answer to this question.
    """
    while True:
        asked, *others = draw_bonds(rng)
        kept = [who for who in PEOPLE if replace(asked, who=who).reserved]
        if len(others) == 3 and len(kept) >= 4:
            whos = rng.sample(kept, 4)
            whoms = rng.sample([name for name in PEOPLE if name not in whos], 4)
            bonds = [replace(b, who=a, whom=c) for b, a, c in zip([asked, *others], whos, whoms, strict=True)]
            return bonds[0], rng.sample(bonds, 4)


def questions(world: World, rng: random.Random, n: int, layout: str = "explain") -> list[Question]:
    """Prompts to be continued up to the end of the line; judge the text by `read_explanation`.

    Ability "stories", group the layout. The direct answers come with options: everybody in the story. The prompt ends
    after "Explanation and answer:" or its like, so the model knows what is wanted.
    """
    asked: list[Question] = []
    for _ in range(n):
        bond, bonds = draw_kept(rng)
        before, after = LAYOUTS[layout].split(":", 1)
        answer = after.format(e=bond.reason, a=bond.who).replace("«", "").replace("»", "")
        options = tuple(f" {name}" for b in bonds for name in (b.who, b.whom)) if layout == "direct" else ()
        prompt = f"{tell(rng, bonds)}\n{bond.question}\n{before}:"
        asked.append(Question(prompt, answer.rstrip(".") if options else answer, options, "stories", layout))
    return asked


def withheld(world: World) -> Iterator[str]:
    """Questions with the answers that are kept for tests."""
    for bond in (Bond(who, deed, "", role) for who in PEOPLE for deed in DEEDS for role in ROLES):
        if bond.reserved:
            yield f"{bond.question}\nAnswer: {bond.who}"
            yield f"{bond.question}\nAnswer and explanation: {bond.who}"
