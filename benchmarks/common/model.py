"""The model that all contestants read: a Llama shape with random weights and a tokenizer of made-up words.

    python -m common.model FOLDER SHAPE DTYPE DEVICE     builds it

A word is one token and brings its own space, so that a text of n words has n tokens in every tokenizer's eyes. There is
no mark for the end of a text, so that whoever samples has to write as many tokens as were asked for.
"""

import itertools
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bench import LARGE

if TYPE_CHECKING:
    from .bench import Setting

VOCABULARY = 4096
SEED = 0
SHAPES = {
    "tiny": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
    "6m": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8, "intermediate_size": 704},
    "7b": {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008},
}
_BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]  # the bytes that byte-level BPE writes as themselves
_SPACE = "Ġ"  # as which it writes a space


def words() -> list[str]:
    """As many distinct words of letters as fill the vocabulary, each with its space."""
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    return [" " + a + b for a, b in itertools.product(syllables, repeat=2)][: VOCABULARY - 258]


def text(length: int, seed: int) -> str:
    """`length` words drawn at random; always the same for a seed."""
    return "".join(random.Random(seed).choices(words(), k=length))


def parameters(shape: str) -> tuple[int, int]:
    """Weights that a token's pass through the blocks multiplies, and those of the output layer."""
    s = SHAPES[shape]
    width, inner, layers = s["hidden_size"], s["intermediate_size"], s["num_hidden_layers"]
    return layers * (4 * width * width + 3 * width * inner), VOCABULARY * width


def _alphabet() -> list[str]:
    others = [byte for byte in range(256) if byte not in _BYTES]
    return [chr(b) for b in _BYTES] + [chr(256 + n) for n in range(len(others))]


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = ["<s>", "<pad>", *_alphabet(), *(_SPACE + word[1:] for word in words())]
    core = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, [], ignore_merges=True))
    core.add_special_tokens(["<s>", "<pad>"])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "pad_token": "<pad>"}
    told |= {"model_max_length": 8192, "clean_up_tokenization_spaces": False}
    told |= {"model_input_names": ["input_ids", "attention_mask"]}  # older ones add token types, which no Llama takes
    (folder / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")


def build(folder: Path, shape: str, dtype: str, device: str = "cpu") -> None:
    """Write configuration, weights and tokenizer of a shape; of a large one no weights, which `load_hf` makes then.

    Large weights, so that answers differ visibly, but not so large that rounding is blown up from block to block.
    """
    from transformers import LlamaConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    spread = min(0.05, 0.8 / SHAPES[shape]["hidden_size"] ** 0.5)
    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=8192, tie_word_embeddings=True, initializer_range=spread,
        bos_token_id=0, eos_token_id=None, pad_token_id=1, **SHAPES[shape],
    )  # fmt: skip
    _write_tokenizer(folder)
    if shape in LARGE:
        config.save_pretrained(folder)
    else:
        _made(config, dtype, device).save_pretrained(folder)


def _made(config: Any, dtype: str, device: str, **options: Any) -> Any:
    """The model of a configuration, made where it is used; on one machine the same for every contestant."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(SEED)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype), **options)


def load_tokenizer(setting: "Setting") -> Any:
    """The plain tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(setting.folder)


def load_hf(setting: "Setting", **options: Any) -> Any:
    """The plain transformers model, on its device and in its number format."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if setting.shape in LARGE:
        config = AutoConfig.from_pretrained(setting.folder)
        return _made(config, setting.dtype, setting.device, **options).eval()
    hf = AutoModelForCausalLM.from_pretrained(setting.folder, dtype=getattr(torch, setting.dtype), **options)
    return hf.to(setting.device).eval()


def load_lm(setting: "Setting") -> Any:
    """Ours."""
    import xllm_widgets
    from xllm_widgets.models.language_model import LanguageModel

    if setting.shape in LARGE:
        return LanguageModel(load_hf(setting), load_tokenizer(setting), setting.shape)
    return xllm_widgets.load(setting.folder, device=setting.device, dtype=setting.dtype)


if __name__ == "__main__":
    build(Path(sys.argv[1]), *sys.argv[2:])
