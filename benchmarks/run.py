"""All benchmarks one after the other; `xllm bench` runs this.

    python benchmarks/run.py [NAME …] [--rounds 5] [--device cuda] [--dtype bfloat16] [--python recent=PATH]

If all were asked for with the settings that the targets are about (or more rounds), the tables go to
benchmarks/RESULTS.md; `--out` names another file.
"""

import importlib
from pathlib import Path

from common.bench import Options
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


def is_on_record(chosen: Options) -> bool:
    """Whether the targets are about what was chosen: anything else leaves RESULTS.md alone."""
    targeted = Options(rounds=max(5, chosen.rounds), interpreters=chosen.interpreters, verbose=chosen.verbose)
    return chosen == targeted


def main() -> None:
    """Run what was asked for."""
    chosen, asked = options(names=NAMES)
    out = asked.out or (Path(__file__).with_name("RESULTS.md") if not asked.names and is_on_record(chosen) else None)
    benchmarks = [importlib.import_module(name).BENCHMARK for name in asked.names or NAMES]
    raise SystemExit(not run(benchmarks, chosen, out))


if __name__ == "__main__":
    main()
