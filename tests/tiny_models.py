"""Tiny random models of many families, each with a tokenizer trained on the spot: no network, no files."""

import functools
from collections.abc import Callable
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from xllm_widgets.models.language_model import LanguageModel

WORDS = "Review: The film was really bright and moving. Sentiment: positive negative dull slow yes no 12 世界 😀 שלום\n"
MARK = "<|endoftext|>"
SHAPE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
CONTEXT = 96
torch.set_num_threads(1)  # these models are too small to share out; threads that wait for a busy core cost minutes


@functools.cache
def byte_level(bos: bool = True) -> Any:
    """Byte-level BPE as in GPT-2 and Pebble; with or without a mark put before each text."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        [WORDS] * 5,
        trainers.BpeTrainer(vocab_size=360, special_tokens=[MARK], initial_alphabet=alphabet, show_progress=False),
    )
    if bos:
        core.post_processor = processors.TemplateProcessing(single=f"{MARK} $A", special_tokens=[(MARK, 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, bos_token=MARK, eos_token=MARK)


@functools.cache
def metaspace() -> Any:
    """BPE over ▁-marked words with byte fallback, as in Llama 2 and Gemma."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    marks = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    text = WORDS.replace("世界 😀 שלום", "")
    core.train_from_iterator([text] * 5, trainers.BpeTrainer(vocab_size=360, special_tokens=marks, show_progress=False))
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _llama_like(name: str, **more: Any) -> Callable[[int], Any]:
    def build(vocabulary: int) -> Any:
        words = {**SHAPE, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT, **more}
        config = getattr(transformers, name)
        return config(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, pad_token_id=None, **words)

    return build


def _gpt2(vocabulary: int) -> Any:
    return transformers.GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=3, n_head=4, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )


def _opt(vocabulary: int) -> Any:
    return transformers.OPTConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        word_embed_proj_dim=24,
        ffn_dim=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
    )


def _mamba(vocabulary: int) -> Any:
    return transformers.MambaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=3,
        state_size=4,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )


FAMILIES: dict[str, Callable[[int], Any]] = {
    "gpt2": _gpt2,
    "llama": _llama_like("LlamaConfig", tie_word_embeddings=True),
    "qwen2": _llama_like("Qwen2Config"),
    "qwen3": _llama_like("Qwen3Config", head_dim=8),
    "gpt_neox": _llama_like("GPTNeoXConfig"),
    "mistral": _llama_like("MistralConfig", sliding_window=5),
    "gemma": _llama_like("GemmaConfig", head_dim=8),
    "gemma2": _llama_like("Gemma2Config", head_dim=8, sliding_window=5, final_logit_softcapping=5.0),
    "gemma3": _llama_like("Gemma3TextConfig", head_dim=8, sliding_window=5),
    "opt": _opt,
    "phi": _llama_like("PhiConfig"),
}


def _gpt_oss(vocabulary: int) -> Any:
    """Attention sinks, and windows in every other block."""
    build = _llama_like("GptOssConfig", head_dim=8, sliding_window=5, num_local_experts=2, num_experts_per_tok=1)
    return build(vocabulary)


ODD_FAMILIES = {"mamba": _mamba, "gpt_oss": _gpt_oss}
"""Families that some tests ask for by name."""


def tiny(
    family: str, *, seed: int = 0, spread: float = 4.0, tokenizer: Any = None, dtype: torch.dtype = torch.float32
) -> LanguageModel:
    """A model of one family with random weights, `spread` times the usual ones so that its answers differ."""
    tokenizer = tokenizer or byte_level(bos=family != "gpt2")
    config = (FAMILIES | ODD_FAMILIES)[family](len(tokenizer))
    torch.manual_seed(seed)
    hf = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in hf.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
    return LanguageModel(hf.to(dtype), tokenizer, f"tiny-{family}")
