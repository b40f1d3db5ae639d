"""What a student sees and moves: views that know strings and numbers, never torch.

The views are imported when they are first named, so that the palette can be used without loading ipywidgets.

The schema of a view is its class docstring; `to_dict()` is the same as plain JSON, which the notebook, `to_html()` and
`xllm claims --html` draw. What was weighed before one was written: matplotlib and seaborn draw every figure without
hands, and the static twins; bertviz draws the attention of short texts (`BertvizView`). CircuitsVis, Ecco and Inseq
colour tokens, but tell Python nothing of a click and give no element a role or a key; plotly draws maps and diagrams,
but needs a renderer for each front end and stays blank where it guesses wrong (nnsight#296).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "BertvizView": "bertviz_view",
    "ClaimCards": "claim_cards",
    "CorpusBrowser": "corpus_browser",
    "DemonstrationEditor": "demonstration_editor",
    "LayerTokenLens": "layer_token_lens",
    "ModelDiff": "model_diff",
    "PredictionCard": "prediction_card",
    "ReasoningEditor": "reasoning_editor",
    "ReliabilityDiagram": "reliability_diagram",
    "SampleClusters": "sample_clusters",
    "ScatterMap": "scatter_map",
    "SegmentAttention": "segment_attention",
    "SteeringDial": "steering_dial",
    "TokenHeatmap": "token_heatmap",
}

if TYPE_CHECKING:
    from xllm_widgets.widgets.bertviz_view import BertvizView as BertvizView
    from xllm_widgets.widgets.claim_cards import ClaimCards as ClaimCards
    from xllm_widgets.widgets.corpus_browser import CorpusBrowser as CorpusBrowser
    from xllm_widgets.widgets.demonstration_editor import DemonstrationEditor as DemonstrationEditor
    from xllm_widgets.widgets.layer_token_lens import LayerTokenLens as LayerTokenLens
    from xllm_widgets.widgets.model_diff import ModelDiff as ModelDiff
    from xllm_widgets.widgets.prediction_card import PredictionCard as PredictionCard
    from xllm_widgets.widgets.reasoning_editor import ReasoningEditor as ReasoningEditor
    from xllm_widgets.widgets.reliability_diagram import ReliabilityDiagram as ReliabilityDiagram
    from xllm_widgets.widgets.sample_clusters import SampleClusters as SampleClusters
    from xllm_widgets.widgets.scatter_map import ScatterMap as ScatterMap
    from xllm_widgets.widgets.segment_attention import SegmentAttention as SegmentAttention
    from xllm_widgets.widgets.steering_dial import SteeringDial as SteeringDial
    from xllm_widgets.widgets.token_heatmap import TokenHeatmap as TokenHeatmap

__all__ = [
    "BertvizView",
    "ClaimCards",
    "CorpusBrowser",
    "DemonstrationEditor",
    "LayerTokenLens",
    "ModelDiff",
    "PredictionCard",
    "ReasoningEditor",
    "ReliabilityDiagram",
    "SampleClusters",
    "ScatterMap",
    "SegmentAttention",
    "SteeringDial",
    "TokenHeatmap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
