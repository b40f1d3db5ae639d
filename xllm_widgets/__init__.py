"""xllm_widgets: a course on explaining language models that can be taken apart. Start with notebook 00."""

__version__ = "0.1.0"
