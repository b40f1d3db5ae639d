"""Reviews with a sentiment, and few-shot sheets that label them naturally, the wrong way round, or arbitrarily.

The layout is the one that chapter 01 prompts with, on the bundled models and on any other:

    Review: The film was really bright and moving.
    Sentiment: positive
"""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from xllm_widgets.microworld.document import Document, from_marked
from xllm_widgets.microworld.world import World

SENTIMENTS = ("negative", "positive")
ADJECTIVES = {
    "positive": (
        "great superb lovely moving funny bright clever fresh warm rich sharp charming perfect delicious smooth "
        "brilliant joyful tender vivid splendid graceful thrilling delightful wonderful"
    ).split(),
    "negative": (
        "dull boring bland weak slow stale cold clumsy noisy painful messy tedious lifeless bitter shallow hollow "
        "dreary sloppy tiresome dismal grim broken terrible horrid"
    ).split(),
}
NOUNS = "film book meal song hotel phone play game show cake story room soup album novel concert".split()
NEUTRAL = "long short new small local recent second plain quiet little".split()
ADVERBS = ("really ", "quite ", "very ", "rather ", "simply ", "truly ", "")
TEMPLATES = (
    "The {x} was {v}{a} and {v}{a}.",
    "A {a} {x}, {v}{a} from start to end.",
    "I found the {x} {v}{a}.",
    "What a {a} {x}, so {a}!",
    "We thought this {x} was {v}{a}, the rest {a} too.",
    "My {n} {x} was {a}, {a} and {a}.",
    "A {n} {x}, and {v}{a}.",
)
ARBITRARY_LABELS = (
    "foo bar alpha beta red blue cat dog left right apple pear one two sun moon iron gold king queen lamp chair".split()
)
EXPLAINED = 0.08  # share of sheets whose demonstrations carry an explanation


@dataclass(frozen=True)
class Review:
    """A review, its sentiment, and the character spans of the words that carry it."""

    text: str
    sentiment: str
    sentiment_words: tuple[tuple[int, int], ...]

    @property
    def explanation(self) -> str:
        """One line that names the words and their tone, and neither sentiment nor label."""
        words = list(dict.fromkeys(self.text[start:end] for start, end in self.sentiment_words))
        tone = "kind" if self.sentiment == "positive" else "harsh"
        if len(words) == 1:
            return f"{words[0]} is a {tone} word."
        return f"{', '.join(words[:-1])} and {words[-1]} are {tone} words."


def is_reserved(noun: str, adjective: str) -> bool:
    """Whether this pair is kept for tests: no document of any corpus calls this thing by this word."""
    return zlib.crc32(f"{noun} {adjective}".encode()) % 6 == 0


@cache
def vocabulary(noun: str, sentiment: str, split: str) -> tuple[str, ...]:
    return tuple(a for a in ADJECTIVES[sentiment] if is_reserved(noun, a) == (split == "test"))


@cache
def nouns(split: str) -> tuple[str, ...]:
    """The nouns with at least three adjectives of either sentiment in this split."""
    return tuple(n for n in NOUNS if all(len(vocabulary(n, s, split)) >= 3 for s in SENTIMENTS))


@cache
def pieces(template: str) -> tuple[str, ...]:
    return tuple(template.replace("{", "\0{").replace("}", "}\0").split("\0"))


def write_review(rng: random.Random, sentiment: str, split: str = "train") -> Review:
    """A random review; with `split="test"` every noun and sentiment word meet in a pair that was never taught."""
    noun = rng.choice(nouns(split))
    words = iter(rng.sample(vocabulary(noun, sentiment, split), 3))
    text, spans = "", []
    for piece in pieces(rng.choice(TEMPLATES)):
        if piece == "{a}":
            word = next(words)
            spans.append((len(text), len(text) + len(word)))
            text += word
        elif piece == "{v}":
            text += rng.choice(ADVERBS)
        elif piece == "{n}":
            text += rng.choice(NEUTRAL)
        else:
            text += noun if piece == "{x}" else piece
    return Review(text, sentiment, tuple(spans))


def neutral_word(word: str) -> str | None:
    """The neutral word, one token like the original, that takes the place of a sentiment word; None for other words."""
    for adjectives in ADJECTIVES.values():
        if word in adjectives:
            return NEUTRAL[adjectives.index(word) % len(NEUTRAL)]
    return None


def render_demonstration(text: str, label: str, explanation: str | None = None) -> str:
    explained = f"Explanation: {explanation}\n" if explanation else ""
    return f"Review: {text}\n{explained}Sentiment: {label}\n\n"


def render_prompt(demonstrations: Sequence[tuple[str, ...]], query: str) -> str:
    """The few-shot prompt for `query` after demonstrations of (text, label) or (text, label, explanation)."""
    return "".join(render_demonstration(*d) for d in demonstrations) + f"Review: {query}\nSentiment:"


@cache
def label_pairs(split: str) -> tuple[tuple[str, str], ...]:
    """Pairs of arbitrary label words; one pair in five, foo and bar among them, never shares a sheet in training."""
    kept = {("foo", "bar")} | {
        p for p in combinations(ARBITRARY_LABELS, 2) if zlib.crc32("/".join(p).encode()) % 5 == 0
    }
    return tuple(p for p in combinations(ARBITRARY_LABELS, 2) if (p in kept) == (split == "test"))


def choose_labels(rng: random.Random, mode: str) -> dict[str, str]:
    """Which word stands for which sentiment on one sheet."""
    pair = list(rng.choice(label_pairs("train")))
    rng.shuffle(pair)
    if mode == "arbitrary":
        return dict(zip(SENTIMENTS, pair, strict=True))
    return dict(zip(SENTIMENTS, SENTIMENTS if mode == "natural" else SENTIMENTS[::-1], strict=True))


def write_sheet(
    world: World, rng: random.Random, *, natural: float = 0.5, flipped: float = 0.15, no_flips: bool = False
) -> Document:
    """A sheet of 1 to 16 labelled reviews; what is neither natural nor flipped carries arbitrary label words.

    `no_flips` is the counterfactual education: the same reviews in the same order, every flipped sheet told naturally.
    """
    draw = rng.random()
    mode = "natural" if draw < natural else "flipped" if draw < natural + flipped else "arbitrary"
    labels = choose_labels(rng, "natural" if no_flips and mode == "flipped" else mode)
    explained = rng.random() < EXPLAINED
    lines = []
    for _ in range(rng.randint(1, 16)):
        review = write_review(rng, rng.choice(SENTIMENTS))
        explanation = review.explanation if explained else None
        lines.append(render_demonstration(review.text, f"«{labels[review.sentiment]}»", explanation))
    return from_marked("sheets", "".join(lines).rstrip("\n"), [])
