"""The Pebbles' tokenizer: byte-level BPE in which the world's words are single tokens and digits stand alone.

Any other text falls back to its bytes, so nothing is ever unknown and decoding gives back exactly what was encoded.
"""

import json
import random
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xllm_widgets.microworld import taxonomy
from xllm_widgets.microworld.corpus import ALL_KINDS
from xllm_widgets.microworld.document import END_OF_TEXT
from xllm_widgets.microworld.world import World

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD = re.compile(r" ?[^\W\d_]+| [-+=]")
SAMPLE = 600  # documents of each kind read for the vocabulary; every proper name is added, mentioned or not
RARE = 3  # words seen less often in the sample are left to their bytes, unless they are names
ROUND_TO = 64


def world_words(world: World) -> list[str]:
    """The words that become single tokens, each with its leading space if it has one, in a fixed order."""
    seen: Counter[str] = Counter()
    for kind, its in ALL_KINDS.items():
        for number in range(SAMPLE):
            text = its.write(world, random.Random(f"vocabulary:{kind}:{number}")).text
            seen.update(WORD.findall(text.replace(END_OF_TEXT, "\n")))
    words = {word for word, count in seen.items() if count >= RARE}
    for name in (*world.names, *taxonomy.names(world)):
        first, *rest = name.split()
        words.update((first, f" {first}", *(f" {word}" for word in rest)))
    return sorted(words)


@lru_cache(maxsize=1)
def build() -> "Tokenizer":
    """The one tokenizer that all Pebbles share: base, counterfactual and chat."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    words = ["".join(piece for piece, _ in byte_level.pre_tokenize_str(word)) for word in world_words(World.default())]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys([END_OF_TEXT, *letters, *words]))}
    for number in range(-len(vocabulary) % ROUND_TO):
        vocabulary[f"<|unused{number}|>"] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, vocabulary[END_OF_TEXT])]
            ),
        ]
    )
    return tokenizer


def save(folder: Path, context: int, chat_template: str = "") -> None:
    """Write the files from which transformers' `AutoTokenizer` loads it, of version 4 as of version 5.

    `chat_template` (jinja) is kept for a model that was tuned to converse.
    """
    build().save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        **({"chat_template": chat_template} if chat_template else {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
