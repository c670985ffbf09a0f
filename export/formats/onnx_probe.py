"""Run an ONNX graph with every float value shown, unoptimised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx


class Probe:
    """A session over a copy of ``model`` whose outputs are all float values of the graph.

    Args:
        model: an fp32 graph.
        threads: threads of the session.
    """

    def __init__(self, model: onnx.ModelProto, threads: int) -> None:
        import onnx
        import onnxruntime as ort

        probe = type(model)()
        probe.CopyFrom(model)
        shown = {output.name for output in probe.graph.output}
        inferred = onnx.shape_inference.infer_shapes(probe)
        floats = [
            v for v in inferred.graph.value_info if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        ]
        probe.graph.output.extend(v for v in floats if v.name not in shown)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]

    def values(self, sample: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Every float value of one sample, by name: the inputs, and all that the graph computes."""
        yield from ((name, value) for name, value in sample.items() if value.dtype == np.float32)
        for name, value in zip(self._names, self._session.run(self._names, dict(sample)), strict=True):
            if np.issubdtype(value.dtype, np.floating):
                yield name, value
