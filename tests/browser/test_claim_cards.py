"""Claim cards in a real browser: verdicts in words, everything on one axis."""

import pytest

from xllm_widgets.widgets.claim_cards import ClaimCards

pytestmark = pytest.mark.browser

CLAIM = {
    "study": "flipped_labels", "section": "4.1.1", "paper": "Wei et al., 2023b", "model": "pebble-1m",
    "statement": "It follows <b>flipped</b> labels.", "estimate": 0.9, "low": 0.8, "high": 0.95, "n": 500, "seeds": 3,
    "threshold": 0.85, "control": 0.5, "verdict": "shown",
}  # fmt: skip


def test_verdict_interval_threshold_and_control_are_where_they_belong(mount) -> None:
    mounted = mount(ClaimCards([CLAIM, {**CLAIM, "model": "<img src=x>", "verdict": "reversed", "control": None}]))
    assert mounted.root.locator(".xw-cc-group").count() == 1
    assert mounted.root.locator(".xw-cc-verdict").all_inner_texts() == ["●\nshown here", "⟲\nreversed here"]
    plot = mounted.root.locator(".xw-cc-plot").first
    left = {kind: plot.locator(f".xw-cc-{kind}").evaluate("(node) => node.style.left") for kind in KINDS}
    assert left == {"dot": "90%", "bar": "80%", "tick": "85%", "control": "50%"}
    assert plot.locator(".xw-cc-control").evaluate("(node) => getComputedStyle(node).borderLeftStyle") == "dashed"
    assert mounted.root.locator(".xw-cc-plot").nth(1).locator(".xw-cc-control").count() == 0
    assert mounted.root.locator("b, img").count() == 0


KINDS = ("dot", "bar", "tick", "control")


def test_table_twin_and_new_claims(mount) -> None:
    view = ClaimCards([CLAIM])
    mounted = mount(view)
    mounted.root.get_by_role("button", name="table").click()
    assert "0.90\t0.80\t0.95\t0.85\t0.50\t500\t3" in mounted.root.locator("tbody tr").inner_text()
    view.claims = [{**CLAIM, "estimate": None, "verdict": "not shown"}]
    mounted.push()
    assert mounted.root.locator(".xw-cc-numbers").inner_text().startswith("not measured")
    assert mounted.root.locator(".xw-cc-dot").count() == 1, "the legend's own"
    view.claims = []
    mounted.push()
    assert not mounted.root.is_visible()
