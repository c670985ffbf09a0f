"""Small ML Programs for tests: made with coremltools' builder, serialised without its passes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.backend.mil.load import MILProtoExporter
from coremltools.converters.mil.mil import types
from coremltools.proto import Model_pb2

from export.mil.program import MilProgram

TARGETS = {15: ct.target.iOS15, 16: ct.target.iOS16, 17: ct.target.iOS17, 18: ct.target.iOS18}
DTYPES = {"fp16": types.fp16, "fp32": types.fp32, "int32": types.int32, "bool": types.bool}
_SPECIFICATION = {15: 6, 16: 7, 17: 8, 18: 9}


def spec_of(program: Any, ios: int, folder: Path) -> Any:
    """The spec of a builder's program, exactly its ops: no folding, no casting, no fusing."""
    model = Model_pb2.Model()
    weights = folder / "weights"
    weights.mkdir()
    exporter = MILProtoExporter(program, str(weights), specification_version=_SPECIFICATION[ios])
    model.mlProgram.CopyFrom(exporter.export())
    del exporter  # which closes the weight file
    return model


def load(
    build: Callable[..., Any],
    inputs: Mapping[str, tuple[tuple[int, ...], str]],
    ios: int = 17,
    **options: Any,
) -> MilProgram:
    """The program that ``build(**variables)`` makes; ``inputs`` give shapes and dtypes."""
    specs = [mb.TensorSpec(shape=shape, dtype=DTYPES[dtype]) for shape, dtype in inputs.values()]
    if specs:
        program = mb.program(input_specs=specs, opset_version=TARGETS[ios])(_named(build, list(inputs)))
    else:
        program = mb.program(opset_version=TARGETS[ios])(build)
    folder = Path(tempfile.mkdtemp(prefix="mil"))
    return MilProgram.from_spec(spec_of(program, ios, folder), folder, **options)


def run(
    build: Callable[..., Any],
    feed: Mapping[str, np.ndarray],
    ios: int = 17,
    mode: str = "exact32",
    **options: Any,
) -> list[Any]:
    """Outputs, in order, of a program made for one set of inputs (their shapes and dtypes are its own)."""
    names = {np.dtype(np.float16): "fp16", np.dtype(np.float32): "fp32", np.dtype(np.bool_): "bool"}
    inputs = {name: (value.shape, names.get(value.dtype, "int32")) for name, value in feed.items()}
    found = load(build, inputs, ios, mode=mode, **options).predict(feed)
    return list(found.values())


def _named(build: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """The builder names a program's inputs after its function's parameters."""
    scope: dict[str, Any] = {"build": build}
    exec(f"def program({', '.join(names)}): return build({', '.join(f'{n}={n}' for n in names)})", scope)
    function: Callable[..., Any] = scope["program"]
    return function


__all__ = ["ct", "load", "mb", "run", "spec_of", "types"]
