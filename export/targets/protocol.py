"""The socket of a target: one captured fp32 program in, one model file at a precision out, and its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import CalibrationTrial, PrecisionProof, WideOp
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from export.calibration.calibrator import Calibrator
    from export.job import Job

Tensors = Mapping[str, NDArray[np.generic]]
Runner = Callable[[Tensors], dict[str, NDArray[np.generic]]]


@dataclass(frozen=True)
class Stage:
    """A step on the way to the file that can be run on its own, so that blame lands on one hop.

    ``precision`` is whose tolerance it is held to; empty means the file's own.
    """

    name: str
    run: Runner
    precision: str = ""


@dataclass(frozen=True)
class Converted:
    """A model file in the folder that ``convert`` was given.

    ``trials``: the ways of calibrating that were tried, best first; empty where nothing was calibrated.
    """

    model_file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess | None
    deployment: dict[str, str]
    wide_ops: tuple[WideOp, ...] = ()
    stages: tuple[Stage, ...] = ()
    trials: tuple[CalibrationTrial, ...] = ()


class Target(Protocol):
    """One file format. Lives in a process of its own; heavy imports happen in ``warm_up``.

    ``INT8`` is the precision that ``int8`` means here.
    """

    PRECISIONS: ClassVar[tuple[str, ...]]
    INT8: ClassVar[str]
    TOOLS: ClassVar[tuple[str, ...]]

    @staticmethod
    def warm_up() -> None:
        """Import the converter, while the flow is still capturing the program."""
        ...

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None: ...

    def convert(self, precision: str, folder: Path) -> Converted:
        """Write the model into ``folder``; any exception becomes a row with its reason."""
        ...

    def prove(self, model: Path) -> PrecisionProof:
        """Open the written file and count what is in it."""
        ...
