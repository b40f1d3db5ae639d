"""Which number does a reply give as its answer? Read from whatever a language model writes, and from nothing else."""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction

Number = int | float

_NEXT_QUESTION = re.compile(r"\b(?:Question|Q)\s*:")
_STATED = re.compile(r"\banswer\s+(?:is|was|equals)\b[\s:]*|\banswer\s*=\s*|####\s*|\\boxed\s*\{", re.IGNORECASE)
_HEADED = re.compile(r"\banswer\s*:\s*", re.IGNORECASE)
_PHRASE_END = re.compile(r"\n|[!?;]|\.(?!\d)")
_WORKING = re.compile(r"[=+×÷*]|\d\s*[-/]\s*\d")

UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
UNITS += " seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
VALUES = {word: value for value, word in enumerate(UNITS.split())}
VALUES |= {word: 10 * (place + 2) for place, word in enumerate(TENS.split())}
_WORD = "|".join(sorted([*VALUES, *SCALES], key=len, reverse=True))

# A minus is a sign unless a number, a letter or a bracket stands right before it: "7 - 5" and "7-5" are differences.
_SIGN = r"(?:(?<![\w)])(?<![\d)]\s)-\s?|(?<![\d)]\s)\b(?:minus|negative)\s+)"
_DIGITS = (
    r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)(?:\.\d+)?"  # 1,234 and 12,34,567, thousands and lakhs
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}(?!\d)"  # 1.234,5 and 1.234.567
    r"|\d+,\d+|\d+(?:\.\d+)?(?:e[+-]?\d{1,2}(?!\d))?|\.\d+)"  # 1,5 and 1.5 and 1e3 and .5
)
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?[$€£¥]?\s?(?P<minus>(?<=[$€£¥])-)?(?<![^\W_])(?P<digits>{_DIGITS})"
    rf"(?:\s?/\s?(?P<under>\d+)|\s(?P<top>\d+)\s?/\s?(?P<bottom>\d+))?(?:\s(?P<scale>{'|'.join(SCALES)})\b)?",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    rf"(?P<sign>{_SIGN})?\b(?P<words>(?:{_WORD})\b(?:(?:\s+and\s+|[\s-]+)(?:{_WORD})\b)*)", re.IGNORECASE
)


def extract_answer(text: str) -> Number | None:
    """The number that a reply gives as its answer; None where it gives none.

    - What the reply states counts ("The answer is 12", "#### 12", "\\boxed{12}"); of several statements the last one,
      for who corrects himself means the correction. "The answer is 7 + 5 = 12" states 12. A statement without a number
      ("The answer is unknown") gives none, whatever stands elsewhere.
    - A reply headed "Answer:" gives the number right behind it, unless that is where its working begins.
    - Otherwise the last number counts. What follows after another "Question:" is not this reply's.

    Understands signs, decimals, thousands ("1,234", "1.234,5", "1 234" with a hard space), fractions ("2 1/2"),
    currencies, number words ("minus twenty-one") and digits of any script. Whole numbers come back as int, others as
    float. A word alone ("one") is only read as a number where no digits are written.
    """
    reply = _own_reply(_normalised(text))
    stated = [reply[mark.end() :] for mark in _STATED.finditer(reply)]
    if stated:
        told = [number for number in map(_first_stated, stated) if number is not None]
        return told[-1] if told else None
    headed = [_phrase(reply[mark.end() :]) for mark in _HEADED.finditer(reply)]
    plain = [phrase for phrase in headed if not _WORKING.search(phrase)]
    numbers = _numbers(plain[-1])[:1] if plain else []
    numbers = numbers or _numbers(reply)
    return numbers[-1] if numbers else None


def _normalised(text: str) -> str:
    """Plain digits, signs and slashes, whatever script they came in; grouping by hard spaces or apostrophes undone.

    Raised digits are exponents or footnotes, no part of the number before them, and go.
    """
    text = re.sub("[⁰¹²³⁴-⁹]", "", text)
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() and c.isdecimal() else c for c in text)
    text = re.sub("(?<=\\d)[\u00a0\u2009\u202f'’](?=\\d{3}(?!\\d))", "", text)
    text = re.sub("(?<=\\d)(?=[¼½¾⅓⅔])", " ", text)
    text = unicodedata.normalize("NFKC", text)
    return text.translate({0x2212: "-", 0x2013: "-", 0x2012: "-", 0x2044: "/"})


def _own_reply(text: str) -> str:
    """The text before a further question; a question that the text begins with is its own."""
    for mark in _NEXT_QUESTION.finditer(text):
        if text[: mark.start()].strip():
            return text[: mark.start()]
    return text


def _phrase(text: str) -> str:
    return _PHRASE_END.split(text, maxsplit=1)[0]


def _first_stated(text: str) -> Number | None:
    """The number of a statement: what its last equals sign comes to, else the first that it names."""
    phrase = _phrase(text)
    numbers = _numbers(phrase.rsplit("=", 1)[1]) if "=" in phrase else []
    numbers = numbers or _numbers(phrase)
    return numbers[0] if numbers else None


def _numbers(text: str) -> list[Number]:
    """All numbers of a text in order: those in digits, or those in words where no digits are written."""
    found = [_from_digits(match) for match in _NUMBER.finditer(text)]
    if not found:
        found = [_from_words(match) for match in _IN_WORDS.finditer(text)]
    return [number for number in found if number is not None]


def _from_digits(match: re.Match[str]) -> Number | None:
    try:
        value = Fraction(_plain_digits(match["digits"].lower()))
        if match["under"]:
            value /= int(match["under"])
        if match["top"]:
            value += Fraction(int(match["top"]), int(match["bottom"]))
    except (ValueError, ZeroDivisionError):  # more digits than Python reads, or nothing to divide by
        return None
    value *= SCALES[match["scale"].lower()] if match["scale"] else 1
    return _number(-value if match["sign"] or match["minus"] else value)


def _plain_digits(digits: str) -> str:
    """Grouping marks taken out, the decimal mark a point."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", digits):
        return digits.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", digits):
        return digits.replace(".", "")
    if re.fullmatch(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", digits):
        return digits.replace(",", "")
    return digits.replace(",", ".")


def _from_words(match: re.Match[str]) -> Number | None:
    """ "two thousand three hundred and five" → 2305."""
    total = current = 0
    for word in re.findall(_WORD, match["words"].lower()):
        if word == "hundred":
            current = max(current, 1) * 100
        elif word in SCALES:
            total, current = total + max(current, 1) * SCALES[word], 0
        else:
            current += VALUES[word]
    return -(total + current) if match["sign"] else total + current


def _number(value: Fraction) -> Number | None:
    if value.denominator == 1:
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
