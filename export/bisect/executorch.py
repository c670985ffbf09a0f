"""Show what an ExecuTorch program hands from op to op: values at the edges of its delegates."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from export.bisect.protocol import Seen

_BUFFER_BYTES = 1 << 30
_DELEGATE = "DELEGATE_CALL"
_KERNEL = "native_call_"
_FLOATS = {"HALF": np.float16, "FLOAT": np.float32, "DOUBLE": np.float64}


class ExecuTorchObserver:
    """See ``export.bisect.protocol.Observer``."""

    NAMED: ClassVar[bool] = False
    LIMITS: ClassVar[str | None] = (
        "Inside a delegate nothing can be seen: values are those at its edges and of the ops outside, "
        "matched with the reference by their content. ExecuTorch's trace holds no fp16 values."
    )

    def __init__(self, model: Path, inputs: tuple[str, ...], threads: int) -> None:
        import torch
        from executorch.extension.pybindings import _C  # type: ignore[attr-defined]

        torch.set_num_threads(threads)
        _C._unsafe_reset_threadpool(threads)
        self._path, self._inputs, self._binding = model, inputs, _C

    @staticmethod
    def why_not() -> str | None:
        """``None`` when ExecuTorch is installed."""
        if find_spec("executorch") is None:
            return "executorch is not installed (pip install 'pocketproof[executorch]')"
        return None

    def observe(self, feed: Mapping[str, NDArray[Any]]) -> list[Seen]:
        """One run with an event trace and a buffer for values; what was seen before is not shown again."""
        import torch

        arguments = [np.ascontiguousarray(feed[name]) for name in self._inputs]
        module = self._binding._load_for_executorch(
            str(self._path), enable_etdump=True, debug_buffer_size=_BUFFER_BYTES
        )
        module.forward([torch.from_numpy(each) for each in arguments])
        with tempfile.TemporaryDirectory() as folder:
            trace, values = Path(folder) / "trace.etdp", Path(folder) / "values.bin"
            module.write_etdump_result_to_file(str(trace), str(values))
            return list(_fresh(_events(trace), np.memmap(values, np.uint8, "r"), list(arguments)))


def _events(trace: Path) -> list[dict[str, Any]]:
    """Debug events of all runs in the trace, as flatc spells them.

    ``executorch.devtools.Inspector`` is not used: it refuses a trace whose events have no name, as those of
    programs with fp16 values have none.
    """
    from executorch.devtools.etdump import serialize

    runs = json.loads(serialize._convert_from_flatcc(trace.read_bytes(), size_prefixed=True))["run_data"]
    events = [event for run in runs for event in run.get("events") or []]
    calls = [event["profile_event"] for event in events if event.get("profile_event")]
    names = {each.get("instruction_id"): each["name"] for each in calls if _is_call(each.get("name"))}
    found = [event["debug_event"] for event in events if event.get("debug_event")]
    return [{"name": names.get(each.get("instruction_id")), **each} for each in found]


def _is_call(name: str | None) -> bool:
    return name is not None and (name == _DELEGATE or name.startswith(_KERNEL))


def _fresh(
    events: list[dict[str, Any]], values: NDArray[np.uint8], known: list[NDArray[Any]]
) -> Iterator[Seen]:
    """Float values that equal none that was seen before (a call's inputs are among its values)."""
    delegates: dict[int, int] = {}
    numbers: dict[str, int] = {}
    for event in events:
        name, step = event.get("name") or "", int(event.get("instruction_id", -1))
        if name == _DELEGATE:
            maker = f"delegate {delegates.setdefault(step, len(delegates))}"
        elif name:
            maker = name.removeprefix(_KERNEL)
        else:
            maker = f"step {step}"
        for value in _tensors(event.get("debug_entry") or {}, values):
            if any(value.shape == each.shape and np.array_equal(value, each) for each in known):
                continue
            known.append(value)
            numbers[maker] = numbers.get(maker, -1) + 1
            yield Seen(f"{maker} value {numbers[maker]}", maker, value)


def _tensors(entry: dict[str, Any], values: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    listed = (entry.get("tensor_list") or {}).get("tensors") or []
    for tensor in [entry["tensor"]] if entry.get("tensor") else listed:
        dtype = _FLOATS.get(str(tensor.get("scalar_type", "BYTE")))
        shape = tuple(tensor.get("sizes") or ())
        start, count = int(tensor.get("offset", 0)), int(np.prod(shape))
        if dtype is not None and start >= 0 and start + count * np.dtype(dtype).itemsize <= values.size:
            found = np.frombuffer(values, dtype, count, start).reshape(shape)
            yield found.astype(np.float32)
