"""One of every view, small enough to be drawn at once; imported by tests, and by the kernels that they start."""

from xllm_widgets.widgets import (
    BertvizView,
    ClaimCards,
    CorpusBrowser,
    DemonstrationEditor,
    LayerTokenLens,
    ModelDiff,
    PredictionCard,
    ReasoningEditor,
    ReliabilityDiagram,
    SampleClusters,
    ScatterMap,
    SegmentAttention,
    SteeringDial,
    TokenHeatmap,
)

CLAIM = {
    "study": "s", "section": "4.1.1", "paper": "p", "model": "pebble-1m", "statement": "It follows.", "estimate": 0.9,
    "low": 0.8, "high": 0.95, "n": 500, "seeds": 3, "threshold": 0.85, "control": 0.5, "verdict": "shown",
}  # fmt: skip
LENS = {"name": "probe", "scores": [[1, -1], [0, 2]]}
RELIABILITY = {
    "n": 2, "confidence": 0.8, "accuracy": 0.5, "ece": 0.3, "brier": 0.34,
    "bins": [{"low": 0.0, "high": 1.0, "n": 2, "confidence": 0.8, "accuracy": 0.5, "interval": [0.1, 0.9]}],
}  # fmt: skip
DOCUMENT = {"number": 7, "kind": "sums", "text": "1 + 1 = 2", "spans": [[0, 1]], "facts": ["sum:1"]}
FOUND = {
    "text": "1", "by": "phrase", "occurrences": 2, "documents": 1, "read": 100, "kinds": {"sums": 1}, "kind": "",
    "page": 0, "pages": 2,
}  # fmt: skip
VIEWS = {
    "token_heatmap": lambda: TokenHeatmap(["a", " b"], [[1, -1], [0, 2]], targets=["x", "y"]),
    "demonstration_editor": lambda: DemonstrationEditor([{"text": "Good.", "label": "positive"}], "Fine."),
    "prediction_card": lambda: PredictionCard("Which?", ["one", "other"]),
    "prediction_number": lambda: PredictionCard("How much?", low=0, high=1),
    "claim_cards": lambda: ClaimCards([CLAIM]),
    "layer_token_lens": lambda: LayerTokenLens(["a", " b"], [0, 1], [LENS, {**LENS, "name": "second"}]),
    "reasoning_editor": lambda: ReasoningEditor("How many?", ["1 + 1 = 2"], "2"),
    "scatter_map": lambda: ScatterMap([{"name": "Paris", "x": 2.4, "y": 48.9, "held_out": True}], turning=True),
    "steering_dial": lambda: SteeringDial(["honesty", "warmth"], [1, 2], "Is it true?"),
    "corpus_browser": lambda: CorpusBrowser([DOCUMENT], FOUND),
    "model_diff": lambda: ModelDiff([{"token": "Hi", "logprobs": [-1.0, -2.0]}]),
    "reliability_diagram": lambda: ReliabilityDiagram({"pebble-1m": RELIABILITY}),
    "sample_clusters": lambda: SampleClusters([{"text": "Paris", "logprob": -0.5, "cluster": 0}], "Which?"),
    "bertviz_view": lambda: BertvizView(["a", " b"], [[[[1, 0], [0.25, 0.75]]]]),
    "segment_attention": lambda: SegmentAttention(["One.", " Two."], [[[0.25, 0.75], [1, 0]]]),
}
