"""All benchmarks one after the other; `xllm bench` runs this.

    python benchmarks/run.py [NAME …] [--rounds 5] [--device cuda] [--dtype bfloat16] [--python recent=PATH]

If all were asked for on the processor, the tables go to benchmarks/RESULTS.md; `--out` names another file.
"""

import importlib
from pathlib import Path

from common.running import options, run

NAMES = (
    "shared_prefix",
    "sampling",
    "attention_at_length",
    "hidden_states",
    "gradient_x_input",
    "attention_page",
    "first_use",
    "integrated_gradients",
)


def main() -> None:
    """Run what was asked for."""
    chosen, asked = options(names=NAMES)
    everything = not (asked.names or chosen.only or chosen.small) and (chosen.device, chosen.shape) == ("cpu", "6m")
    out = asked.out or (Path(__file__).with_name("RESULTS.md") if everything else None)
    benchmarks = [importlib.import_module(name).BENCHMARK for name in asked.names or NAMES]
    raise SystemExit(not run(benchmarks, chosen, out))


if __name__ == "__main__":
    main()
