"""xllm_widgets: a course on explaining language models that can be taken apart. Start with notebook 00.

    import xllm_widgets as xw

    lm = xw.load("pebble-3m")
    xw.flipped_labels(lm)
    xw.lab(xw.flipped_labels, lm)

Nothing heavy is imported until a name is used: `import xllm_widgets` needs neither torch nor pandas.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The public face: name → the module it lives in. The imports below say the same to editors and type checkers.
_HOME = {
    "load": "models.loading",
    "LanguageModel": "models.language_model",
    "bundled_models": "models.catalogue",
    "checkpoints": "models.catalogue",
    "seed_everything": "models.seeding",
    "Steer": "models.edits",
    "World": "microworld.world",
    "Corpus": "microworld.corpus",
    "studies": "studies.registry",
    "Evidence": "studies.evidence",
    "Claim": "studies.evidence",
    "flipped_labels": "studies.in_context_learning",
    "unrelated_labels": "studies.in_context_learning",
    "contrastive_demonstrations": "studies.in_context_learning",
    "worked_answers": "studies.chain_of_thought",
    "cot_saliency": "studies.chain_of_thought",
    "counterfactual_prompts": "studies.chain_of_thought",
    "faulty_reasoning": "studies.chain_of_thought",
    "reading_vectors": "studies.representation_engineering",
    "control_vectors": "studies.representation_engineering",
    "truth_directions": "studies.representation_engineering",
    "space_and_time": "studies.representation_engineering",
    "SteeringVector": "methods.steering",
    "label_override_ladder": "studies.scale",
    "emergence": "studies.scale",
    "over_models": "studies.scale",
    "sweep": "studies.sweep",
    "recorded": "studies.evidence",
    "tune": "methods.tuning",
    "lab": "lab",
    "LossPicture": "lab",
    "demonstration_lab": "lab",
    "head_view": "lab",
    "model_view": "lab",
    "segment_view": "lab",
    "language": "widgets.language",
    "glossary": "widgets.language",
    "TokenHeatmap": "widgets.token_heatmap",
    "DemonstrationEditor": "widgets.demonstration_editor",
    "PredictionCard": "classroom.predictions",
    "Journal": "classroom.journal",
    "XllmError": "errors",
}

if TYPE_CHECKING:
    from xllm_widgets.classroom.journal import Journal as Journal
    from xllm_widgets.classroom.predictions import PredictionCard as PredictionCard
    from xllm_widgets.errors import XllmError as XllmError
    from xllm_widgets.lab import LossPicture as LossPicture
    from xllm_widgets.lab import demonstration_lab as demonstration_lab
    from xllm_widgets.lab import head_view as head_view
    from xllm_widgets.lab import lab as lab
    from xllm_widgets.lab import model_view as model_view
    from xllm_widgets.lab import segment_view as segment_view
    from xllm_widgets.methods.steering import SteeringVector as SteeringVector
    from xllm_widgets.methods.tuning import tune as tune
    from xllm_widgets.microworld.corpus import Corpus as Corpus
    from xllm_widgets.microworld.world import World as World
    from xllm_widgets.models.catalogue import bundled_models as bundled_models
    from xllm_widgets.models.catalogue import checkpoints as checkpoints
    from xllm_widgets.models.edits import Steer as Steer
    from xllm_widgets.models.language_model import LanguageModel as LanguageModel
    from xllm_widgets.models.loading import load as load
    from xllm_widgets.models.seeding import seed_everything as seed_everything
    from xllm_widgets.studies.chain_of_thought import cot_saliency as cot_saliency
    from xllm_widgets.studies.chain_of_thought import counterfactual_prompts as counterfactual_prompts
    from xllm_widgets.studies.chain_of_thought import faulty_reasoning as faulty_reasoning
    from xllm_widgets.studies.chain_of_thought import worked_answers as worked_answers
    from xllm_widgets.studies.evidence import Claim as Claim
    from xllm_widgets.studies.evidence import Evidence as Evidence
    from xllm_widgets.studies.evidence import recorded as recorded
    from xllm_widgets.studies.in_context_learning import contrastive_demonstrations as contrastive_demonstrations
    from xllm_widgets.studies.in_context_learning import flipped_labels as flipped_labels
    from xllm_widgets.studies.in_context_learning import unrelated_labels as unrelated_labels
    from xllm_widgets.studies.registry import studies as studies
    from xllm_widgets.studies.representation_engineering import control_vectors as control_vectors
    from xllm_widgets.studies.representation_engineering import reading_vectors as reading_vectors
    from xllm_widgets.studies.representation_engineering import space_and_time as space_and_time
    from xllm_widgets.studies.representation_engineering import truth_directions as truth_directions
    from xllm_widgets.studies.scale import emergence as emergence
    from xllm_widgets.studies.scale import label_override_ladder as label_override_ladder
    from xllm_widgets.studies.scale import over_models as over_models
    from xllm_widgets.studies.sweep import sweep as sweep
    from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor as DemonstrationEditor
    from xllm_widgets.widgets.language import glossary as glossary
    from xllm_widgets.widgets.language import language as language
    from xllm_widgets.widgets.token_heatmap import TokenHeatmap as TokenHeatmap

__all__ = ["__version__", *sorted(_HOME)]


class _Callable(ModuleType):
    """A module that answers a call with its function of the same name: `xw.studies()` beside `xw.studies.registry`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self.__name__.rpartition(".")[2]
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)(*args, **kwargs)


class _Face(ModuleType):
    """Python hangs a submodule on its package when it is first imported; where a function has its name, both work."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME[name]}")
    value = globals().get(name) or getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


sys.modules[__name__].__class__ = _Face
