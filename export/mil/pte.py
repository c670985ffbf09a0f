"""Reads an ExecuTorch program whose delegates are Core ML, and unpacks the packages inside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from deploy.errors import DeployError
from export.mil.program import MilProgram

_BACKEND = "CoreMLBackend"
_REFERENCE = b"CMJR"  # marks a payload that names the real one, shared between methods
_DTYPES = {
    0: torch.uint8,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.int64,
    5: torch.float16,
    6: torch.float32,
    7: torch.float64,
    11: torch.bool,
}


@dataclass(frozen=True)
class Delegate:
    """One delegated part: the program, and its doors in the order in which ExecuTorch passes them."""

    program: MilProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """The ``forward`` method: instructions over numbered values."""

    plan: Any
    constants: dict[int, Any]
    delegates: tuple[Delegate, ...]


def open_method(path: Path, mode: str) -> Method:
    """Read a ``.pte`` and load every package in it.

    Raises:
        DeployError: ``DELEGATE-NOT-RUNNABLE`` when the file is no ExecuTorch program, or one of its
            delegates is not Core ML's.
    """
    read = import_reader()
    try:
        found = read(path.read_bytes())
    except Exception as error:
        raise cannot_run(path, f"it is no ExecuTorch program ({type(error).__name__})") from error
    program, plan = found.program, found.program.execution_plan[0]
    strange = sorted({each.id for each in plan.delegates} - {_BACKEND})
    if strange or not plan.delegates:
        raise cannot_run(path, f"it is delegated to {', '.join(strange) or 'nothing'}, not to Core ML")
    shared = _shared_data(found)
    delegates = []
    for index, delegate in enumerate(plan.delegates):
        payload = bytes(program.backend_delegate_data[delegate.processed.index].data)
        if payload.startswith(_REFERENCE):
            payload = shared.get(json.loads(payload[len(_REFERENCE) :]).get("key"), b"")
        delegates.append(_unpack(path, index, payload, mode))
    return Method(plan, _constants(program, plan), tuple(delegates))


def import_reader() -> Callable[[bytes], Any]:
    """Import ExecuTorch's reader of serialised programs (seconds the first time) and return it."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    reader: Callable[[bytes], Any] = deserialize_pte_binary
    return reader


def dtype_of(tensor: Any) -> torch.dtype:
    """Torch dtype of a serialised tensor (float32 for those that are never fed)."""
    return _DTYPES.get(int(tensor.scalar_type), torch.float32)


def cannot_run(path: Path, why: str) -> DeployError:
    """The error for a ``.pte`` that cannot be emulated."""
    return DeployError(
        "DELEGATE-NOT-RUNNABLE",
        f"{path.name} cannot be emulated: {why}.",
        "Export it again with ExecuTorch's Core ML delegate, or run it on a device.",
    )


def _unpack(path: Path, index: int, payload: bytes, mode: str) -> Delegate:
    from executorch.backends.apple.coreml import executorchcoreml

    # Loaded weights may be memory maps into the folder; where such files cannot be deleted, they stay behind.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        unpacked = bool(payload) and executorchcoreml.unflatten_directory_contents(payload, str(folder))
        module = folder / "lowered_module"
        if not unpacked or not (module / "metadata.json").is_file():
            raise cannot_run(path, f"delegate {index} holds no Core ML package")
        doors = json.loads((module / "metadata.json").read_text(encoding="utf-8"))
        program = MilProgram.load(module / "model.mlpackage", mode, function=doors.get("functionName"))
    return Delegate(program, tuple(doors["inputNames"]), tuple(doors["outputNames"]))


def _shared_data(found: Any) -> dict[str, bytes]:
    store = getattr(found, "named_data", None)
    if store is None:
        return {}
    return {key: bytes(store.buffers[entry.buffer_index]) for key, entry in store.pte_data.items()}


def _constants(program: Any, plan: Any) -> dict[int, Any]:
    """Values known before the first instruction: stored tensors, numbers, strings, and lists of indices."""
    known: dict[int, Any] = {}
    for index, value in enumerate(plan.values):
        item = value.val
        kind = type(item).__name__
        if kind == "Tensor":
            buffer = item.data_buffer_idx
            if item.allocation_info is None and 0 < buffer < len(program.constant_buffer):
                known[index] = _tensor(item, bytes(program.constant_buffer[buffer].storage))
        elif kind == "Null":
            known[index] = None
        elif kind in ("Int", "Double", "Bool", "String"):
            known[index] = next(iter(vars(item).values()))
    return known


def _tensor(item: Any, storage: bytes) -> torch.Tensor:
    shape: Sequence[int] = item.sizes
    if not storage:
        return torch.zeros(list(shape), dtype=dtype_of(item))
    return torch.frombuffer(bytearray(storage), dtype=dtype_of(item)).reshape(list(shape))
