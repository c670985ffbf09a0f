"""What a read result looks like: a run with its figures, a comparison, or a folder that is broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.accuracy import AccuracyReport
from deploy.contracts.artifact import Artifact
from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import DeviceRun
from deploy.metrics.steadiness import Yardstick
from device_bench.comparison import Comparison
from device_bench.figures import Figure

Track = NDArray[np.float64]


@dataclass(frozen=True)
class LatencyScore:
    """Figures of the timed samples, in milliseconds, and the samples themselves.

    ``p50``, ``p90``, ``p99`` are of the inference alone; ``frame`` is the median of preprocess, inference and
    decode together; ``fps`` is frames per second of that whole. ``infer_ms`` and ``t_s``: float64 (N,).
    ``stages``: medians of a chain's parts of the inference, in their order.
    """

    samples: int
    p50: Figure
    p90: Figure
    p99: Figure
    pre: Figure
    post: Figure
    frame: Figure
    fps: Figure
    wall_over_cpu: Figure
    infer_ms: Track
    t_s: Track
    stages: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class MaskScore:
    """One set of masks on one clip, quality first.

    ``steady_jf`` ranks: J&F times the share of boundary that flips no more than the yardstick's. ``j``, ``f``
    and ``jf`` are against the truth only. ``flips`` 0..1; ``acceleration`` px at 1080p; ``lag`` frames.
    """

    steady_jf: Figure
    jf: Figure
    j: Figure
    f: Figure
    flips: Figure
    acceleration: Figure
    lag: Figure


@dataclass(frozen=True)
class ClipScore:
    """Masks of one clip: the artifact's, the fp32 reference's and the true ones.

    ``against``: what ``steady_jf`` goes by, the truth, or the reference where there is none. ``j_reference``
    is the artifact's likeness to the reference, ``excess`` figures are artifact minus reference.
    ``flip_tracks``: the flip rate of every pair of frames, float64 (T - 1,).
    """

    sequence: str
    frames: int
    against: Yardstick
    artifact: MaskScore
    reference: MaskScore
    truth: MaskScore
    j_reference: Figure
    excess: Figure
    excess_acceleration: Figure
    flip_tracks: dict[str, Track] = field(repr=False)


@dataclass(frozen=True)
class RunScore:
    """One results folder, scored. A figure that could not be had carries its reason."""

    folder: Path
    plan: BenchPlan
    run: DeviceRun
    artifact: Artifact | None
    taints: tuple[str, ...]
    latency: LatencyScore | None
    clips: tuple[ClipScore, ...]
    clips_reason: str | None
    shown_as: str | None = None

    @property
    def name(self) -> str:
        """The folder's name, for people; ``shown_as`` where a report shortens it."""
        return self.shown_as or self.folder.name

    def mask_files(self, sequence: str) -> tuple[str, ...]:
        """Masks of a clip in frame order, relative to the folder (and to its reference folder)."""
        found = (clip.mask_files for clip in self.run.clips if clip.sequence == sequence)
        return next(found, ())

    @property
    def title(self) -> str:
        """The name with its taints in front: the only form in which a run is printed."""
        return " ".join([*self.taints, self.name])


@dataclass(frozen=True)
class ComparisonScore:
    """An interleaved A/B, scored: ``ratio`` is the median over pairs of B's time over A's.

    ``basis`` is the clock that ``ratio``, ``ratios``, ``a_ms`` and ``b_ms`` go by.
    """

    folder: Path
    comparison: Comparison
    basis: str
    ratio: Figure
    wall_ratio: Figure
    cpu_ratio: Figure
    a_ms: Figure
    b_ms: Figure
    ratios: Track = field(repr=False)

    @property
    def title(self) -> str:
        """The name with its taints in front."""
        return " ".join([*self.comparison.taints, self.folder.name])


@dataclass(frozen=True)
class Broken:
    """A folder or file that could not be read; a row, not a traceback."""

    path: Path
    error: str
    summary: str


@dataclass(frozen=True)
class Report:
    """Everything that was found, in the order it was named."""

    runs: tuple[RunScore, ...] = ()
    comparisons: tuple[ComparisonScore, ...] = ()
    accuracy: tuple[tuple[Path, AccuracyReport], ...] = ()
    broken: tuple[Broken, ...] = ()
