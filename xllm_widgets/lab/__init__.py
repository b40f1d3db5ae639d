"""Where models and views meet: the control panel of any study, and the demonstration editor with a model behind it."""

from xllm_widgets.lab.demonstrations import demonstration_lab

__all__ = ["demonstration_lab"]
