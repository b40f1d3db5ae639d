"""Claims in, verdicts in words out; one axis a statement."""

import pytest

from xllm_widgets.widgets.base import ViewError
from xllm_widgets.widgets.claim_cards import ClaimCards

CLAIM = {
    "study": "flipped_labels", "section": "4.1.1", "paper": "Wei et al., 2023b", "model": "pebble-1m",
    "statement": "It follows flipped labels.", "estimate": 0.9, "low": 0.8, "high": 0.95, "n": 500, "seeds": 1,
    "threshold": 0.85, "control": 0.5, "verdict": "shown",
}  # fmt: skip


def test_every_number_is_said() -> None:
    assert ClaimCards([CLAIM], title="Section 4.1.1").describe() == (
        "Section 4.1.1\n● shown here: It follows flipped labels. "
        "(pebble-1m: 0.90 [0.80, 0.95], threshold 0.85, control 0.50, n = 500, 1 seed)"
    )


def test_claims_of_a_study_are_taken_as_they_are() -> None:
    from xllm_widgets.studies.evidence import Claim

    view = ClaimCards([Claim.from_dict({**CLAIM, "estimate": None, "low": None, "high": None, "verdict": "not shown"})])
    assert view.claims[0]["estimate"] is None
    assert "○ not shown here" in view.describe()
    assert "not measured" in view.describe()


def test_one_statement_is_one_card_whatever_the_model() -> None:
    other = {**CLAIM, "statement": "It keeps its prior."}
    view = ClaimCards([CLAIM, {**CLAIM, "model": "pebble-3m"}, other])
    assert [group["claims"] for group in view.groups] == [[0, 1], [2]]
    view.claims = [other]
    assert [group["claims"] for group in view.groups] == [[0]]


@pytest.mark.parametrize(
    ("numbers", "axis", "said"),
    [
        ({}, [0, 1], "0.90 [0.80, 0.95]"),
        ({"estimate": -0.4, "low": -0.8}, [-1, 1], "−0.40 [−0.80, 0.95]"),
        (
            {"estimate": 0.012, "low": 0.002, "high": 0.018, "threshold": 0.0, "control": 0.001},
            [-0.02, 0.02],
            "0.012 [0.002, 0.018]",
        ),
        ({"estimate": 3.0, "low": 2.0, "high": 4.0}, [-5, 5], "3.0 [2.0, 4.0]"),
    ],
)
def test_the_axis_fits_what_is_measured(numbers, axis, said) -> None:
    view = ClaimCards([{**CLAIM, **numbers}])
    assert view.groups[0]["axis"] == pytest.approx(axis)
    assert said in view.describe()


@pytest.mark.parametrize(
    ("change", "said"), [({"verdict": "proved"}, "'proved' is no verdict"), ({"n": ...}, "A claim lacks n")]
)
def test_what_is_no_claim_is_refused(change, said) -> None:
    broken = {name: value for name, value in {**CLAIM, **change}.items() if value is not ...}
    with pytest.raises(ViewError, match=said):
        ClaimCards([broken])
    view = ClaimCards([CLAIM])
    with pytest.raises(ViewError, match=said):
        view.claims = [broken]


def test_too_many_claims_are_refused() -> None:
    with pytest.raises(ViewError, match="pass fewer"):
        ClaimCards([CLAIM] * 401)
