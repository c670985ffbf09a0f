"""What the flow hands to a converter process, and what comes back: two small JSON files."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from deploy.contracts.artifact import CalibrationTrial, Parity, PrecisionProof, WideOp
from deploy.contracts.base import Contract, Document
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec


class CalibrationInput(Contract):
    """Calibration pictures as the model takes them, in one ``.npy`` file: float32 (samples + hold_out, ...).

    ``methods`` and ``counts`` are the ways of taking ranges to try; the hold-out decides between them.
    """

    file: str
    samples: int
    hold_out: int
    methods: tuple[str, ...]
    counts: tuple[int, ...]


class MixInput(Contract):
    """For ``auto``: the names of all layers of the captured program, and those that stay wide."""

    layers: tuple[str, ...]
    wide: tuple[WideOp, ...]


class Job(Document):
    """``job.json``: the captured program, the real samples with their reference outputs, and the wishes.

    ``samples`` is an ``.npz`` with arrays ``in.I.NAME`` and ``out.I.NAME`` for sample I; ``geometry`` are
    its pictures' placements in the same order (``None`` where the inputs are no pictures). ``starts``
    are the programs that calibrated precisions start from: as ``program``, readied for 8 bits.
    """

    KIND: ClassVar[str] = "job"

    document: Literal["job"] = "job"
    program: str
    samples: str
    sample_count: int
    geometry: str | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess | None
    decode: Decode
    precisions: dict[str, tuple[str, ...]]
    coreml_input: Literal["tensor", "image"]
    coreml_target: str
    executorch_backend: Literal["xnnpack", "coreml"]
    onnx_pairing: Literal["x86", "arm"]
    calibration: CalibrationInput | None
    mix: MixInput | None
    starts: dict[str, str]
    threads: int
    seed: int


class Row(Contract):
    """What became of one target at one precision.

    ``folder`` holds the converted model (relative to the job's folder) when ``status`` is ``built``.
    """

    target: str
    precision: str
    status: Literal["built", "refused", "crashed"]
    error_id: str | None = None
    reason: str | None = None
    remedy: str | None = None
    folder: str | None = None
    model_file: str | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    preprocess: Preprocess | None = None
    deployment: dict[str, str] = Field(default_factory=dict)
    proof: PrecisionProof | None = None
    parity: Parity | None = None
    trials: tuple[CalibrationTrial, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
