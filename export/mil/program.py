"""The public face of the runner: load an ML Program, run it, watch it.

What it computes is EMULATED: Core ML's ops by their documentation, in fp32 with fp16 rounding where the
program says so. Devices accumulate otherwise; ``docs/coreml-runner.md`` says how far off they may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.errors import DeployError
from export.mil.compile import Compiler
from export.mil.features import Feature, color_of, enter, leave_picture, read_features
from export.mil.frame import Frame, Watch
from export.mil.numerics import Fp16Limits, Numerics, count_limits
from export.mil.ops.states import Cell
from export.mil.package import FunctionSpec, Package, open_package, pick_function, wrap_spec

LABEL = "EMULATED-COREML"
"""What every figure made with this runner is marked with."""


class State:
    """The states of a program between predictions; ``MilProgram.make_state`` makes one, all zeros."""

    def __init__(self, cells: dict[str, Cell]) -> None:
        self._cells = cells

    def cell(self, name: str) -> Cell:
        """The place of one state (programs read and write it)."""
        return self._cells[name]

    def names(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(self._cells)

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """A copy of a state's present value, as float32."""
        return self._cells[name].value.numpy().copy()

    def write(self, name: str, value: np.ndarray[Any, Any]) -> None:
        """Replace a state's value; the shape must stay.

        Raises:
            DeployError: ``MIL-INPUT`` when the shape differs.
        """
        cell = self._cells[name]
        if tuple(value.shape) != tuple(cell.value.shape):
            raise DeployError(
                "MIL-INPUT",
                f"The state {name!r} has the shape {list(value.shape)}.",
                f"Write an array of shape {list(cell.value.shape)}.",
            )
        cell.value = torch.from_numpy(np.array(value, np.float32))


