"""Show every float value of an ONNX graph, unoptimised, so that each op computes what the file says."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from export.bisect.protocol import Seen
from export.formats.onnx_probe import Probe


class OnnxObserver:
    """See ``export.bisect.protocol.Observer``."""

    NAMED: ClassVar[bool] = True
    LIMITS: ClassVar[str | None] = None

    def __init__(self, model: Path, inputs: tuple[str, ...], threads: int) -> None:
        import onnx

        self._probe = Probe(onnx.load(str(model)), threads)

    @staticmethod
    def why_not() -> str | None:
        """``None`` when onnx and ONNX Runtime are installed."""
        missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
        return f"{missing[0]} is not installed (pip install 'pocketproof[onnx]')" if missing else None

    def observe(self, feed: Mapping[str, NDArray[Any]]) -> list[Seen]:
        """Every float output of every node; codes of quantized values are left out."""
        return [
            Seen(name, self._probe.kinds[name], value.astype(np.float32))
            for name, value in self._probe.values(feed)
        ]
