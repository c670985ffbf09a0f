"""From which score on a box of each class becomes a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError


@dataclass(frozen=True)
class Thresholds:
    """``by_class``: of every class, by name; ``low``: below it a box is nothing, and between it and the
    class's own threshold it is unsure: labelled to be ignored, and a reason to look."""

    by_class: dict[str, float]
    low: float

    @classmethod
    def of(cls, names: Sequence[str], default: float, given: Mapping[str, float], low: float) -> Thresholds:
        """Thresholds for all classes; raises ``CLASS-UNKNOWN`` or ``THRESHOLD-ORDER``."""
        unknown = [name for name in given if name not in names]
        if unknown:
            raise DeployError(
                "CLASS-UNKNOWN",
                f"The model has no class {unknown[0]!r}.",
                f"Choose among: {', '.join(names)}.",
            )
        found = {name: given.get(name, default) for name in names}
        below = [name for name, value in found.items() if value < low]
        if below:
            raise DeployError(
                "THRESHOLD-ORDER",
                f"The threshold of {below[0]!r}, {found[below[0]]:g}, is below --low {low:g}.",
                "Lower --low, or raise that threshold.",
            )
        return cls(found, low)

    def array(self) -> NDArray[np.float32]:
        """Float32 (classes,), in the model's order."""
        return np.array(list(self.by_class.values()), np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"by_class": self.by_class, "low": self.low}
