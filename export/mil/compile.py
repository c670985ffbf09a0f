"""Compiles a function once: constants folded, ops turned to closures, values freed after their last use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from deploy.errors import DeployError
from export.mil.constexpr import FOLDS, fold
from export.mil.frame import Frame
from export.mil.fusion import left_wide
from export.mil.node import Kernel, Node, Reference, Slot
from export.mil.numerics import Finish, Numerics
from export.mil.ops.registry import Registered, ops
from export.mil.package import Package
from export.mil.values import Constant, broken, type_of

_FAILURES = (RuntimeError, ValueError, IndexError, TypeError, KeyError)


@dataclass(frozen=True)
class Output:
    """One output of a step: its MIL name, where it goes, and how it is rounded."""

    name: str
    slot: Slot
    finish: Finish | None


@dataclass
class Step:
    """One op, ready to run; ``dead`` are the slots nobody reads afterwards."""

    kind: str
    kernel: Kernel
    outputs: tuple[Output, ...]
    dead: tuple[int, ...] = ()


@dataclass
class Block:
    """Steps in order. Nested blocks share the frame of the function they stand in."""

    inputs: tuple[Slot, ...]
    steps: list[Step] = field(default_factory=list)
    outputs: list[Reference] = field(default_factory=list)

    def run(self, frame: Frame) -> list[Any]:
        """Run all steps and return the block's outputs.

        Raises:
            DeployError: ``MIL-OP-FAILED`` naming the op, or what an op itself complains about.
        """
        step: Step | None = None
        try:
            if frame.plain:
                for step in self.steps:
                    _run(step, frame)
            else:
                for step in self.steps:
                    _run_watched(step, frame)
        except _FAILURES as error:
            assert step is not None
            name = step.outputs[0].name if step.outputs else "without output"
            raise DeployError(
                "MIL-OP-FAILED",
                f"The op {step.kind} ({name}) cannot compute its inputs: {str(error).splitlines()[0]}.",
                "Check the shapes you feed with those the model allows.",
            ) from error
        return [each.carried() if isinstance(each, Constant) else frame[each.index] for each in self.outputs]


def _run(step: Step, frame: Frame) -> None:
    result = step.kernel(frame)
    outputs = step.outputs
    if len(outputs) == 1:
        output = outputs[0]
        value = result[0] if isinstance(result, tuple) else result
        frame[output.slot.index] = value if output.finish is None else output.finish(value)
    else:
        # An op may compute more than the program asks for (counts of suppression, last states).
        for output, value in zip(outputs, result, strict=False):
            frame[output.slot.index] = value if output.finish is None else output.finish(value)
    for index in step.dead:
        frame[index] = None


def _run_watched(step: Step, frame: Frame) -> None:
    start = perf_counter()
    result = step.kernel(frame)
    many = result if isinstance(result, tuple) else (result,)
    for output, value in zip(step.outputs, many, strict=False):
        raw = value.clone() if frame.watch is not None and hasattr(value, "clone") else value
        finished = value if output.finish is None else output.finish(value)
        frame[output.slot.index] = finished
        if frame.watch is not None:
            frame.watch(output.name, output.slot.type.dtype, raw, finished)
    if frame.seconds is not None:
        frame.seconds[step.kind] = frame.seconds.get(step.kind, 0.0) + perf_counter() - start
    for index in step.dead:
        frame[index] = None


class Compiler:
    """Compiles the blocks of one function; afterwards ``slots`` is the size of its frame."""

    def __init__(self, package: Package, opset: int, numerics: Numerics) -> None:
        self.slots = 0
        self.kinds: Counter[str] = Counter()
        self._package, self._opset, self._numerics = package, opset, numerics
        self._ops = ops()

    def function(self, message: Any, block: Any) -> Block:
        """Compile a function.

        Raises:
            DeployError: ``MIL-OPS-UNKNOWN`` naming every op that is missing, ``PACKAGE-BROKEN``.
        """
        self._demand_known(block)
        return self._block(block, message.inputs, {})

    def _demand_known(self, block: Any) -> None:
        missing = Counter(
            operation.type
            for operation in _walk(block)
            if operation.type not in self._ops and operation.type not in FOLDS and operation.type != "const"
        )
        if missing:
            listed = ", ".join(f"{name} ({count})" for name, count in sorted(missing.items()))
            raise DeployError(
                "MIL-OPS-UNKNOWN",
                f"The program uses ops that cannot be run here: {listed}.",
                "Run it on a Mac, or replace them in the model; docs/coreml-runner.md lists the known ones.",
            )

    def _block(self, block: Any, inputs: Sequence[Any], outer: Mapping[str, Reference]) -> Block:
        scope: dict[str, Reference] = dict(outer)
        doors = tuple(self._new(scope, each) for each in inputs)
        compiled = Block(doors)
        own = {slot.index for slot in doors}
        wide = left_wide(block) if self._numerics.mode == "fused16" else frozenset()
        unrounded: set[int] = set()
        uses: list[set[int]] = []
        for operation in block.operations:
            if operation.type == "const" or operation.type in FOLDS:
                self._constants(operation, scope)
                continue
            step, used = self._step(operation, scope, wide, unrounded)
            own |= {output.slot.index for output in step.outputs}
            compiled.steps.append(step)
            uses.append(used)
        compiled.outputs = [self._find(scope, name) for name in block.outputs]
        kept = {each.index for each in compiled.outputs if isinstance(each, Slot)}
        _mark_dead(compiled.steps, uses, own - kept)
        return compiled

    def _step(
        self, operation: Any, scope: dict[str, Reference], wide: frozenset[str], unrounded: set[int]
    ) -> tuple[Step, set[int]]:
        kind = operation.type
        self.kinds[kind] += 1
        registered = self._ops[kind]
        inputs = self._inputs(operation, scope)
        used = {each.index for many in inputs.values() for each in many if isinstance(each, Slot)}
        blocks = []
        for nested in operation.blocks:
            blocks.append(self._block(nested, nested.inputs, scope))
            used |= _named(nested, scope)
        types = [type_of(each.type) for each in operation.outputs]
        name = operation.outputs[0].name if operation.outputs else ""
        node = Node(kind, name, self._opset, inputs, types, blocks, self._numerics.seed + len(scope))
        kernel = registered.build(node)
        exact = registered.exact and not (used & unrounded)
        outputs = tuple(
            Output(each.name, self._new(scope, each), self._finish(each, registered, exact, wide))
            for each in operation.outputs
        )
        for output in outputs:
            if output.name in wide:
                unrounded.add(output.slot.index)
        return Step(kind, kernel, outputs), used

    def _finish(
        self, output: Any, registered: Registered, exact: bool, wide: frozenset[str]
    ) -> Finish | None:
        kind = type_of(output.type)
        if kind.kind != "tensor":
            return None
        if output.name in wide:
            return self._numerics.finish("fp32", exact=False, fresh=False)
        return self._numerics.finish(kind.dtype, exact=exact, fresh=registered.fresh)

    def _inputs(self, operation: Any, scope: Mapping[str, Reference]) -> dict[str, list[Reference]]:
        inputs = {
            name: [
                self._find(scope, binding.name)
                if binding.WhichOneof("binding") == "name"
                else self._package.constant(binding.value)
                for binding in argument.arguments
            ]
            for name, argument in operation.inputs.items()
        }
        for name, value in operation.attributes.items():
            if name not in ("name", "val"):
                inputs.setdefault(name, [self._package.constant(value)])
        return inputs

    def _constants(self, operation: Any, scope: dict[str, Reference]) -> None:
        if operation.type == "const":
            if "val" not in operation.attributes:
                raise broken("a constant has no value")
            scope[operation.outputs[0].name] = self._package.constant(operation.attributes["val"])
            return
        found: dict[str, Constant] = {}
        for name, many in self._inputs(operation, scope).items():
            if many and isinstance(many[0], Constant):
                found[name] = many[0]
        for output, constant in zip(operation.outputs, fold(operation.type, found), strict=True):
            scope[output.name] = constant

    def _new(self, scope: dict[str, Reference], declared: Any) -> Slot:
        slot = Slot(self.slots, type_of(declared.type))
        self.slots += 1
        scope[declared.name] = slot
        return slot

    def _find(self, scope: Mapping[str, Reference], name: str) -> Reference:
        if name not in scope:
            raise broken(f"an op reads {name!r}, which nothing has made")
        return scope[name]


def _walk(block: Any) -> list[Any]:
    found = []
    for operation in block.operations:
        found.append(operation)
        for nested in operation.blocks:
            found += _walk(nested)
    return found


def _named(block: Any, scope: Mapping[str, Reference]) -> set[int]:
    """Slots of the enclosing scope that a nested block names anywhere."""
    names = set(block.outputs)
    for operation in _walk(block):
        names |= {binding.name for argument in operation.inputs.values() for binding in argument.arguments}
        for nested in operation.blocks:
            names |= set(nested.outputs)
    return {found.index for name in names if isinstance(found := scope.get(name), Slot)}


def _mark_dead(steps: list[Step], uses: list[set[int]], may_die: set[int]) -> None:
    """Give every step the slots whose last use it is (its own outputs among them, when nobody reads them)."""
    alive: set[int] = set()
    for step, used in zip(reversed(steps), reversed(uses), strict=True):
        touched = (used | {output.slot.index for output in step.outputs}) & may_die
        step.dead = tuple(sorted(touched - alive))
        alive |= touched
