"""`load`: a bundled model, a folder or a hub id to a `LanguageModel`, or one sentence saying why not."""

import difflib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ..errors import CorruptModel, ModelNotFound, XllmError
from .catalogue import bundled_folder, bundled_models
from .language_model import LanguageModel

_HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
_SMALL = 100_000_000  # below this many parameters, 16-bit numbers save nothing worth their rounding
_HUB_SECONDS = 4.0
_NAMED = 6  # models named in a sentence about one that is not there


def load(
    name: str | Path,
    *,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    quantization: str | None = None,
) -> LanguageModel:
    """One door to every causal language model that transformers can load from safetensors.

    `name`: a bundled model ("pebble-3m"), one of its checkpoints ("pebble-1m@2M"), a folder, or a hub id ("gpt2").
    `device`: CUDA, else MPS, else CPU unless given; "auto" is for a model larger than one card: its blocks are spread
    over all GPUs, then the computer's memory (by accelerate). `dtype`: float32 on CPU and for small models, else what
    the hardware does fast. `quantization`: "8bit" or "4bit" (needs the bitsandbytes package). `lm.describe()` says what
    was chosen. Raises ModelNotFound, CorruptModel, or XllmError for an option that cannot be had; each in one sentence.
    """
    where, label = _locate(str(name))
    options = _options(device, dtype, quantization)
    with _quiet():
        hf = _weights(where, label, options)
        tokenizer = _tokenizer(where, label)
    stored = _stored_dtype(hf)
    if "device_map" not in options:
        hf = _place(hf, _device(device), _dtype(dtype), label)
    return LanguageModel(hf, tokenizer, label, stored_dtype=stored, recipe=_recipe(where))


def _locate(name: str) -> tuple[str, str]:
    """Where the files are (a folder, or a hub id that can be had), and what to call the model."""
    if name.partition("@")[0] in bundled_models():
        return str(bundled_folder(name)), name
    folder = Path(name).expanduser()
    if not name:
        raise ModelNotFound(f"The name of a model is missing; {_alternatives(name)}")
    if folder.is_dir():
        return str(folder), folder.resolve().name
    if not _HUB_ID.match(name):
        raise ModelNotFound(f"There is no folder {name!r}, and it is no hub id either; {_alternatives(name)}")
    if "/" not in name and difflib.get_close_matches(name, bundled_models(), 1, 0.7):
        raise ModelNotFound(f"There is no model {name!r}; {_alternatives(name)}")
    _ask_hub(name)
    return name, name


def _alternatives(name: str) -> str:
    """What can be had instead: the closest names first, then the smallest, as many as one sentence bears."""
    names = bundled_models()
    if not names:
        return "no bundled models are installed."
    close = difflib.get_close_matches(name.split("/")[-1], names, 3, 0.5)
    listed = (close + [n for n in names if n not in close])[:_NAMED]
    more = f" and {len(names) - _NAMED} more, which `xllm models` lists" if len(names) > _NAMED else ""
    return f"bundled and ready without a network: {', '.join(listed)}{more}."


