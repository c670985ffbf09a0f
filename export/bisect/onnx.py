"""Show every float value of an ONNX graph, unoptimised, so that each op computes what the file says."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from export.bisect.protocol import Seen


class OnnxObserver:
    """See ``export.bisect.protocol.Observer``."""

    NAMED: ClassVar[bool] = True
    LIMITS: ClassVar[str | None] = None

    def __init__(self, model: Path, inputs: tuple[str, ...], threads: int) -> None:
        import onnx
        import onnxruntime as ort

        proto = onnx.load(str(model))
        del proto.graph.value_info[:]  # stale entries would contradict what the runtime infers
        doors = {output.name for output in proto.graph.output}
        self._made = {name: node.op_type for node in proto.graph.node for name in node.output if name}
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._made if name not in doors)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._names = list(self._made)

    @staticmethod
    def why_not() -> str | None:
        """``None`` when onnx and ONNX Runtime are installed."""
        missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
        return f"{missing[0]} is not installed (pip install 'pocketproof[onnx]')" if missing else None

    def observe(self, feed: Mapping[str, NDArray[Any]]) -> list[Seen]:
        """Every float output of every node; codes of quantized values are left out."""
        values = self._session.run(self._names, dict(feed))
        return [
            Seen(name, self._made[name], value.astype(np.float32))
            for name, value in zip(self._names, values, strict=True)
            if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)
        ]
