"""`python -m xllm_widgets.microworld.assistant` writes `data/instructions/*.jsonl`."""

from xllm_widgets.microworld.assistant import datasets
from xllm_widgets.microworld.world import World
from xllm_widgets.paths import data_dir

if __name__ == "__main__":
    datasets.write(data_dir() / "instructions", World.default())
