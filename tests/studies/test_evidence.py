"""The verdict rule in all its directions, and evidence that survives being written down."""

import base64
import json
import math

import pandas as pd
import pytest

from xllm_widgets import paths
from xllm_widgets.errors import XllmError
from xllm_widgets.studies.evidence import Claim, Evidence, judge, recorded


@pytest.mark.parametrize(
    ("estimate", "low", "high", "control", "verdict"),
    [
        (0.97, 0.95, 0.99, 0.5, "shown"),
        (0.97, 0.95, 0.99, 0.96, "not shown"),  # the control does as well
        (0.97, 0.95, 0.99, None, "shown"),
        (0.97, 0.95, 0.99, math.nan, "shown"),
        (0.93, 0.90, 0.96, 0.5, "not shown"),  # below the threshold
        (0.96, 0.40, 1.00, 0.1, "not shown"),  # chance is inside the interval
        (0.55, 0.45, 0.65, 0.5, "not shown"),
        (0.30, 0.20, 0.49, 0.5, "reversed"),
        (0.30, 0.20, 0.50, 0.5, "not shown"),  # touches chance
        (math.nan, 0.0, 1.0, 0.5, "not shown"),
    ],
)
def test_at_least(estimate, low, high, control, verdict):
    assert judge(estimate, low, high, threshold=0.95, null=0.5, control=control) == verdict
    mirrored = [1 - x for x in (estimate, high, low)]
    other = None if control is None else 1 - control
    assert judge(*mirrored, threshold=0.05 + 1e-12, null=0.5, control=other, claim="at most") == verdict


@pytest.mark.parametrize(
    ("estimate", "low", "high", "control", "verdict"),
    [
        (0.3, 0.1, 0.5, 0.01, "shown"),
        (-0.3, -0.5, -0.1, 0.01, "shown"),
        (-0.3, -0.5, -0.1, -0.4, "not shown"),  # the control moved further
        (0.3, -0.1, 0.5, 0.01, "not shown"),
    ],
)
def test_different(estimate, low, high, control, verdict):
    assert judge(estimate, low, high, threshold=0, null=0, control=control, claim="different") == verdict


def claim(**changes):
    fields = {
        "study": "flipped_labels", "section": "4.1.1", "paper": "Wei", "model": "m", "statement": "It does",
        "estimate": 0.5, "low": 0.4, "high": 0.6, "n": 10, "seeds": 3, "threshold": 0.9, "control": None,
        "verdict": "not shown",
    }  # fmt: skip
    return Claim(**{**fields, **changes})


@pytest.fixture
def evidence():
    columns = {"item": [0, 1], "draw": 0, "flipped": [0.0, math.nan], "gold": ["好", "<b>"], "correct": [True, False]}
    table = pd.DataFrame(columns)
    return Evidence(
        "flipped_labels", "4.1.1", "Wei et al., 2023b", "Does it?", table, [claim(), claim(estimate=math.nan)],
        table.assign(correct=False), knobs={"flipped": (0, 1), "data": None}, notes=["a note"],
        provenance={"model": "m"},
    )  # fmt: skip


def test_json_gives_back_what_went_in(evidence, tmp_path):
    again = Evidence.load(evidence.save(tmp_path / "deep" / "e.json"))
    pd.testing.assert_frame_equal(again.table, evidence.table)
    pd.testing.assert_frame_equal(again.control, evidence.control)
    assert again.claims[0] == evidence.claims[0]
    assert math.isnan(again.claims[1].estimate)
    assert again.knobs == {"flipped": [0, 1], "data": None}
    assert again.to_json() == evidence.to_json()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["e.json"]


def test_json_is_json_to_everybody(evidence):
    text = evidence.to_json()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["claims"][1]["estimate"] is None
    assert "好" in text


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"claims": [{}]}'])
def test_what_is_not_evidence_is_said_in_a_sentence(text):
    with pytest.raises(XllmError, match="not recorded evidence"):
        Evidence.from_json(text)


def test_missing_evidence_names_what_there_is(evidence, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "evidence_dir", lambda: tmp_path)
    evidence.save(tmp_path / "flipped_labels.json")
    assert recorded("flipped_labels").notes == ["a note"]
    with pytest.raises(XllmError, match=r"'emergence'.*flipped_labels"):
        recorded("emergence")
    with pytest.raises(XllmError, match="No recorded evidence"):
        Evidence.load(tmp_path / "none.json")


def test_a_notebook_gets_picture_and_words(evidence):
    data, meta = evidence._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert "○ not shown here: It does (m: 0.50 [0.40, 0.60], n = 10)" in data["text/plain"]
    assert meta["image/png"]["alt"] == data["text/plain"]
