"""20 samples × 32 tokens from a 256-token prompt: how fast are many answers to one question?

    python benchmarks/sampling.py [--rounds 5] [--python recent=PATH] [--python older=PATH]

Everyone draws from the whole distribution at temperature 1. The samples differ by nature; what is compared are the
log-probabilities reported for the tokens drawn with those of a plain forward pass over the same tokens, where any are
reported. Peers: lm-polygraph (its sampling calculator), uqlm (its response generator behind the chat interface it asks
for, which has to be wrapped: it refuses LangChain's own HuggingFacePipeline for lack of asynchronous generation). Both
need transformers < 5: `pip install -r benchmarks/peers/older.txt` into an environment of their own.
"""

from typing import Any

from common.bench import OURS, Benchmark, Case, Contestant, Finish, Run, Setting, Target
from common.decoding import BareDecoder
from common.model import load_hf, load_lm, load_tokenizer, text
from common.running import main

GENERATE, TWENTY = "transformers, num_return_sequences", "transformers, one generate a sample"
BARE, STEPS = "bare decode loop", f"{OURS}, no recorded step"
POLYGRAPH, UQLM = "lm-polygraph", "uqlm"


def work(sizes: dict[str, int]) -> tuple[float, float]:
    """Every sampled token but the last is read back; each needs a row of the output layer, the first ones one."""
    rows = sizes["samples"] * (sizes["new"] - 1)
    return sizes["prompt"] + rows, 1 + rows


def _prompt(setting: Setting) -> str:
    return text(setting.sizes["prompt"], 7)


def ours(setting: Setting) -> tuple[Run, Finish]:
    lm, sizes, prompt = load_lm(setting), setting.sizes, _prompt(setting)

    def run() -> Any:
        return lm.generate(prompt, n=sizes["samples"], max_new_tokens=sizes["new"])[0]

    def finish(samples: Any) -> dict[str, Any]:
        return _checked(setting, [s.ids for s in samples], [s.logprobs for s in samples])

    return run, finish


def no_recorded_step(setting: Setting) -> tuple[Run, Finish]:
    """Ours, as it decodes where nothing can be recorded."""
    from xllm_widgets.models import graphs

    graphs.WORTH_IT = graphs.NEVER
    return ours(setting)


def _checked(setting: Setting, ids: list[list[int]], logprobs: list[list[float]]) -> dict[str, Any]:
    """The log-probabilities as reported, beside those of a plain forward pass over the same tokens."""
    import numpy as np
    import torch

    hf, before = load_hf(setting), load_tokenizer(setting)(_prompt(setting))["input_ids"]
    reference = []
    with torch.inference_mode():
        for row in ids:
            logits = hf(torch.tensor([before + list(row)], device=hf.device), use_cache=False).logits[0].float()
            logp = logits.log_softmax(-1)[len(before) - 1 : -1]
            reference.append(logp[range(len(row)), list(row)].cpu().numpy())
    return {"values": np.array(logprobs), "reference": np.array(reference)}


def _sample(setting: Setting, samples: int, times: int) -> tuple[Run, Finish]:
    """`generate`, asked `times` times for `samples` each."""
    import torch

    hf, tokenizer = load_hf(setting), load_tokenizer(setting)
    asked = tokenizer(_prompt(setting), return_tensors="pt").to(setting.device)
    knobs = {"do_sample": True, "top_k": 0, "max_new_tokens": setting.sizes["new"], "num_return_sequences": samples}

    def one() -> Any:
        return hf.generate(**asked, **knobs, return_dict_in_generate=True, output_scores=True)

    def run() -> Any:
        with torch.inference_mode():
            return [one() for _ in range(times)]

    def finish(outs: Any) -> dict[str, Any]:
        length = asked["input_ids"].shape[1]
        ids = [row[length:].tolist() for out in outs for row in out.sequences]
        scores = [hf.compute_transition_scores(o.sequences, o.scores, normalize_logits=True) for o in outs]
        return _checked(setting, ids, [row.tolist() for part in scores for row in part.cpu()])

    return run, finish


