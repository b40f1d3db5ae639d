"""Where models and views meet: the control panel of any study, the editors of demonstrations and of reasoning steps
with a model behind them, the corpus browser with a corpus behind it, the loss while a model learns."""

from xllm_widgets.lab.corpora import corpus_lab
from xllm_widgets.lab.demonstrations import demonstration_lab, explain_review
from xllm_widgets.lab.loss_picture import LossPicture
from xllm_widgets.lab.panel import Lab, lab
from xllm_widgets.lab.reasoning import reasoning_lab

__all__ = ["Lab", "LossPicture", "corpus_lab", "demonstration_lab", "explain_review", "lab", "reasoning_lab"]
