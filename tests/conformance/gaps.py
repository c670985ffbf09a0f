"""How far apart two arrays were when ``numpy.testing`` refused them, as a share of the largest value."""

from __future__ import annotations

from typing import Any

import numpy as np

_plain = np.testing.assert_allclose


def install() -> None:
    """Make numpy's comparison note the gap on the error it raises."""
    np.testing.assert_allclose = _noting  # type: ignore[assignment]


def of(error: Exception) -> float:
    """The gap noted on an error; infinite when there is none."""
    return float(getattr(error, "gap", np.inf))


def _noting(actual: Any, desired: Any, *args: Any, **more: Any) -> None:
    __tracebackhide__ = True
    try:
        _plain(actual, desired, *args, **more)
    except AssertionError as error:
        error.gap = _gap(actual, desired)  # type: ignore[attr-defined]
        raise


def _gap(actual: Any, desired: Any) -> float:
    left, right = np.asarray(actual, np.float64), np.asarray(desired, np.float64)
    if left.shape != right.shape or not left.size or not np.isfinite(left).all():
        return float(np.inf)
    largest = float(np.abs(right).max())
    return float(np.abs(left - right).max()) / largest if largest else float(np.inf)