class MilProgram:
    """One function of an ML Program, compiled. Not for use by several threads at once.

    Attributes:
        function: name of the function.
        mode: numerics mode, see ``export.mil.numerics``.
        inputs: what ``predict`` takes, states included (kind ``state``).
        outputs: names of what it returns.
        ops: how often each op type occurs, constants left out, nested blocks included.
    """

    def __init__(
        self, package: Package, function: FunctionSpec, mode: str, noise_ulp: float, seed: int
    ) -> None:
        numerics = Numerics(mode, noise_ulp, seed)
        compiler = Compiler(package, function.opset, numerics)
        self._block = compiler.function(function.message, function.block)
        self._size = compiler.slots
        self._numerics = numerics
        self._colors = {name: color_of(each) for name, each in function.outputs.items()}
        self.function, self.mode = function.name, mode
        self.inputs: tuple[Feature, ...] = read_features(function)
        self.outputs: tuple[str, ...] = tuple(function.block.outputs)
        self.ops: Counter[str] = compiler.kinds

    @classmethod
    def load(
        cls,
        path: Path,
        mode: str = "storage16",
        function: str | None = None,
        noise_ulp: float = 0.0,
        seed: int = 0,
    ) -> MilProgram:
        """Open an ``.mlpackage`` and compile one of its functions (the default one).

        Args:
            path: the package, or a bare ``.mlmodel``.
            mode: ``storage16``, ``exact32`` or ``fused16``.
            function: name of a function of a multifunction package.
            noise_ulp: every fp16 result moves by up to so many fp16 steps at random.
            seed: of the noise, and of random ops without a seed.

        Raises:
            DeployError: the package is missing, damaged, no ML Program, or uses ops that are not known.
        """
        package = open_package(Path(path))
        return cls(package, pick_function(package, function), mode, noise_ulp, seed)

    @classmethod
    def from_spec(
        cls,
        spec: Any,
        weights_folder: Path | None,
        mode: str = "storage16",
        function: str | None = None,
        noise_ulp: float = 0.0,
        seed: int = 0,
    ) -> MilProgram:
        """Like ``load``, for a protobuf in memory.

        Args:
            spec: ``MLModel.get_spec()``.
            weights_folder: ``MLModel.weights_dir``, or the folder around it; ``None`` without large weights.
            mode: see ``load``; so are ``function``, ``noise_ulp`` and ``seed``.
        """
        folder = None if weights_folder is None else Path(weights_folder)
        if folder is not None and folder.name == "weights":
            folder = folder.parent
        package = wrap_spec(spec, folder)
        return cls(package, pick_function(package, function), mode, noise_ulp, seed)

    def make_state(self) -> State:
        """Fresh states, all zeros; pass the same one to consecutive ``predict`` calls."""
        return State(
            {each.name: Cell(torch.zeros(each.shape)) for each in self.inputs if each.kind == "state"}
        )

    def predict(self, feed: Mapping[str, Any], state: State | None = None) -> dict[str, Any]:
        """Run the program.

        Args:
            feed: arrays by input name; pictures as ``export.mil.features.enter`` says.
            state: of a program with states; without one, all states start from zero.

        Returns:
            Arrays by output name: float32 for fp16 and fp32, int32 for integers, bool. A classifier's label
            is a string or an integer, its probabilities a dictionary.

        Raises:
            DeployError: ``MIL-INPUT`` for a missing, unknown or misshapen input, ``MIL-OP-FAILED``.
        """
        return self._run(Frame(self._size), feed, state)

    def observe(
        self,
        feed: Mapping[str, Any],
        watch: Callable[[str, torch.Tensor], None],
        state: State | None = None,
    ) -> dict[str, Any]:
        """``predict`` that shows ``watch`` every input and every op's (rounded) output by MIL name.

        The tensors are the program's own: copy what is kept, change nothing.
        """

        def seen(name: str, dtype: str, raw: Any, finished: Any) -> None:
            if isinstance(finished, torch.Tensor):
                watch(name, finished)

        return self._run(self._watched(seen), feed, state)

    def fp16_limits(self, feed: Mapping[str, Any], state: State | None = None) -> dict[str, Fp16Limits]:
        """For every value declared fp16, how many of its elements overflow fp16 or lose digits as denormals.

        Counted before rounding, in any mode (under ``exact32``: what fp16 would meet at its first error).
        """
        found: dict[str, Fp16Limits] = {}

        def seen(name: str, dtype: str, raw: Any, finished: Any) -> None:
            if dtype == "fp16" and isinstance(raw, torch.Tensor):
                found[name] = count_limits(raw.to(torch.float32))

        self._run(self._watched(seen), feed, state)
        return found

    def timings(self, feed: Mapping[str, Any], state: State | None = None) -> dict[str, float]:
        """Seconds by op type of one run, largest first; a loop's time contains that of its body."""
        frame = Frame(self._size)
        frame.seconds = {}
        self._run(frame, feed, state)
        return dict(sorted(frame.seconds.items(), key=lambda pair: -pair[1]))

    def _watched(self, watch: Watch) -> Frame:
        frame = Frame(self._size)
        frame.watch = watch
        return frame

    def _run(self, frame: Frame, feed: Mapping[str, Any], state: State | None) -> dict[str, Any]:
        self._demand(feed)
        states = state or self.make_state()
        with torch.inference_mode():
            for feature, slot in zip(self.inputs, self._block.inputs, strict=True):
                frame[slot.index] = self._enter(frame, feature, feed, states)
            values = self._block.run(frame)
        return {name: self._leave(name, value) for name, value in zip(self.outputs, values, strict=True)}

    def _enter(self, frame: Frame, feature: Feature, feed: Mapping[str, Any], states: State) -> Any:
        if feature.kind == "state":
            return states.cell(feature.name)
        given = feed.get(feature.name)
        if given is None:
            given = np.full(feature.shape, feature.default)
        raw = enter(feature, given)
        value = self._numerics.arrive(feature.dtype, raw)
        if frame.watch is not None:
            frame.watch(feature.name, feature.dtype, raw, value)
        return value

    def _demand(self, feed: Mapping[str, Any]) -> None:
        known = {each.name: each for each in self.inputs if each.kind != "state"}
        missing = [name for name, each in known.items() if name not in feed and each.default is None]
        strange = [name for name in feed if name not in known]
        if missing or strange:
            what = f"lacks {missing}" if missing else f"has no input called {strange[0]!r}"
            raise DeployError(
                "MIL-INPUT",
                f"What was fed {what}." if missing else f"The program {what}.",
                f"Feed exactly: {', '.join(known) or 'nothing'}.",
            )

    def _leave(self, name: str, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        color = self._colors.get(name)
        if color is not None:
            value = leave_picture(color, value)
        if value.dtype == torch.int64:
            value = value.to(torch.int32)
        # A copy, because the value may be a weight, a state, or share an input's memory.
        return value.contiguous().numpy().copy()
