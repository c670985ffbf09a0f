"""Which ops of an ML Program stay fp32, and the check that they did."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations

_RENAMED = "_inversed_"  # coremltools turns a division by a constant into a multiplication of this name


class WideOps:
    """Tells ops apart by the fx node they came from.

    A MIL op is called as its node, or NODE_suffix; where several fit (mul, mul_1), it is the longest. Passes
    rename and merge readers, so that reading is seen in the program itself, not in names.

    Args:
        nodes: names of all nodes of the captured program.
        over: names of those whose values leave the range of fp16.
    """

    def __init__(self, nodes: Collection[str], over: Collection[str]) -> None:
        self._nodes, self._over = nodes, over

    def narrow(self, op: Any) -> bool:
        """Whether a MIL op may become fp16: it neither makes nor reads an overflowing value."""
        read = [
            value
            for given in op.inputs.values()
            for value in (given if isinstance(given, (list, tuple)) else (given,))
        ]
        makers = [value.op for value in read if value is not None and value.op is not None]
        return not any(self._overflows(each.name) for each in (op, *makers))

    def demand(self, package: Path) -> None:
        """Raise ``OVERFLOW-NARROWED`` where an overflowing value is fp16 in the written program after all."""
        for operation in operations(read_spec(package)):
            name = operation.attributes["name"].immediateValue.tensor.strings.values
            dtypes = {value.type.tensorType.dataType for value in operation.outputs}
            half = type(operation.outputs[0].type.tensorType)().DESCRIPTOR.fields_by_name["dataType"]
            fp16 = half.enum_type.values_by_name["FLOAT16"].number
            if name and fp16 in dtypes and self._overflows(name[0]):
                raise DeployError(
                    "OVERFLOW-NARROWED",
                    f"{name[0]} leaves the range of fp16, and Core ML's compiler made it fp16 all the same.",
                    "Export this model to Core ML at fp32.",
                )

    def _overflows(self, name: str) -> bool:
        plain = name.removeprefix(_RENAMED)
        owners = [node for node in self._nodes if plain == node or plain.startswith(f"{node}_")]
        return max(owners, key=len, default="") in self._over