def _ask_hub(name: str) -> None:
    """Make sure a hub id can be loaded: from the local cache, or because the hub answers within seconds."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(f"{name!r} is not on this machine and the hub is switched off; {_alternatives(name)}")
    try:
        HfApi().model_info(name, timeout=_HUB_SECONDS)
    except GatedRepoError:
        raise ModelNotFound(
            f"{name!r} asks for its licence to be accepted on the hub first; {_alternatives(name)}"
        ) from None
    except RepositoryNotFoundError:
        raise ModelNotFound(
            f"The hub has no public model {name!r}; check the spelling, or {_alternatives(name)}"
        ) from None
    except Exception:  # whatever a network can do: no route, no name, a proxy's page
        raise ModelNotFound(f"The hub cannot be reached for {name!r}; {_alternatives(name)}") from None


def _options(device: str | None, dtype: str | torch.dtype | None, quantization: str | None) -> dict[str, Any]:
    """Arguments for from_pretrained: weights that are neither spread nor quantized are placed after they arrived."""
    if quantization not in (None, "8bit", "4bit"):
        raise XllmError(f'quantization={quantization!r} is not known; choose "8bit" or "4bit".')
    if quantization is None and device != "auto":
        return {"dtype": "auto"}
    place = "auto" if device == "auto" else {"": str(_device(device))}
    if quantization is None:
        _need("accelerate", 'device="auto"')
        half = _half() if torch.cuda.is_available() else torch.float32
        return {"dtype": _dtype(dtype) or half, "device_map": place}
    _need("bitsandbytes", "accelerate", f'quantization="{quantization}"')
    chosen = _dtype(dtype) or _half()
    return {"dtype": chosen, "device_map": place, "quantization_config": _bits(quantization, chosen)}


def _need(*packages_and_what_for: str) -> None:
    """XllmError, with the line to run, if one of the packages is not installed."""
    import importlib.util

    *packages, option = packages_and_what_for
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise XllmError(f"{option} needs {' and '.join(missing)}; run `pip install {' '.join(missing)}`.")


def _bits(quantization: str, compute: torch.dtype) -> Any:
    """Four bits as in QLoRA (Dettmers et al., 2023): normal floats, their scales quantized too, products in 16 bits."""
    from transformers import BitsAndBytesConfig

    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute
    )


def _weights(where: str, label: str, options: dict[str, Any]) -> Any:
    from transformers import AutoModelForCausalLM

    _check_files(Path(where), label)
    try:
        hf, info = AutoModelForCausalLM.from_pretrained(
            where,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    except Exception as error:  # transformers raises many kinds; the student needs the one sentence
        raise _sentence(where, label, error) from None
    if wrong := sorted([*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])]):
        raise CorruptModel(
            f"{len(wrong)} of the weights of {label} are missing or of the wrong shape ({wrong[0]} first); "
            "fetch it again."
        )
    return hf


def _check_files(folder: Path, label: str) -> None:
    """CorruptModel for a folder whose configuration cannot be read or whose weights are cut short."""
    if not folder.is_dir():
        return
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except FileNotFoundError:
        raise ModelNotFound(f"The folder {folder.name!r} has no config.json; {_alternatives(folder.name)}") from None
    except ValueError:
        config = None
    if not isinstance(config, dict) or "model_type" not in config:
        raise CorruptModel(
            f"The config.json of {label} cannot be read as a model's configuration; fetch the model again."
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CorruptModel(
            f"{label} has no .safetensors file, the only format that is loaded; convert or fetch it again."
        )
    for file in files:
        try:
            with safe_open(file, framework="pt"):
                pass
        except Exception as error:  # safetensors' own error class has no stable home
            raise CorruptModel(
                f"{file.name} of {label} is damaged or cut short ({_first_line(error)}); fetch it again."
            ) from None


def _tokenizer(where: str, label: str) -> Any:
    from transformers import AutoTokenizer

    if Path(where).is_dir() and not any(Path(where).glob("tokenizer*")) and not (Path(where) / "vocab.json").is_file():
        raise CorruptModel(f"{label} has no tokenizer.json; put the model's tokenizer beside its weights.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except Exception as error:
        raise CorruptModel(f"The tokenizer of {label} cannot be read ({_first_line(error)}); fetch it again.") from None
    if not tokenizer.is_fast or not len(tokenizer):
        raise CorruptModel(f"{label} has no fast tokenizer (tokenizer.json), which exact character offsets need.")
    return tokenizer


def _sentence(where: str, label: str, error: Exception) -> XllmError:
    """What went wrong inside transformers, as a person would say it."""
    text = str(error).lower()
    if isinstance(error, torch.OutOfMemoryError):
        return _too_large(label, "its device")
    if "bitsandbytes" in text:
        return XllmError(f"{label} cannot be quantized here ({_first_line(error)}); leave quantization out.")
    if "gated" in text or "401" in text or "403" in text:
        return ModelNotFound(f"{label!r} asks for its licence to be accepted on the hub first; {_alternatives(label)}")
    if not Path(where).is_dir() and ("connect" in text or "offline" in text or "couldn't reach" in text):
        return ModelNotFound(f"The hub went away while {label!r} was fetched; {_alternatives(label)}")
    if "safetensors" in text and ("no file named" in text or "does not appear" in text):
        return CorruptModel(f"{label} has no .safetensors file, the only format that is loaded; choose another model.")
    if "custom code" in text or "trust_remote_code" in text:
        return CorruptModel(f"{label} needs program code of its own, which is never run; choose another model.")
    return CorruptModel(f"{label} cannot be loaded ({_first_line(error)}); fetch it again or choose another model.")


def _first_line(error: Exception) -> str:
    """The first sentence of a library's message, short enough to stand in brackets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0].split(". ")[0][:160].rstrip(".:! ")


def _place(hf: Any, device: torch.device, dtype: torch.dtype | None, label: str) -> Any:
    small = sum(p.numel() for p in hf.parameters()) < _SMALL
    chosen = dtype or (torch.float32 if small or device.type != "cuda" else _half())
    try:
        return hf.to(device=device, dtype=chosen)
    except torch.OutOfMemoryError:
        raise _too_large(label, device) from None


def _too_large(label: str, device: torch.device | str) -> XllmError:
    return XllmError(f'{label} does not fit on {device}; try quantization="4bit", device="auto" or device="cpu".')


def _device(device: str | None) -> torch.device:
    """The device asked for, or the best there is; XllmError if it is not there."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    return named_device(device)


def named_device(device: str) -> torch.device:
    """The device of a name such as "cuda:1"; XllmError if this machine has none."""
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise XllmError(f'This machine has no device {device!r}; leave it out, or use "cpu".') from None
    return chosen


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """A torch dtype from itself or its name; XllmError if it is none a model can compute in."""
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found is None and dtype is None:
        return None
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise XllmError(f'dtype={dtype!r} is not known; choose "float32", "bfloat16" or "float16".')
    return found


def _half() -> torch.dtype:
    """The 16-bit format that the GPU at hand computes in; bfloat16 where there is none."""
    return torch.bfloat16 if not torch.cuda.is_available() or torch.cuda.is_bf16_supported() else torch.float16


def _stored_dtype(hf: Any) -> str:
    return str(hf.dtype).removeprefix("torch.")


def _recipe(where: str) -> dict | None:
    path = Path(where) / "recipe.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no chatter from transformers while loading; its settings are as before afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    parallel = os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        os.environ["TOKENIZERS_PARALLELISM"] = parallel
