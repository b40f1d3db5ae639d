"""Greedy text of many prompts is, prompt by prompt, what the slow and general `generate` writes."""

import numpy as np
import pytest
import tiny_models

from xllm_widgets.errors import PromptError
from xllm_widgets.models.edits import Steer
from xllm_widgets.models.greedy import greedy
from xllm_widgets.models.language_model import LanguageModel

PROMPTS = ["The film was", "The film is", "Review: The film was bright and moving.", "世", "The"]


def test_it_writes_what_generate_writes(any_lm: LanguageModel) -> None:
    slow = any_lm.generate(PROMPTS, max_new_tokens=9, temperature=0)
    assert greedy(any_lm, PROMPTS, 9, until="") == [row[0].text for row in slow]


@pytest.mark.parametrize("positions", ["all", [-1], [-4, -1], [0]])
def test_what_all_begin_with_is_read_once_under_edits_too(any_lm: LanguageModel, positions) -> None:
    prompts = [f"Review: The film was really {word}" for word in ("dull", "moving", "slow and dull", "yes no")]
    vector = np.random.default_rng(0).normal(size=any_lm.width)
    for edits in ([], [Steer(vector, 2, 4.0, positions=positions)]):
        with any_lm.edit(*edits):
            slow = any_lm.generate(prompts, max_new_tokens=6, temperature=0)
            assert greedy(any_lm, prompts, 6, until="") == [row[0].text for row in slow]


def test_every_ending_character_ends_a_text_and_the_others_go_on_alone(any_lm: LanguageModel) -> None:
    prompts = [f"The film {'was ' * (number % 3)}{letter}" for number, letter in enumerate("abcdefgh")]
    assert len({len(any_lm.prompt_ids(prompt)) for prompt in prompts}) == 3, "near lengths run in one batch"
    free = greedy(any_lm, prompts, 9, until="")
    until = "".join({text[len(text) // 3] for text in free[:5] if text})
    slow = any_lm.generate(prompts, max_new_tokens=9, temperature=0, stop=list(until))
    cut = greedy(any_lm, prompts, 9, until=until)
    assert cut == [row[0].text for row in slow]
    assert cut != free
    assert not set("".join(cut)) & set(until)


def test_a_model_without_a_cache_writes_too() -> None:
    lm = tiny_models.tiny("mamba")
    assert greedy(lm, PROMPTS[:2], 4, until="") == [
        row[0].text for row in lm.generate(PROMPTS[:2], max_new_tokens=4, temperature=0)
    ]


def test_no_room_and_no_prompt_are_said_in_words(lm: LanguageModel) -> None:
    for prompt in ("", "The film was " * 40):
        with pytest.raises(PromptError):
            greedy(lm, [prompt])


def test_the_end_of_the_context_ends_a_text(lm: LanguageModel) -> None:
    prompts = ["The film was " * 18, "The film was " * 18 + "dull"]
    rooms = [lm.context_length - len(lm.prompt_ids(prompt)) for prompt in prompts]
    slow = lm.generate(prompts, max_new_tokens=500, temperature=0)
    assert min(rooms) > 0
    assert greedy(lm, prompts, 500, until="") == [row[0].text for row in slow]
