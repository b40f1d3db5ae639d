"""Large inputs: what can be counted is bounded (nodes, bytes, repaints); how long frames took is printed."""

import json

import numpy as np
import pytest
from browsing import frame_times, roam

from xllm_widgets.widgets import SegmentAttention, TokenHeatmap

pytestmark = pytest.mark.browser

VERSIONS = """([selector, states]) => new Promise((resolve) => {
  const root = document.querySelector(selector), seen = [];
  const watch = new MutationObserver((all) => seen.push(...all.map(() => root.dataset.version)));
  watch.observe(root, { attributes: true, attributeFilter: ["data-version"] });
  requestAnimationFrame(() => {
    for (const state of states) bench.receive(state);
    requestAnimationFrame(() => requestAnimationFrame(() => { watch.disconnect(); resolve(seen); }));
  });
})"""


def heatmap(tokens: int = 4000) -> TokenHeatmap:
    return TokenHeatmap([" word"] * tokens, np.linspace(-1, 1, tokens))


def heads(layers: int = 32, each: int = 32, segments: int = 8) -> SegmentAttention:
    mass = np.random.default_rng(0).dirichlet(np.ones(segments), (layers, each))
    return SegmentAttention([f"Sentence {i}." for i in range(segments)], mass)


VIEWS = {
    "4,000 tokens": (heatmap, ".xw-th-line"),
    "32 layers × 32 heads": (heads, ".xw-sa-scroll"),
}


def nodes(mounted) -> int:
    return mounted.page.locator(".xw-view *").count()


@pytest.mark.parametrize("name", VIEWS)
def test_a_restless_hand_leaves_no_nodes_behind(mount, name, capsys) -> None:
    make, where = VIEWS[name]
    mounted = mount(make())
    before = nodes(mounted)
    times = frame_times(mounted.page, roam(mounted.page, mounted.root.locator(where)))
    mounted.settled()
    middle, late, worst = np.percentile(times, [50, 95, 100])
    with capsys.disabled():
        print(f"\n{name}: {len(times)} frames; median {middle:.1f}, p95 {late:.1f}, worst {worst:.1f} ms")
    assert len(mounted.saved) > 0, "the hand chose something"
    assert nodes(mounted) <= before + 8  # the line that says what is under the pointer


@pytest.mark.parametrize("tokens", [1000, 4000])
def test_three_nodes_a_token_and_a_few_around_them(mount, tokens) -> None:
    """The token, its leading space, and the place where the line may break."""
    assert 0 < nodes(mount(heatmap(tokens))) - 3 * tokens < 50


@pytest.mark.parametrize("segments", [2, 8])
def test_one_node_a_head_and_a_few_around_them(mount, segments) -> None:
    assert 0 < nodes(mount(heads(segments=segments))) - 32 * 32 - 2 * 32 - 32 - 3 * segments < 50


@pytest.mark.parametrize(
    ("view", "trait", "numbers"),
    [(heatmap(4000), "values", 4000), (heatmap(8000), "values", 8000), (heads(), "values", 32 * 32 * 8)],
)
def test_numbers_travel_as_four_bytes_each(view, trait, numbers) -> None:
    sent = view.get_state()
    assert isinstance(sent[trait], bytes)
    assert len(sent[trait]) == 4 * numbers
    others = {name: sent[name] for name in view.state_names() if name not in (trait, "tokens", "strings")}
    assert len(json.dumps(others)) < 1000


@pytest.mark.parametrize(
    ("make", "root"), [(lambda: heatmap(400), ".xw-token-heatmap"), (heads, ".xw-segment-attention")]
)
def test_many_changes_in_a_frame_are_one_repaint(mount, make, root) -> None:
    mounted = mount(make())
    states = [{"version": version} for version in range(2, 40)]
    seen = mounted.page.evaluate(VERSIONS, [root, states])
    assert seen[-1] == "39", "the last state is shown"
    assert len(seen) <= 2, "at the end of what was running, and once in the next frame"
