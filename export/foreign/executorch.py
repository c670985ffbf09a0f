"""Doors of an ExecuTorch program: the values of ``forward``'s plan; they have shapes but no names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.tensor import TensorSpec
from export.foreign.protocol import Found
from export.formats.executorch_proof import prove_executorch

_DTYPES = {0: "uint8", 1: "int8", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 11: "bool"}
_DELEGATES = {"XnnpackBackend": "XNNPACK", "CoreMLBackend": "CoreML"}


class ForeignExecuTorch:
    """See ``export.foreign.protocol.ForeignFormat``."""

    target: ClassVar[str] = "executorch"

    @staticmethod
    def doors(model: Path) -> Found:
        """Read from the file itself, so that a program for a delegate this machine lacks can be read too."""
        from executorch.exir._serialize._program import deserialize_pte_binary

        program: Any = deserialize_pte_binary(model.read_bytes()).program
        plan = next(plan for plan in program.execution_plan if plan.name == "forward")
        delegates = sorted({_DELEGATES.get(each.id, each.id) for each in plan.delegates})
        return Found(
            tuple(_spec(f"input_{n}", plan.values[at].val) for n, at in enumerate(plan.inputs)),
            tuple(_spec(f"output_{n}", plan.values[at].val) for n, at in enumerate(plan.outputs)),
            deployment={"delegate": ", ".join(delegates) or "none", "partitions": str(len(plan.delegates))},
        )

    @staticmethod
    def prove(model: Path) -> PrecisionProof:
        """Count weight bytes and ops, inside its delegates too."""
        return prove_executorch(model)


def _spec(name: str, value: Any) -> TensorSpec:
    dtype = _DTYPES.get(int(value.scalar_type), "float32")
    return TensorSpec(name=name, shape=tuple(value.sizes), dtype=dtype)  # type: ignore[arg-type]
