"""The data sets in `data/instructions`, written by us: a few hundred conversations of each kind, one a line.

`few_good_examples.jsonl` is for tuning live on few or many, clean or noisy examples (Zhou et al., 2023): every item has
its right reply and a damaged one, so that what is compared differs in nothing but quality.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xllm_widgets.microworld.assistant import CONVERSE, requests
from xllm_widgets.microworld.world import World

from .commands import TOLD
from .facts import Fact, ask, choose_fact, options
from .layout import converse

ROWS = 300
EXAMPLES = 2048
FORMS = {"bare": "", "brief": " Answer in one word.", "sentence": " Answer in a sentence."}
Row = dict[str, Any]


def conversations(world: World, kind: str, count: int = ROWS, seed: int = 0) -> Iterator[Row]:
    """Rows of one kind: messages in transformers' form, the kind, and the true facts that the replies state."""
    for number in range(count):
        written = CONVERSE[kind](world, random.Random(f"{kind}:{seed}:{number}"))
        yield {"messages": written.messages, "kind": kind, "facts": list(written.facts)}


def listed_requests(world: World) -> Iterator[Row]:
    """Unsafe requests and look-alikes, those of the tests too."""
    for request, split in requests.listing():
        messages = converse("requests", [(request.text, request.reply)]).messages
        yield {"messages": messages, "kind": "requests", "unsafe": request.unsafe, "split": split}


def put(fact: Fact, value: str, form: str) -> str:
    return TOLD[fact.relation].format(n=fact.subject, v=value) if form == "sentence" else value


def damage(world: World, rng: random.Random, fact: Fact, form: str) -> tuple[str, str]:
    """What is wrong with the damaged reply ("answer" or "form"), and that reply."""
    values = [option.strip() for option in options(world, fact.relation)] or [str(n) for n in range(1500, 2000)]
    wrong = rng.choice([value for value in values if value != fact.value])
    if rng.random() < 0.5:
        return "answer", put(fact, wrong, form)
    return "form", put(fact, fact.value, "bare" if form == "sentence" else "sentence")


def few_good_examples(world: World, count: int = EXAMPLES, seed: int = 0) -> Iterator[Row]:
    """Questions on facts in three forms, no two alike; `noisy` is the damaged reply, `damage` what is wrong with it."""
    rng = random.Random(f"few good examples:{seed}")
    seen: set[str] = set()
    while len(seen) < count:
        fact, form = choose_fact(world, rng, tail=rng.random() < 0.25), rng.choice(list(FORMS))
        said = ask(fact, rng) + FORMS[form]
        flaw, noisy = damage(world, rng, fact, form)
        if said not in seen:
            seen.add(said)
            messages = converse(form, [(said, put(fact, fact.value, form))]).messages
            yield {
                "messages": messages, "kind": form, "facts": [fact.identifier], "noisy": noisy, "damage": flaw
            }  # fmt: skip


def tables(world: World) -> dict[str, Iterator[Row]]:
    """File name → its rows."""
    kinds = {kind: conversations(world, kind) for kind in CONVERSE if kind != "requests"}
    return kinds | {"requests": listed_requests(world), "few_good_examples": few_good_examples(world)}


def write(folder: Path, world: World) -> None:
    """Write every data set as JSON Lines into `folder`; the same bytes on every machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables(world).items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8", newline="\n")
