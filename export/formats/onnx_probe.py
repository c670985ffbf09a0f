"""Show every float value of an ONNX graph, unoptimised, so that each op computes what the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx


class Probe:
    """A session over a copy of ``model`` whose outputs are all values of the graph.

    Attributes:
        kinds: the op type that makes each value, by name.

    Args:
        model: a graph of any precision.
        threads: threads of the session.
    """

    def __init__(self, model: onnx.ModelProto, threads: int) -> None:
        import onnx
        import onnxruntime as ort

        probe = type(model)()
        probe.CopyFrom(model)
        del probe.graph.value_info[:]  # stale entries would contradict what the runtime infers
        doors = {output.name for output in probe.graph.output}
        self.kinds = {name: node.op_type for node in probe.graph.node for name in node.output if name}
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.kinds if name not in doors)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def values(self, sample: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Every float value that a node makes for one sample, by name; codes of 8-bit values are left out."""
        names = list(self.kinds)
        for name, value in zip(names, self._session.run(names, dict(sample)), strict=True):
            if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
                yield name, value
