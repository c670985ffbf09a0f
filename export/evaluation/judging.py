"""The decode block that metrics are measured with, where it differs from the one an app uses."""

from __future__ import annotations

from deploy.contracts.decode import Decode, YoloDecode

_CONFIDENCE = 0.001
"""mAP integrates over all confidences, so boxes are kept down to here, as in ultralytics' validator."""


def for_judging(decode: Decode) -> Decode:
    """The decode block for the metric: mAP needs every box, not only the confident ones."""
    if isinstance(decode, YoloDecode):
        return decode.model_copy(update={"confidence": _CONFIDENCE, "multi_label": True})
    return decode
