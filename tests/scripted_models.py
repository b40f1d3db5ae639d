"""Models whose behaviour is known because it is written down: each answers by a rule over the demonstrations."""

import random
import re
import threading
from types import SimpleNamespace

import numpy as np

from xllm_widgets.microworld import reviews

DEMONSTRATION = re.compile(r"Review: (.*?)\n(?:Explanation: .*?\n)?Sentiment: (\w+)\n\n", re.S)
QUESTION = re.compile(r"Review: ((?:(?!Review: ).)*)\nSentiment:$", re.S)


def tone(text):
    words = set(re.findall(r"\w+", text))
    return "positive" if words & set(reviews.ADJECTIVES["positive"]) else "negative"


class ScriptedLM:
    """A language model in whose place a rule (demonstrations, question) → word answers; it knows one token a word."""

    device, dtype, hf, n_parameters, context_length = "cpu", "float32", None, 1000, 512

    def __init__(self, rule, name="scripted", sights=("text", "logprobs")):
        self.rule, self.name, self.sights, self.prompts = rule, name, frozenset(sights), []
        self.lock = threading.RLock()
        ids = {}
        self.reader = SimpleNamespace(
            continuation=lambda _, text: [ids.setdefault(w, len(ids)) for w in text.split()], strings=lambda i: ["?"]
        )

    def tokens(self, text):
        spans = [m.span() for m in re.finditer(r"\s*\S+", text)]
        strings = [text[a:b] for a, b in spans]
        return SimpleNamespace(
            strings=strings, ids=[hash(s) % 9999 for s in strings], offsets=spans, special=[False] * len(spans)
        )

    def logprobs(self, prompts, continuations, should_stop=None):
        self.prompts += prompts
        lists = continuations if not isinstance(continuations[0], str) else [continuations] * len(prompts)
        rows = []
        for prompt, words in zip(prompts, lists, strict=True):
            answer = self.rule(DEMONSTRATION.findall(prompt), QUESTION.search(prompt).group(1))
            rows.append([-0.1 if word.strip() == answer else -3.0 for word in words])
        return np.array(rows)


def keep_prior(demonstrations, question):
    return tone(question)


def follow_labels(demonstrations, question):
    """The label that most demonstrations of the question's tone carry; the prior where there are none."""
    labels = [label for text, label in demonstrations if tone(text) == tone(question)]
    return max(set(labels), key=labels.count) if labels else tone(question)


def contradict(demonstrations, question):
    """Always the other label, whatever was shown."""
    return {"positive": "negative", "negative": "positive"}[tone(question)]


def at_random():
    rng = random.Random(0)
    return lambda demonstrations, question: rng.choice(["positive", "negative"])


GAINS_AND_LOSSES = re.compile(r"\b(buys|finds|gets|loses|sells|eats) (\d+)")


def solve(question):
    """The true steps and the answer of a problem of the bundled world."""
    amount, steps = int(re.search(r"\d+", question).group()), []
    for verb, number in GAINS_AND_LOSSES.findall(question):
        gains = verb in ("buys", "finds", "gets")
        after = amount + int(number) if gains else amount - int(number)
        steps.append(f"{amount} {'+' if gains else '-'} {number} = {after}")
        amount = after
    return steps, amount


class ScriptedReasoner:
    """Writes what a rule (demonstrations, question, what the answer begins with, sample) → text says.

    Demonstrations are (question, reply) pairs. `recipe` makes it a bundled model: it is asked the world's problems.
    """

    device, dtype, hf, n_parameters, context_length = "cpu", "float32", None, 1000, 512
    recipe = {"recipe": "scripted"}  # noqa: RUF012

    def __init__(self, rule, name="reasoner"):
        self.rule, self.name, self.sights, self.prompts = rule, name, frozenset({"text"}), []

    def generate(self, prompts, n=1, max_new_tokens=64, temperature=1.0, top_p=1.0, seed=0, stop=None):
        self.prompts += prompts
        return [[SimpleNamespace(text=self.rule(*self.read(p), k)) for k in range(n)] for p in prompts]

    def read(self, prompt):
        *shown, asked = prompt.split("\n\n")
        question, _, begun = asked.removeprefix("Question: ").partition("\nAnswer:")
        return [tuple(d.removeprefix("Question: ").split("\nAnswer: ")) for d in shown], question, begun


def told(question, right=True, worked=True):
    """A reply to a question of the world, right or wrong, with its steps or behind "The answer is"."""
    steps, answer = solve(question)
    answer += 0 if right else 1
    return f" {' '.join(step + '.' for step in steps)} The answer is {answer}." if worked else f" {answer}."
