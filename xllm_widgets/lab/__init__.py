"""Where models and views meet: the control panel of any study, and the demonstration editor with a model behind it."""

from xllm_widgets.lab.demonstrations import demonstration_lab, explain_review
from xllm_widgets.lab.panel import Lab, lab

__all__ = ["Lab", "demonstration_lab", "explain_review", "lab"]
