"""A matrix read strip by strip is the matrix, whatever is masked, capped or sunk, and however large the scores."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xllm_widgets.models import rows
from xllm_widgets.models.rows import Scoring, Strip, strip_of, strips


def matrix(query: torch.Tensor, key: torch.Tensor, how: Scoring) -> torch.Tensor:
    """The obviously right way, in double precision: (heads, queries, keys)."""
    scores = query.double() @ key.double().mT * how.scale
    if how.softcap:
        scores = torch.tanh(scores / how.softcap) * how.softcap
    if how.mask is not None and how.mask.dtype == torch.bool:
        scores = scores.masked_fill(~how.mask, -torch.inf)
    elif how.mask is not None:
        scores = scores + how.mask
    elif how.causal:
        scores = scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -torch.inf)
    if how.sinks is None:
        return scores.softmax(-1)
    sinks = how.sinks.double()[:, None, None].expand(-1, scores.shape[1], 1)
    return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1]


def window(tokens: int, width: int) -> torch.Tensor:
    return torch.ones(1, tokens, tokens, dtype=torch.bool).tril().triu(1 - width)


def read(found: list[Strip], heads: int, tokens: int, what) -> torch.Tensor:
    out = torch.full((heads, tokens, *what(found[0]).shape[2:]), torch.nan)
    for strip in found:
        out[strip.heads, strip.queries] = what(strip)
    return out


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 40),
    size=st.sampled_from([0.25, 1.0, 4.0]),
    softcap=st.sampled_from([None, 2.0]),
    sunk=st.booleans(),
    masked=st.sampled_from(["causal", "all", "window", "additive"]),
    strip=st.integers(1, 6),
    seed=st.integers(0, 9),
)
def test_every_reading_is_that_of_the_whole_matrix(tokens, size, softcap, sunk, masked, strip, seed) -> None:
    draw = torch.Generator().manual_seed(seed)
    # Multiples of a power of two: their products are exact, so that only what is made of them is compared.
    query, key = (torch.randint(-3, 4, (3, tokens, 4), generator=draw) * size for _ in range(2))
    sinks = torch.randn(3, generator=draw) if sunk else None
    mask = window(tokens, 5) if masked == "window" else None
    if masked == "additive":
        mask = torch.zeros(1, tokens, tokens).masked_fill(~window(tokens, 9), torch.finfo(torch.float32).min)
    how = Scoring(0.5, softcap, sinks, mask, causal=masked != "all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rows,
            "_tiling",
            lambda h, n, _: (
                (slice(i, i + 1), slice(j, min(n, j + strip))) for i in range(h) for j in range(0, n, strip)
            ),
        )
        found = list(strips(query, key, how))
    expected = matrix(query, key, how)
    values = torch.randn(tokens, 2, generator=draw)
    np.testing.assert_allclose(read(found, 3, tokens, lambda s: s.mix(values)), expected @ values.double(), atol=1e-5)
    p = expected / expected.sum(-1, keepdim=True)
    np.testing.assert_allclose(
        read(found, 3, tokens, Strip.entropy), torch.special.entr(p).sum(-1), atol=1e-5, rtol=1e-5
    )
    back = (torch.arange(tokens)[:, None] - torch.arange(tokens)).double()
    np.testing.assert_allclose(read(found, 3, tokens, Strip.distance), (p * back).sum(-1), atol=5e-5)


def test_a_written_matrix_reads_like_a_strip() -> None:
    weights = torch.randn(2, 6, 6).masked_fill(torch.ones(6, 6).triu(1) > 0, -torch.inf).softmax(-1)
    strip = strip_of(weights)
    torch.testing.assert_close(strip.mix(torch.eye(6)), weights)
    torch.testing.assert_close(strip.entropy(), torch.special.entr(weights).sum(-1))
    torch.testing.assert_close(strip.distance()[:, 0], torch.zeros(2))


@pytest.mark.parametrize(("heads", "tokens"), [(1, 1), (4, 100), (8, 4096), (3, 70_000)])
def test_strips_tile_the_matrix_in_bounded_memory(heads: int, tokens: int) -> None:
    tiles = list(rows._tiling(heads, tokens, torch.device("cpu")))
    assert sum((h.stop - h.start) * (q.stop - q.start) for h, q in tiles) == heads * tokens
    assert max((h.stop - h.start) * (q.stop - q.start) for h, q in tiles) * tokens <= max(2**18, 16 * tokens)
