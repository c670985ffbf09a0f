"""What lint reads out of written files: their ops and their doors."""

from __future__ import annotations

from deploy.contracts.tensor import TensorSpec
from export.foreign import FORMATS
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations
from export.lint.onnx_file import node_types
from export.lint.subject import LintSubject

_SUFFIXES = {"onnx": "onnx", "coreml": "mlpackage", "executorch": "pte"}


def op_types(subject: LintSubject) -> list[tuple[str, str]]:
    """(name, type) of every op in an ONNX or Core ML file; empty for other formats."""
    if (model := subject.to_file("onnx")) is not None:
        return node_types(model)
    if (model := subject.to_file("coreml")) is not None:
        return [(op.outputs[0].name, op.type) for op in operations(read_spec(model)) if op.outputs]
    return []


def doors(subject: LintSubject) -> tuple[TensorSpec, ...]:
    """Inputs of the file; an open dimension is -1."""
    if subject.file is None or subject.target is None:
        return ()
    return FORMATS.open(_SUFFIXES[subject.target]).doors(subject.file).inputs
