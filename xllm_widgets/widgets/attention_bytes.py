"""Attention as a page draws it: one byte a weight, and only the keys a query can see."""

import base64

import numpy as np

_ROWS = 32  # queries at a time: few enough that their weights stay in a processor's cache


def triangle(weights: np.ndarray) -> bytes:
    """What does a page need to draw one layer? (heads, queries, keys), between 0 and 1 → one byte a weight, 255 for 1.

    Head after head, query after query, of each query the keys up to itself. So weight (head, q, k) of T tokens stands
    at head·T(T + 1)/2 + q(q + 1)/2 + k. Raises ValueError for anything but a square of causal attention.
    """
    heads, queries, keys = weights.shape
    if queries != keys:
        raise ValueError(f"Attention of {queries} queries to {keys} keys is no square; give the whole text's.")
    out, at = np.empty((heads, queries * (queries + 1) // 2), dtype=np.uint8), 0
    for first in range(0, queries, _ROWS):
        block = weights[:, first : first + _ROWS, : first + _ROWS].astype(np.float32)
        block *= 255
        block += 0.5  # so that cutting off rounds
        for q, row in enumerate(block.astype(np.uint8).swapaxes(0, 1), first + 1):
            out[:, at : at + q] = row[:, :q]
            at += q
    return out.tobytes()


def attention_bytes(weights: np.ndarray) -> str:
    """The same as text, for markup: base64 of `triangle(weights)`."""
    return base64.b64encode(triangle(weights)).decode("ascii")
