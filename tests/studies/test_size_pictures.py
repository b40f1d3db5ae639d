"""One panel a claim, one point a model, in the order of their sizes; what failed is hollow, nothing is said so."""

import pandas as pd
import pytest

from xllm_widgets.errors import XllmError
from xllm_widgets.studies import figures, registry
from xllm_widgets.studies.evidence import Claim, Evidence
from xllm_widgets.studies.size_pictures import OverSizes


def claim(model, estimate, verdict="shown", statement="It reads (layer 3)"):
    return Claim("reading_vectors", "4.1.3", "Zou", model, statement, estimate, estimate - 0.1, estimate + 0.1, 9, 1,
                 0.9, None, verdict)  # fmt: skip


def over(claims, sizes):
    table = pd.DataFrame([{"model": model, "parameters": size} for model, size in sizes.items()])
    return Evidence("reading_vectors", "4.1.3", "Zou", "Is it read?", table, claims, pd.DataFrame())


@pytest.fixture
def evidence():
    nothing = {"estimate": float("nan"), "verdict": "not shown", "statement": "It moves"}
    claims = [claim("large", 0.95), claim("small", 0.5, "not shown", "It reads (layer 1)")]
    claims += [claim(model, **nothing) for model in ("small", "large")]
    return over(claims, {"large": 3_000_000, "small": 100_000})


def test_models_stand_in_the_order_of_their_sizes_and_failures_are_hollow(evidence):
    picture = OverSizes([evidence], {"reading": "It reads", "moving": "It moves"})
    assert [(size, c.model) for size, c in picture.claims("It reads")] == [(100_000, "small"), (3_000_000, "large")]
    read, moved = (ax for ax in picture.plot().axes if ax.get_title(loc="left"))
    faces = [line.get_markerfacecolor() for line in read.lines if line.get_marker() == "o"]
    assert faces[0] == "white" != faces[1]
    assert [tick.get_text() for tick in read.get_xticklabels()] == ["100k", "3M"]
    assert [text.get_text() for text in moved.texts] == ["cannot be measured"]


def test_in_words_and_as_a_picture(evidence):
    picture = OverSizes([evidence], {"reading": "It reads"})
    assert repr(picture) == "reading: small ○ 0.50 [0.40, 0.60]; large ● 0.95 [0.85, 1.05]"
    data, meta = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert meta["image/png"]["alt"] == data["text/plain"]
    with pytest.raises(XllmError, match="No claim says 'It flies'"):
        OverSizes([evidence], {"flying": "It flies"})


def test_a_picture_of_the_largest_model_has_its_verdicts_alone(evidence):
    registry.import_pictures()
    assert {c.model for c in figures._drawn(evidence)} == {"large"}
    lines = figures._verdict_lines(figures._drawn(evidence), len(evidence.claims))
    assert lines[-1][0] == "and 2 more in .claims"
