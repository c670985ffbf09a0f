"""What metrics are measured with: the decode block, where it differs from an app's, and the figure."""

from __future__ import annotations

from typing import Any

from deploy.contracts.decode import Decode, YoloDecode
from deploy.errors import DeployError

_CONFIDENCE = 0.001
"""mAP integrates over all confidences, so boxes are kept down to here, as in ultralytics' validator."""


def for_judging(decode: Decode) -> Decode:
    """The decode block for the metric: mAP needs every box, not only the confident ones."""
    if isinstance(decode, YoloDecode):
        return decode.model_copy(update={"confidence": _CONFIDENCE, "multi_label": True})
    return decode


def figure_name(metric: Any, asked: str | None) -> str:
    """One of the metric's figures by its name, the primary one without any; raises ``UNKNOWN-METRIC``."""
    if asked is None:
        return str(metric.primary)
    if asked not in metric.names:
        raise DeployError(
            "UNKNOWN-METRIC",
            f"There is no metric called {asked!r} for this task.",
            f"Choose one of: {', '.join(metric.names)}.",
        )
    return asked
