"""Copying is measured on models that do nothing else or never do it, and against a loop over a model's own logits."""

import random

import pytest
import torch

from xllm_widgets.exam import copying
from xllm_widgets.exam.paper import Paper
from xllm_widgets.microworld import dialogues
from xllm_widgets.microworld.world import World
from xllm_widgets.models import load

WORLD = World.default()


def items(n: int = 60) -> list[copying.Copied]:
    return copying.draw(WORLD, random.Random(0), n)


def test_two_prompts_differ_in_the_value_that_is_told_and_in_nothing_else() -> None:
    for item in items():
        value = item.value.strip()
        said = {"told": dialogues.claims(item.told), "other": dialogues.claims(item.other)}
        told, other = said["told"] - said["other"], said["other"] - said["told"]
        assert len(told) == len(other) == 1
        (claim,), (wrong,) = told, other
        assert (claim.topic, claim.name, claim.value) == (wrong.topic, wrong.name, value)
        assert item.told.replace(str(claim), str(wrong), 1) == item.other
        assert claim.reserved, "no document made it"
        assert str(claim) == f"{item.told.split('B: ')[1]}{item.value}."


def test_all_topics_have_their_turn() -> None:
    counts = [sum(item.told.endswith(end) for item in items(40)) for end in (" as a", " in", " collects", " is")]
    assert counts == [10, 10, 10, 10]


def test_who_copies_gains_and_who_knows_by_heart_does_not(answer_book) -> None:
    by_prompt = {
        prompt: item.value for item in copying.draw(WORLD, Paper(None).rng("copying"), 40) for prompt in item[:2]
    }

    def copy(prompt: str) -> str:
        asked = prompt.split("A: ")[1].split("\n")[0]
        return next(claim.value for claim in dialogues.claims(prompt) if claim.question == asked)

    copied = copying.measure_copying(Paper(answer_book(copy), n=40))
    assert copied[""].estimate == pytest.approx(8.9)
    assert copied[""].n == 40
    known = copying.measure_copying(Paper(answer_book(by_prompt.get), n=40))
    assert (known[""].estimate, known["told above"].estimate) == (0, pytest.approx(0.1))


def test_gains_are_those_of_a_plain_loop() -> None:
    lm = load("pebble-0.3m")
    found = copying.gains(Paper(lm, n=12))
    expected = []
    for item in copying.draw(WORLD, Paper(None).rng("copying"), 12):
        losses = []
        for prompt in (item.other, item.told):
            ids = lm.prompt_ids(prompt + item.value)
            cut = len(lm.prompt_ids(prompt))
            with torch.inference_mode():
                logp = lm.hf(torch.tensor([ids])).logits[0].log_softmax(-1)
            losses.append(-sum(float(logp[t - 1, ids[t]]) for t in range(cut, len(ids))))
        expected.append(losses[0] - losses[1])
    assert found[""] == pytest.approx(expected, abs=1e-3)
    assert len(set(found[""])) > 6
