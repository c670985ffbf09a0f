"""Settings under which the same steps give the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Deterministic torch kernels on a fixed number of threads; the former settings come back afterwards.

    The thread count is part of the result: partial sums are added in an order that depends on it.
    """
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), cv2.getNumThreads())
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        cv2.setNumThreads(before[2])
