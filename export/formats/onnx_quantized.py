"""ONNX in 8 bits: QDQ around weights alone (w8), or also around activations with given ranges (w8a8)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.calibration.choose import Ranges

if TYPE_CHECKING:
    import onnx

Pairing = Literal["x86", "arm"]
PAIRINGS = {"x86": "U8S8", "arm": "S8S8"}
"""Activation and weight types. ONNX Runtime fuses U8S8 on x86 (S8S8 runs 2 to 4 times slower there) and S8S8
on ARM."""

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_LEAST_ELEMENTS = 256
"""Weights of fewer elements are no saving: their scales would weigh as much."""


def quantize_activations(
    model: onnx.ModelProto, ranges: Ranges, wide: Collection[str], pairing: Pairing
) -> onnx.ModelProto:
    """Static QDQ: 8-bit activations, symmetric per-channel int8 weights, int32 biases.

    Args:
        model: the fp32 graph, with no norms left behind convolutions.
        ranges: lowest and highest value of every float tensor.
        wide: names of nodes that stay float.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import save_and_reload_model_with_shape_infer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    logging.getLogger().setLevel(logging.ERROR)  # the quantizer advises on the root logger
    known = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    copied = type(model)()
    copied.CopyFrom(model)
    shaped = save_and_reload_model_with_shape_infer(copied)
    pool_means(shaped, wide)
    quantizer: Any = QDQQuantizer(
        shaped,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8 if pairing == "x86" else QuantType.QInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, known),
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(wide),
        op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry}),
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()  # it appends what it inserts, which ONNX Runtime alone forgives
    done: onnx.ModelProto = quantizer.model.model
    del done.graph.value_info[:]
    return done


def pool_means(model: onnx.ModelProto, wide: Collection[str] = ()) -> None:
    """Means over the picture become GlobalAveragePool, in place: ONNX Runtime has no 8-bit ReduceMean.

    It ran those in float between a dequantize and a quantize: the 31 of EfficientNetV2-S took 22 of 116 ms,
    and take 1.3 ms as pools.

    Args:
        model: with inferred shapes.
        wide: names of nodes that stay float.
    """
    from onnx import numpy_helper

    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    typed = {value.name: value.type.tensor_type for value in (*graph.input, *graph.value_info)}
    pooled = set[str]()
    for node in graph.node:
        if node.op_type != "ReduceMean" or node.name in wide or node.input[0] not in typed:
            continue
        if len(node.input) != 2 or node.input[1] not in tensors or len(typed[node.input[0]].shape.dim) != 4:
            continue
        axes = {int(axis) % 4 for axis in numpy_helper.to_array(tensors[node.input[1]])}
        kept = all(each.i for each in node.attribute if each.name == "keepdims")
        if axes == {2, 3} and kept:
            pooled.add(node.input[1])
            node.op_type = "GlobalAveragePool"
            del node.input[1:], node.attribute[:]
    for name in pooled - {name for node in graph.node for name in node.input}:
        graph.initializer.remove(tensors[name])


def quantize_weights(model: onnx.ModelProto, wide: Collection[str] = ()) -> onnx.ModelProto:
    """Weights of convolutions and matrix products as symmetric per-channel int8 behind DequantizeLinear.

    Args:
        model: an fp32 graph.
        wide: names of nodes that keep float weights.
    """
    from onnx import helper, numpy_helper

    done = type(model)()
    done.CopyFrom(model)
    graph = done.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[Any] = []
    for name, axis in _quantizable(graph, tensors, wide):
        values = numpy_helper.to_array(tensors[name])
        quantized, scales = _per_channel(values, axis)
        zeros = np.zeros(scales.shape, np.int8)
        parts: dict[str, NDArray[Any]] = {
            f"{name}_quantized": quantized,
            f"{name}_scale": scales,
            f"{name}_zero_point": zeros,
        }
        graph.initializer.remove(tensors[name])
        graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in parts.items())
        nodes.append(
            helper.make_node(
                "DequantizeLinear", list(parts), [name], name=f"{name}_DequantizeLinear", axis=axis
            )
        )
    for number, node in enumerate(nodes):
        graph.node.insert(number, node)
    return done


def _quantizable(graph: Any, tensors: dict[str, Any], wide: Collection[str]) -> Iterable[tuple[str, int]]:
    """Weight tensors and the axis of their output channels, each once."""
    found: dict[str, int] = {}
    for node in graph.node:
        name = node.input[1] if node.op_type in _WEIGHTED and len(node.input) > 1 else ""
        if name not in tensors or node.name in wide or name in found:
            continue
        dims = tensors[name].dims
        if np.prod(dims, dtype=np.int64) < _LEAST_ELEMENTS:
            continue
        transposed = any(each.name == "transB" and each.i for each in node.attribute)
        axis = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if transposed else 1}.get(
            node.op_type, len(dims) - 1
        )
        found[name] = axis
    return found.items()


def _per_channel(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric: the largest magnitude of a channel becomes 127."""
    others = tuple(number for number in range(values.ndim) if number != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    quantized = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    return quantized, scales.reshape(-1)
