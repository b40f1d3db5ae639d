"""Attention as a page draws it: one byte a weight, and only the keys a query can see."""

import base64

import numpy as np


def triangle(weights: np.ndarray) -> bytes:
    """What does a page need to draw one layer? (heads, queries, keys), between 0 and 1 → one byte a weight, 255 for 1.

    Head after head, query after query, of each query the keys up to itself. So weight (head, q, k) of T tokens stands
    at head·T(T + 1)/2 + q(q + 1)/2 + k. Raises ValueError for anything but a square of causal attention.
    """
    heads, queries, keys = weights.shape
    if queries != keys:
        raise ValueError(f"Attention of {queries} queries to {keys} keys is no square; give the whole text's.")
    rows, columns = np.tril_indices(queries)
    seen = weights.reshape(heads, -1).take(rows * keys + columns, axis=1).astype(np.float32, copy=False)
    seen *= 255
    seen += 0.5  # so that cutting off rounds
    return seen.astype(np.uint8).tobytes()


def attention_bytes(weights: np.ndarray) -> str:
    """The same as text, for markup: base64 of `triangle(weights)`."""
    return base64.b64encode(triangle(weights)).decode("ascii")
