"""What export hands on: one model file with its manifest, proof, parity and golden samples."""

from __future__ import annotations

from typing import ClassVar, Literal

from deploy.contracts.base import Contract, Document
from deploy.contracts.decode import Decode
from deploy.contracts.mix import Mix
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec

MANIFEST = "artifact.json"


class Source(Contract):
    """Where the model came from: what the user typed, and hashes of weights and code."""

    spec: str
    kind: str
    weights_sha256: str
    code_sha256: str | None = None


class WideOp(Contract):
    """An op or layer kept in fp32 inside a narrower file, and why."""

    name: str
    reason: str


class PrecisionProof(Contract):
    """What is really in the file, by dtype: bytes of stored weights, and count of ops by compute dtype."""

    weight_bytes: dict[str, int]
    ops: dict[str, int]
    delegated_ops: int | None = None
    total_ops: int
    partitions: int | None = None
    wide_ops: tuple[WideOp, ...] = ()
    note: str | None = None


class ParityHop(Contract):
    """One step of the staged comparison; blame lands on the first hop that is out of tolerance.

    ``sqnr_db`` is the worst output's signal to quantization-noise ratio in decibels, capped at 200.
    """

    hop: str
    status: Literal["PASS", "FAIL", "UNKNOWN"]
    reason: str | None = None
    sqnr_db: float | None = None
    max_abs: float | None = None
    tolerance_db: float | None = None


class Parity(Contract):
    """Agreement of the file's own runtime with the fp32 torch reference on real samples.

    ``agreement`` is task-level, 0..1 (mask IoU, same top-1, box match), averaged over the samples.
    """

    status: Literal["PASS", "FAIL", "UNKNOWN"]
    reason: str | None = None
    samples: int
    hops: tuple[ParityHop, ...] = ()
    agreement: float | None = None
    agreement_tolerance: float | None = None


class GoldenTensor(Contract):
    """A tensor in the golden folder: a little-endian C-order ``.npy`` file."""

    name: str
    file: str
    sha256: str


class GoldenSample(Contract):
    """One picture with its exact preprocessed input and the fp32 reference's outputs."""

    id: str
    image: str | None
    image_sha256: str | None
    inputs: tuple[GoldenTensor, ...]
    outputs: tuple[GoldenTensor, ...]


class GoldenClip(Contract):
    """A short clip for jitter: consecutive pictures and, where known, their true masks (same file stems)."""

    frames: tuple[str, ...]
    masks: tuple[str, ...] | None
    frames_per_second: float
    sha256: str


class Golden(Contract):
    """Samples every harness can test itself with before it measures anything.

    A harness passes when every output's SQNR against the stored one is at least ``sqnr_db``.
    """

    samples: tuple[GoldenSample, ...]
    clip: GoldenClip | None = None
    sqnr_db: float


class CalibrationTrial(Contract):
    """One way of taking activation ranges, and how far from fp32 it ended on held-out pictures.

    ``divergence`` is task-level and needs no labels (see ``export.calibration.divergence``), the geometric
    mean over the held-out pictures that this way saw; ``None`` where there was nothing to choose.
    """

    method: str
    samples: int
    divergence: float | None


class Calibration(Contract):
    """Where the ranges of a quantized file come from; ``trials`` best first, the first is what was used.

    ``classes_unseen`` are the model's classes that no calibration label shows, ``None`` without labels.
    ``finetuned_steps`` is 0 where training for 8 bits was not asked or did not pay.
    """

    source: str
    samples: int
    hold_out: int
    classes_unseen: tuple[str, ...] | None = None
    finetuned_steps: int = 0
    trials: tuple[CalibrationTrial, ...]


class Artifact(Document):
    """``artifact.json``: everything known about one exported file (or about the fp32 reference itself).

    ``deployment`` holds what the file demands where it runs: opset, minimum OS, delegate.
    ``calibration_samples`` hash the calibration pictures' pixels, so that evaluating on one is noticed.
    ``target`` ``torch`` with role ``reference`` is the captured fp32 program the others are judged by.
    """

    KIND: ClassVar[str] = "artifact"

    document: Literal["artifact"] = "artifact"
    name: str
    role: Literal["export", "reference"] = "export"
    target: str
    precision: str
    task: str
    model_file: str
    model_sha256: str
    model_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess | None
    decode: Decode
    source: Source
    reference_sha256: str
    proof: PrecisionProof
    parity: Parity
    golden: Golden
    calibration_sha256: str | None = None
    calibration_samples: tuple[str, ...] = ()
    calibration: Calibration | None = None
    mix: Mix | None = None
    deployment: dict[str, str]
    toolchain: dict[str, str]
    cache_key: str
    seed: int
    export_ms: int
