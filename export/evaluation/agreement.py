"""The metric for pictures without labels: how far each artifact agrees with the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class AgreementMetric:
    """Mean task-level agreement; its observations are the agreements themselves (1.0 for the reference).

    See ``deploy.metrics.protocol.Metric``, whose ``summarise`` and ``slices`` this fits.
    """

    names: tuple[str, ...] = ("agreement",)
    primary: str = "agreement"

    def summarise(
        self, observations: Sequence[float], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Weighted mean per row of int64 weights (R, N): float64 (R,)."""
        values = np.asarray(observations, np.float64)
        return {"agreement": weights @ values / weights.sum(axis=1)}

    def slices(self, observations: Sequence[float]) -> dict[str, dict[str, Sequence[float]]]:
        """None: nothing is known about unlabelled pictures."""
        return {}
