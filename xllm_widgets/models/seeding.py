"""One call that makes a notebook reproducible."""

import random


def seed_everything(seed: int = 0) -> None:
    """Seed Python's, NumPy's and torch's global generators, so that a cell gives the same numbers twice.

    The package's own verbs do not need it: each takes a `seed` and leaves the global generators alone.
    """
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
