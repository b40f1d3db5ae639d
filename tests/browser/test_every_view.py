"""What every view must do, whatever it shows: keys kept from Jupyter, nothing left behind, no network needed."""

import pytest

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

pytestmark = pytest.mark.browser

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
FOCUSABLE = "button, input, textarea, select, a[href], [tabindex]"
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


@pytest.fixture(params=list(VIEWS))
def view(request):
    return VIEWS[request.param]()


def test_keys_are_kept_from_jupyter_and_cleanup_leaves_nothing(mount, view) -> None:
    mounted = mount(view)
    for opener in mounted.root.locator("[aria-expanded='false']").all():
        opener.click()
    bare = mounted.root.locator(f":is({FOCUSABLE}):not([data-lm-suppress-shortcuts])")
    assert bare.evaluate_all("all => all.map((node) => node.outerHTML)") == []
    assert mounted.root.locator(f":is({FOCUSABLE})").count() > 0
    nameless = "all => all.filter((n) => !n.textContent && !n.ariaLabel && !n.labels?.length).map((n) => n.outerHTML)"
    assert mounted.root.locator(":is(button, input)").evaluate_all(nameless) == []
    assert mounted.unmount() == 0
    assert mounted.page.locator(".xw-view").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_breaks_no_rule_of_accessibility(mount, violations, view, dark) -> None:
    """By axe-core: roles and states, names, and contrast; with every part opened that can be."""
    mounted = mount(view, dark=dark)
    for opener in mounted.root.locator("[aria-expanded='false']").all():
        opener.click()
    assert violations(mounted.page, ".xw-view") == []


def test_every_view_works_from_a_file_without_network_or_kernel(chromium, tmp_path) -> None:
    from browsing import watched_page

    from xllm_widgets.widgets import static_page

    page = tmp_path / "views.html"
    page.write_text(static_page.page([make() for make in VIEWS.values()]), encoding="utf-8")
    with watched_page(chromium) as seen:
        seen.page.context.set_offline(True)
        seen.page.goto(page.as_uri())
        seen.page.wait_for_selector(f".xw-view >> nth={len(VIEWS) - 1}", state="attached")
        seen.page.locator(".xw-token").nth(1).click()
        assert seen.page.locator(".xw-token").nth(1).get_attribute("aria-selected") == "true"
        seen.page.get_by_role("radio", name="other", exact=True).click()
        assert seen.page.get_by_role("radio", name="other", exact=True).get_attribute("aria-checked") == "true"
        seen.assert_clean()