def one_generate(setting: Setting) -> tuple[Run, Finish]:
    return _sample(setting, setting.sizes["samples"], 1)


def twenty_generates(setting: Setting) -> tuple[Run, Finish]:
    return _sample(setting, 1, setting.sizes["samples"])


def bare_loop(setting: Setting) -> tuple[Run, Finish]:
    decoder = BareDecoder(load_hf(setting))
    ids = load_tokenizer(setting)(_prompt(setting))["input_ids"]

    def run() -> Any:
        return decoder.sample(ids, setting.sizes["samples"], setting.sizes["new"])

    return run, lambda out: _checked(setting, out[0].tolist(), out[1].tolist())


def lm_polygraph(setting: Setting) -> tuple[Run, Finish]:
    from lm_polygraph.stat_calculators.sample import SamplingGenerationCalculator
    from lm_polygraph.utils.generation_parameters import GenerationParameters
    from lm_polygraph.utils.model import WhiteboxModel

    parameters = GenerationParameters(temperature=1.0, top_k=0, top_p=1.0, do_sample=True)
    model = WhiteboxModel(load_hf(setting), load_tokenizer(setting), generation_parameters=parameters)
    calculator = SamplingGenerationCalculator(setting.sizes["samples"])
    prompt = _prompt(setting)

    def run() -> Any:
        return calculator({}, [prompt], model, max_new_tokens=setting.sizes["new"])

    def finish(out: Any) -> dict[str, Any]:
        return _checked(setting, out["sample_tokens"][0], out["sample_log_likelihoods"][0])

    return run, finish


def uqlm(setting: Setting) -> tuple[Run, Finish]:
    import asyncio

    from langchain_core.language_models import SimpleChatModel
    from transformers import pipeline
    from uqlm.utils.response_generator import ResponseGenerator

    written = pipeline("text-generation", model=load_hf(setting), tokenizer=load_tokenizer(setting))
    knobs = {"do_sample": True, "top_k": 0, "max_new_tokens": setting.sizes["new"], "return_full_text": False}

    class Chat(SimpleChatModel):
        """What uqlm talks to: one prompt in, one sample out."""

        temperature: float = 1.0

        @property
        def _llm_type(self) -> str:
            return "random words"

        def _call(self, messages: list, stop: Any = None, run_manager: Any = None, **more: Any) -> str:
            return written(messages[-1].content, **knobs)[0]["generated_text"]

    generator, prompt = ResponseGenerator(llm=Chat()), _prompt(setting)

    def run() -> Any:
        return asyncio.run(generator.generate_responses([prompt], count=setting.sizes["samples"]))

    return run, lambda out: {"values": None}


CASE = "20 samples × 32 tokens from 256"
BENCHMARK = Benchmark(
    "sampling",
    "20 samples of 32 tokens from one prompt of 256 tokens, temperature 1.",
    (Case(CASE, {"prompt": 256, "samples": 20, "new": 32}, small={"prompt": 24, "samples": 3, "new": 4}),),
    (
        Contestant(OURS, ours),
        Contestant(STEPS, no_recorded_step, device="cuda"),
        Contestant(GENERATE, one_generate),
        Contestant(TWENTY, twenty_generates, large=False),
        Contestant(POLYGRAPH, lm_polygraph, "older", large=False),
        Contestant(UQLM, uqlm, "older", large=False),
        Contestant(BARE, bare_loop),
    ),
    (
        Target(CASE, "time", 3.5, (GENERATE,)),
        Target(CASE, "time", 10, (POLYGRAPH,)),
        Target(CASE, "time", 10, (UQLM,)),
        Target(CASE, "excess", 1.15, (BARE,)),
    ),
    work,
)

if __name__ == "__main__":
    main(BENCHMARK)
