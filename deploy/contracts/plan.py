"""What a device receives: the model, the frames, and how long to run; nothing is parsed from a name."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from deploy.contracts.artifact import Golden
from deploy.contracts.base import Contract, Document
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.promptable import PromptThresholds
from deploy.contracts.tensor import TensorSpec


class WarmUp(Contract):
    """Warm-up ends when a fast and a slow moving average of latency agree (AndroidX Benchmark's rule).

    Fast EMA alpha 0.1, slow 0.005; steady when their ratio stays within ``band`` for ``steady_iterations``
    iterations, after at least ``min_iterations`` and ``min_ns``; given up at ``max_ns``.
    """

    min_iterations: int = 30
    min_ns: int = 250_000_000
    max_ns: int = 8_000_000_000
    steady_iterations: int = 40
    band: float = 0.04


class Frame(Contract):
    """One picture of the clip: its file, and the file of its true mask where there is one."""

    file: str
    sha256: str
    mask: str | None = None


class Clip(Contract):
    """Consecutive frames. ``sequence`` names it in tables."""

    sequence: str
    frames_per_second: float = Field(gt=0)
    frames: tuple[Frame, ...] = Field(min_length=1)


class ChainPlan(Contract):
    """A promptable chain: the plan's own model is the image encoder, and this is what comes behind it.

    Every frame is encoded once and asked for ``phrase``, whose embedding lies in ``text_file`` (``.npy``,
    float32 1 x D). ``points``: points that the decoder takes, all absent here. ``identity``: the bundle's.
    """

    identity: str
    model_file: str
    model_sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    golden: Golden
    phrase: str
    text_file: str
    text_sha256: str
    points: int = Field(gt=0)
    thresholds: PromptThresholds


class BenchPlan(Document):
    """``plan.json``: paths are relative to the plan's own folder.

    Timed samples run for ``duration_ns`` or ``max_iterations``, whichever ends first. After the timed part
    every clip is run once, frame by frame, and the decoded masks are written as 8-bit PNG (0 or 255).
    ``chain`` is there for a promptable bundle alone.
    """

    KIND: ClassVar[str] = "plan"

    document: Literal["plan"] = "plan"
    plan_id: str
    artifact: str
    artifact_sha256: str
    target: str
    precision: str
    model_file: str
    model_sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess | None
    decode: Decode
    golden: Golden
    clips: tuple[Clip, ...] = ()
    mask_classes: tuple[str, ...] | None = None
    warm_up: WarmUp = WarmUp()
    duration_ns: int = Field(gt=0)
    max_iterations: int | None = None
    threads: int = Field(gt=0)
    seed: int
    chain: ChainPlan | None = None
