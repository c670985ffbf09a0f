"""Which samples step i learns from, as a pure function of the seed and i."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ORDER, _STEP = 1, 2
"""Streams drawn from one seed; the numbers keep them apart."""


def steps_per_epoch(count: int, batch: int) -> int:
    """Full batches in ``count`` samples; at least one."""
    return max(1, count // batch)


def batch_indices(seed: int, step: int, count: int, batch: int) -> NDArray[np.int64]:
    """Sample indices of one step: int64 (batch,).

    Within an epoch no sample comes twice (unless the set is smaller than one batch); the samples left over
    after the last full batch wait for another epoch's order.
    """
    epoch, place = divmod(step, steps_per_epoch(count, batch))
    order = np.random.default_rng([seed, _ORDER, epoch]).permutation(count)
    return np.resize(order, max(count, batch))[place * batch : (place + 1) * batch].astype(np.int64)


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The random stream of one step (augmentation)."""
    return np.random.default_rng([seed, _STEP, step])
