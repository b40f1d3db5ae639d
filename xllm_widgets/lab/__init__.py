"""Where models and views meet: the control panel of any study, the demonstration editor with a model behind it, the
corpus browser with a corpus behind it, the loss while a model learns."""

from xllm_widgets.lab.corpora import corpus_lab
from xllm_widgets.lab.demonstrations import demonstration_lab, explain_review
from xllm_widgets.lab.loss_picture import LossPicture
from xllm_widgets.lab.panel import Lab, lab

__all__ = ["Lab", "LossPicture", "corpus_lab", "demonstration_lab", "explain_review", "lab"]
