"""Find the weights of XNNPACK's delegates among the bytes of a ``.pte``, and edit them where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.executorch_proof import xnnpack_graph
from export.selftest.protocol import Layer

_CONVOLUTIONS = ("XNNConv2d", "XNNDepthwiseConv2d", "XNNConvTranspose2d")
_DTYPES = {
    "xnn_datatype_fp32": np.float32,
    "xnn_datatype_fp16": np.float16,
    "xnn_datatype_qint8": np.int8,
    "xnn_datatype_qcint8": np.int8,
    "xnn_datatype_qint32": np.int32,
    "xnn_datatype_qcint32": np.int32,
}
_Place = tuple[int, Any, tuple[int, ...]]


class PayloadEditor:
    """The weights of every XNNPACK payload in a file's bytes. Keys are made up here.

    A payload keeps its weights in the file's segments, named by their hash; since that content is unique,
    its bytes are found by searching for them. What occurs twice is left alone.

    Args:
        raw: the whole file; edited in place.
        payloads: the delegates' processed bytes, in the order they are called.
        named: content of the file's named data, by key.
    """

    def __init__(self, raw: bytearray, payloads: list[bytes], named: Mapping[str, bytes]) -> None:
        self._raw, self._named = raw, named
        self._places: dict[str, _Place] = {}
        self._layers = [
            layer for number, payload in enumerate(payloads) for layer in self._layers_of(number, payload)
        ]

    def layers(self) -> list[Layer]:
        """Convolutions and fully connected layers whose weights were found."""
        return self._layers

    def read(self, key: str) -> NDArray[Any]:
        """The numbers at a place."""
        start, dtype, shape = self._places[key]
        count = int(np.prod(shape))
        return np.frombuffer(self._raw, dtype, count, start).reshape(shape).copy()

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Overwrite the numbers at a place."""
        start = self._places[key][0]
        payload = value.tobytes()
        self._raw[start : start + len(payload)] = payload

    def _layers_of(self, number: int, payload: bytes) -> list[Layer]:
        graph = xnnpack_graph(payload)
        values = {}
        for entry in graph["xvalues"]:
            union = entry["xvalue_union"]
            tensor = union.get("tensor_value", union)
            values[tensor["id_out"]] = (tensor, union.get("quant_params"))
        found = []
        for index, node in enumerate(graph["xnodes"]):
            kind, parts = node["xnode_union_type"], node["xnode_union"]
            if kind not in (*_CONVOLUTIONS, "XNNFullyConnected") or parts["filter_id"] not in values:
                continue
            name = f"delegate {number} {kind.removeprefix('XNN')} {index}"
            tensor, quantized = values[parts["filter_id"]]
            weight = self._find(f"{name}/weight", graph, tensor)
            if weight is None:
                continue
            bias_tensor = values.get(parts["bias_id"], (None, None))[0]
            bias = self._find(f"{name}/bias", graph, bias_tensor) if bias_tensor else None
            scale = self._scale(f"{name}/scale", graph, payload, quantized)
            axis = 3 if kind == "XNNDepthwiseConv2d" else 0
            found.append(Layer(name, kind.removeprefix("XNN"), weight, axis, bias, scale))
        return found

    def _find(self, key: str, graph: dict[str, Any], tensor: dict[str, Any]) -> str | None:
        dtype = _DTYPES.get(tensor["datatype"])
        content = self._constant(graph, tensor["constant_buffer_idx"])
        shape = tuple(tensor["dims"])
        if dtype is None or content is None or len(content) < np.dtype(dtype).itemsize * int(np.prod(shape)):
            return None
        return self._keep(key, content, dtype, shape)

    def _constant(self, graph: dict[str, Any], index: int) -> bytes | None:
        """Content of a constant that has a name in the file; older files without names are left alone."""
        return self._named.get(graph["constant_data"][index]["named_key"]) if index else None

    def _scale(self, key: str, graph: dict[str, Any], payload: bytes, quantized: Any) -> str | None:
        """A per-channel scale: in the file's named data, or inside the payload's own graph."""
        if not quantized or "scale" not in quantized:
            return None
        if quantized.get("scale_buffer_idx"):
            content = self._constant(graph, quantized["scale_buffer_idx"])
            return self._keep(key, content, np.float32, (len(content) // 4,)) if content else None
        scales = np.atleast_1d(np.asarray(quantized["scale"], np.float32))
        if scales.size < 2 or payload.count(scales.tobytes()) != 1:
            return None  # a single float32 may occur anywhere
        return self._keep(key, scales.tobytes(), np.float32, scales.shape)

    def _keep(self, key: str, content: bytes, dtype: Any, shape: tuple[int, ...]) -> str | None:
        start = self._raw.find(content)
        if start < 0 or self._raw.find(content, start + 1) >= 0:
            return None
        self._places[key] = (start, dtype, shape)
        return key
