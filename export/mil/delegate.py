"""ExecuTorch files delegated to Core ML behind the runtime socket: the delegate is emulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError

if TYPE_CHECKING:
    from export.mil.pte import Delegate, Method


class EmulatedCoreMLDelegate:
    """A loaded ``.pte``; see ``deploy.runtimes.protocol.Runtime``. Numerics mode ``storage16``.

    Several delegates are run one after another; ops that stayed outside them are computed by torch's kernels
    of the same names, which ExecuTorch's portable ones follow.
    """

    @staticmethod
    def prepare() -> None:
        """Import torch, ExecuTorch's reader and coremltools' message types."""
        from export.mil import package, pte

        package.import_messages()
        pte.import_reader()

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import torch

        from export.mil.pte import cannot_run, open_method

        torch.set_num_threads(threads)
        self._path = model
        self._method: Method = open_method(model, "storage16")
        plan = self._method.plan
        if len(plan.inputs) != len(inputs) or len(plan.outputs) != len(outputs):
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"{model.name} has {len(plan.inputs)} inputs and {len(plan.outputs)} outputs; its manifest "
                f"says {len(inputs)} and {len(outputs)}.",
                "Export it again.",
            )
        self._inputs = [spec.name for spec in inputs]
        self._outputs = [spec.name for spec in outputs]
        try:
            self._kernels = [_torch_kernel(each.name, each.overload) for each in plan.operators]
        except AttributeError as error:
            raise cannot_run(model, f"the op {error} outside the delegate has no kernel here") from error

    @staticmethod
    def why_not() -> str | None:
        """``None`` when ExecuTorch and coremltools are installed."""
        for name, extra in (("executorch", "executorch"), ("coremltools", "coreml")):
            if find_spec(name) is None:
                return f"{name} is not installed (pip install 'pocketproof[{extra}]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One inference; float32 in and out."""
        import torch

        from export.mil.pte import dtype_of

        plan, values = self._method.plan, dict(self._method.constants)
        for index, name in zip(plan.inputs, self._inputs, strict=True):
            tensor = torch.from_numpy(np.ascontiguousarray(inputs[name]))
            values[index] = tensor.to(dtype_of(plan.values[index].val))
        with torch.inference_mode():
            self._execute(values)
        found = (np.asarray(values[index].to(torch.float32).numpy()) for index in plan.outputs)
        return dict(zip(self._outputs, found, strict=True))

    def _execute(self, values: dict[int, Any]) -> None:
        from export.mil.pte import cannot_run

        plan = self._method.plan
        instructions = plan.chains[0].instructions
        place = 0
        while place < len(instructions):
            call = instructions[place].instr_args
            kind = type(call).__name__
            place += 1
            if kind == "DelegateCall":
                self._delegate(self._method.delegates[call.delegate_index], call.args, values)
            elif kind == "KernelCall":
                self._kernels[call.op_index]([self._value(i, values) for i in call.args], call.args, values)
            elif kind == "MoveCall":
                values[call.move_to] = values[call.move_from]
            elif kind == "JumpFalseCall":
                place = place if bool(values[call.cond_value_index]) else call.destination_instruction
            elif kind != "FreeCall":
                raise cannot_run(self._path, f"it has an instruction of the unknown kind {kind}")

    def _delegate(self, delegate: Delegate, places: list[int], values: dict[int, Any]) -> None:
        """Arguments are the inputs and then the outputs, by value index."""
        import torch

        count = len(delegate.inputs)
        feed = {
            name: _fit(values[index], delegate, name)
            for name, index in zip(delegate.inputs, places[:count], strict=True)
        }
        found = delegate.program.predict(feed)
        for name, index in zip(delegate.outputs, places[count:], strict=True):
            declared = self._method.plan.values[index].val
            tensor = torch.from_numpy(np.asarray(found[name]))
            # Core ML has no scalars at its doors: it writes them as vectors of one.
            same = tensor.numel() == int(np.prod(declared.sizes, dtype=np.int64))
            values[index] = tensor.reshape(list(declared.sizes)) if same else tensor

    def _value(self, index: int, values: dict[int, Any]) -> Any:
        """An argument of a kernel; lists are stored as indices of their elements."""
        import torch

        from export.mil.pte import dtype_of

        if index in values:
            return values[index]
        item = self._method.plan.values[index].val
        if type(item).__name__ == "Tensor":  # an out argument, still to be written
            return torch.empty(0, dtype=dtype_of(item))
        listed = getattr(item, "items", None)
        if listed is None:
            return None
        if type(item).__name__ in ("IntList", "TensorList", "OptionalTensorList"):
            return [self._value(each, values) if each >= 0 else None for each in listed]
        return list(listed)


def _fit(value: Any, delegate: Delegate, name: str) -> NDArray[Any]:
    """A tensor as the package declares it, which makes a vector of one of a scalar."""
    wanted = next(each for each in delegate.program.inputs if each.name == name)
    array: NDArray[Any] = value.numpy()
    return array.reshape(wanted.shape) if array.ndim == 0 else array


def _torch_kernel(name: str, overload: str) -> Callable[[list[Any], list[int], dict[int, Any]], None]:
    """Torch's kernel behind ``namespace::op``; it leaves its results at the indices of its out arguments."""
    import torch

    namespace, _, operation = name.partition("::")
    kernel = getattr(getattr(getattr(torch.ops, namespace), operation), overload)
    schema = kernel._schema.arguments

    def call(arguments: list[Any], places: list[int], values: dict[int, Any]) -> None:
        positional, named, written = [], {}, []
        for argument, value, index in zip(schema, arguments, places, strict=False):
            if argument.is_out:
                written.append(index)
                named[argument.name] = torch.empty(0, dtype=value.dtype)
            elif argument.kwarg_only:
                named[argument.name] = value
            else:
                positional.append(value)
        result = kernel(*positional, **named)
        results = result if isinstance(result, (tuple, list)) else [result]
        values.update(zip(written, results, strict=True))

    return call
