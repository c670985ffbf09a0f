"""ONNX files and graphs as lint needs them: the only module of lint that knows ONNX."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram

OPSET = 18


@dataclass(frozen=True)
class Partitions:
    """How a phone's accelerator would cut a graph, by ONNX Runtime's own checker."""

    provider: str
    partitions: int
    supported: int
    total: int
    unsupported: tuple[str, ...]


def node_types(model: Path) -> list[tuple[str, str]]:
    """(name, op type) of every node."""
    import onnx

    graph = onnx.load(str(model), load_external_data=False).graph
    return [(node.name or node.output[0], node.op_type) for node in graph.node]


def invalid(model: Path) -> str | None:
    """What ``onnx.checker`` says against the file (an op or dtype its opset lacks), ``None`` if nothing."""
    import onnx

    try:
        onnx.checker.check_model(str(model), full_check=True)
    except onnx.checker.ValidationError as error:
        return _first_line(error)
    except onnx.shape_inference.InferenceError as error:
        return _first_line(error)
    return None


def opset_of(model: Path) -> int:
    """Version of the standard operators that the file imports."""
    import onnx

    imports = onnx.load(str(model), load_external_data=False).opset_import
    return max((each.version for each in imports if each.domain in ("", "ai.onnx")), default=0)


def load(model: Path) -> Any:
    """The file as a message."""
    import onnx

    return onnx.load(str(model))


def graph_of(program: ExportedProgram) -> Any:
    """The program as the exporter would write it, in memory."""
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(program, (), dynamo=True, opset_version=OPSET, verbose=False)
    if exported is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return exported.model_proto


def partitions(model: Any) -> list[Partitions]:
    """NNAPI's and Core ML's share of a graph with fixed shapes, as ONNX Runtime would split it."""
    import onnx
    from onnxruntime.tools.mobile_helpers import usability_checker as checker

    inferred = onnx.shape_inference.infer_shapes(model)
    table = "coreml_supported_mlprogram_ops.md"
    found = {
        "NNAPI": checker.check_nnapi_partitions(inferred, require_fixed_input_sizes=True),
        "Core ML": checker.check_coreml_partitions(
            inferred, require_fixed_input_sizes=True, config_filename=table
        ),
    }
    return [
        Partitions(
            name,
            info.num_partitions,
            info.num_supported_nodes,
            info.num_nodes,
            tuple(sorted(str(op) for op in info.unsupported_ops)),
        )
        for name, info in found.items()
    ]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
