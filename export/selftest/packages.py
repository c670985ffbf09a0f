"""Edit the weights of an ML Program in place: the protobuf's immediate values and the blob beside it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.coreml_package import read_spec, spec_file, weight_file
from export.formats.coreml_proof import operations
from export.selftest.protocol import Layer

_AXES = {"conv": 0, "conv_transpose": 1, "linear": 0, "matmul": -1}
_WEIGHTS = {"conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y"}
_QUANTIZED = {  # constexpr op: where its numbers are, and where what multiplies them is
    "constexpr_affine_dequantize": ("quantized_data", "scale"),
    "constexpr_blockwise_shift_scale": ("data", "scale"),
    "constexpr_lut_to_dense": ("indices", "lut"),
}
_DTYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "UINT8": np.uint8}
_RECORD = struct.Struct("<IIQQ")
_SENTINEL = 0xDEADBEEF


class PackageEditor:
    """The weights of one ``.mlpackage``. Keys are ``op/attribute``.

    Numbers of fewer than 8 bits are read and written as the packed bytes they are stored in.
    """

    def __init__(self, package: Path) -> None:
        self._spec = read_spec(package)
        stored = weight_file(package)
        self.blob = bytearray(stored.read_bytes()) if stored.is_file() else bytearray()
        self._operations = operations(self._spec)
        self._makers = {value.name: op for op in self._operations for value in op.outputs}
        self._values: dict[str, Any] = {}
        self._layers = self._find_layers()

    def layers(self) -> list[Layer]:
        """Convolutions and products whose weights are constants of the program."""
        return self._layers

    def read(self, key: str) -> NDArray[Any]:
        """A constant's numbers, in its own shape where every number has a whole byte."""
        value = self._values[key]
        dtype, shape = _kind(value)
        payload = self._payload(value)
        flat = np.frombuffer(payload, dtype)
        return flat.reshape(shape).copy() if flat.size == int(np.prod(shape)) else flat.copy()

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Replace a constant's numbers."""
        target = self._values[key]
        if target.WhichOneof("value") == "blobFileValue":
            start, size = self._place(target)
            self.blob[start : start + size] = value.tobytes()
            return
        tensor = target.immediateValue.tensor
        if tensor.WhichOneof("value") == "floats":
            tensor.floats.values[:] = [float(each) for each in value.ravel()]
        else:
            tensor.bytes.values = value.tobytes()

    def put_into(self, package: Path) -> None:
        """Write spec and blob over those of a copy of the package."""
        spec_file(package).write_bytes(self._spec.SerializeToString(deterministic=True))
        if self.blob:
            weight_file(package).write_bytes(bytes(self.blob))

    def _find_layers(self) -> list[Layer]:
        found = []
        for operation in self._operations:
            if operation.type not in _AXES:
                continue
            weight, scale = self._source(operation, _WEIGHTS[operation.type])
            if weight is None:
                continue
            name = operation.outputs[0].name
            bias = self._source(operation, "bias")[0]
            found.append(Layer(name, operation.type, weight, _AXES[operation.type], bias, scale))
        return found

    def _source(self, operation: Any, argument: str) -> tuple[str | None, str | None]:
        """Keys of the constant behind an argument and of the scale it is multiplied with."""
        if argument not in operation.inputs:
            return None, None
        binding = operation.inputs[argument].arguments[0]
        if binding.WhichOneof("binding") == "value":
            return self._keep(f"{operation.outputs[0].name}/{argument}", binding.value), None
        maker = self._makers.get(binding.name)
        if maker is None:
            return None, None
        if maker.type == "const":
            return self._keep(f"{binding.name}/val", maker.attributes["val"]), None
        if maker.type not in _QUANTIZED:
            return None, None
        return tuple(self._part(maker, name) for name in _QUANTIZED[maker.type])  # type: ignore[return-value]

    def _part(self, maker: Any, name: str) -> str | None:
        if name in maker.attributes:
            return self._keep(f"{maker.outputs[0].name}/{name}", maker.attributes[name])
        return self._source(maker, name)[0]

    def _keep(self, key: str, value: Any) -> str | None:
        if value.WhichOneof("value") == "immediateValue":
            kind = value.immediateValue.tensor.WhichOneof("value")
            if kind not in ("floats", "bytes"):
                return None
        self._values[key] = value
        return key

    def _payload(self, value: Any) -> bytes:
        if value.WhichOneof("value") == "blobFileValue":
            start, size = self._place(value)
            return bytes(self.blob[start : start + size])
        tensor = value.immediateValue.tensor
        if tensor.WhichOneof("value") == "floats":
            return np.asarray(tensor.floats.values, np.float32).tobytes()
        return bytes(tensor.bytes.values)

    def _place(self, value: Any) -> tuple[int, int]:
        """Where a blob value's numbers lie: first byte and count, from the record before them."""
        sentinel, _, size, start = _RECORD.unpack_from(self.blob, value.blobFileValue.offset)
        if sentinel != _SENTINEL:
            raise ValueError(f"no weight record at byte {value.blobFileValue.offset}")
        return start, size


def _kind(value: Any) -> tuple[Any, tuple[int, ...]]:
    tensor = value.type.tensorType
    field = type(tensor).DESCRIPTOR.fields_by_name["dataType"]
    name = field.enum_type.values_by_number[tensor.dataType].name
    return _DTYPES.get(name, np.uint8), tuple(d.constant.size for d in tensor.dimensions)
