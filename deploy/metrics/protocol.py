"""The socket of a metric: observe samples one by one, then summarise them under any bootstrap weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Metric(Protocol):
    """A family of figures of one task, all of them higher is better and in 0..1.

    ``names`` are the figures' names, ``primary`` the one that verdicts are made on.
    """

    names: tuple[str, ...]
    primary: str

    @classmethod
    def for_decode(cls, decode: Any) -> Self:
        """Build the metric from the decode block (``deploy.contracts.decode``) of the artifacts it judges."""
        ...

    def observe(self, prediction: Any, truth: Any) -> Any:
        """Reduce one sample to what the figures need (small, picklable)."""
        ...

    def summarise(
        self, observations: Sequence[Any], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Figures under integer sample weights.

        Args:
            observations: N records from ``observe``.
            weights: int64 (R, N); row r says how often each sample counts in replicate r.

        Returns:
            Per name, float64 (R,). NaN where a replicate has nothing to measure.
        """
        ...

    def slices(self, observations: Sequence[Any]) -> dict[str, dict[str, Sequence[Any]]]:
        """Axis to slice name to the N records narrowed to that slice; empty where the task has none."""
        ...
