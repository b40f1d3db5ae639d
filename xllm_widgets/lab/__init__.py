"""Where models and views meet: the control panel of any study; the editors of demonstrations and of reasoning steps,
the steering dial, the lens, the map, attention and the corpus browser with a model behind them; your reliability beside
a model's; the loss while a model learns."""

from xllm_widgets.lab.attention import head_view, model_view, segment_view
from xllm_widgets.lab.corpora import corpus_lab
from xllm_widgets.lab.demonstrations import demonstration_lab, explain_review
from xllm_widgets.lab.lenses import lens_lab
from xllm_widgets.lab.loss_picture import LossPicture
from xllm_widgets.lab.maps import map_lab
from xllm_widgets.lab.panel import Lab, lab
from xllm_widgets.lab.reasoning import reasoning_lab
from xllm_widgets.lab.reliability import reliability_lab
from xllm_widgets.lab.steering import steering_lab

__all__ = [
    "Lab",
    "LossPicture",
    "corpus_lab",
    "demonstration_lab",
    "explain_review",
    "head_view",
    "lab",
    "lens_lab",
    "map_lab",
    "model_view",
    "reasoning_lab",
    "reliability_lab",
    "segment_view",
    "steering_lab",
]
