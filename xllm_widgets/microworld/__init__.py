"""The microworld: a small known world, the documents that tell of it, and the models educated by them."""

from xllm_widgets.microworld.corpus import Corpus, Recipe
from xllm_widgets.microworld.document import Document
from xllm_widgets.microworld.world import World

__all__ = ["Corpus", "Document", "Recipe", "World"]
