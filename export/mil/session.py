"""One ``deploy run``: inputs gathered, the program run, its answer described and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported, check_bytes, open_artifact
from deploy.contracts.artifact import MANIFEST
from deploy.errors import DeployError, ExitCode
from export.mil.feed import Sample, golden_samples, typed_sample
from export.mil.program import LABEL, MilProgram
from export.parity import sqnr_db

_MOST_LIMITS = 5


@dataclass(frozen=True)
class RunRequest:
    """What was typed; see ``deploy run --help``."""

    model: Path
    inputs: tuple[str, ...]
    images: tuple[str, ...]
    mode: str
    noise_ulp: float
    function: str | None
    out: Path | None
    compare: Path | None
    profile: bool
    seed: int
    threads: int


@dataclass(frozen=True)
class OutputRow:
    """One output of the last sample; range and mean are of its finite values (``None`` without any)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    least: float | None
    mean: float | None
    most: float | None
    file: str | None
    note: str = ""


@dataclass(frozen=True)
class ComparedRow:
    """One output against what was expected of it; ``max_abs`` is ``None`` when it is not finite."""

    sample: str
    output: str
    sqnr_db: float
    max_abs: float | None


@dataclass(frozen=True)
class ProfileRow:
    """Time of all ops of one type in one run."""

    op: str
    count: int
    seconds: float


@dataclass(frozen=True)
class LimitRow:
    """An fp16 tensor with values that fp16 cannot hold well."""

    name: str
    elements: int
    overflows: int
    denormals: int
    vanished: int


@dataclass(frozen=True)
class Answer:
    """Everything ``deploy run`` says. ``verdict`` is given only for an artifact's golden samples."""

    label: str
    model: str
    mode: str
    noise_ulp: float
    ops: int
    samples: int
    outputs: tuple[OutputRow, ...]
    compared: tuple[ComparedRow, ...] = ()
    profile: tuple[ProfileRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    tolerance_db: float | None = None
    verdict: str | None = None

    @property
    def exit_code(self) -> int:
        """FAIL when a golden sample is missed, else PASS."""
        return int(ExitCode.FAIL if self.verdict == "FAIL" else ExitCode.PASS)

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return asdict(self)


def run(request: RunRequest) -> Answer:
    """Load, run, compare.

    Raises:
        DeployError: a file that is missing or does not fit, ``NOT-EMULATED`` for artifacts of other targets.
    """
    import torch

    torch.set_num_threads(request.threads)
    artifact = _artifact(request.model)
    path = request.model if artifact is None else artifact.model
    program = MilProgram.load(path, request.mode, request.function, request.noise_ulp, request.seed)
    golden = _golden(request, artifact)
    if golden is not None and not (request.inputs or request.images):
        samples = golden_samples(golden)
    else:
        preprocess = artifact.artifact.preprocess if artifact is not None else None
        samples = [typed_sample(program, request.inputs, request.images, request.compare, preprocess)]
    compared: list[ComparedRow] = []
    found: dict[str, Any] = {}
    for sample in samples:
        found = program.predict(sample.inputs)
        compared += _compare(sample, found)
    tolerance = golden.artifact.golden.sqnr_db if golden is not None and compared else None
    judged = tolerance is not None and not request.noise_ulp
    worst = min((row.sqnr_db for row in compared), default=0.0)
    outputs = tuple(_output(name, value, request.out) for name, value in found.items())
    return Answer(
        label=LABEL,
        model=str(path),
        mode=request.mode,
        noise_ulp=request.noise_ulp,
        ops=sum(program.ops.values()),
        samples=len(samples),
        outputs=outputs,
        compared=tuple(compared),
        profile=_profile(program, samples[-1].inputs) if request.profile else (),
        limits=_limits(program, samples[-1].inputs) if request.profile else (),
        tolerance_db=tolerance,
        verdict=("PASS" if worst >= (tolerance or 0.0) else "FAIL") if judged else None,
    )


def _artifact(model: Path) -> Exported | None:
    if not (model / MANIFEST).is_file():
        return None
    exported = open_artifact(model)
    if exported.artifact.target != "coreml":
        raise DeployError(
            "NOT-EMULATED",
            f"{model} was exported for {exported.artifact.target}; only Core ML is run by emulation.",
            "Measure it with: deploy verify",
        )
    check_bytes(exported)
    return exported


def _golden(request: RunRequest, artifact: Exported | None) -> Exported | None:
    """Whose golden samples to run: the folder ``--compare`` names (or its ``golden``), or the model's own."""
    if request.compare is None:
        return artifact
    folder = request.compare.parent if request.compare.name == "golden" else request.compare
    return open_artifact(folder) if folder.is_dir() else None


def _compare(sample: Sample, found: Mapping[str, Any]) -> list[ComparedRow]:
    rows = []
    for name, expected in sample.expected.items():
        if not isinstance(found.get(name), np.ndarray):
            raise DeployError(
                "NOTHING-TO-COMPARE",
                f"The program has no tensor output called {name!r}.",
                f"Its outputs are: {', '.join(found)}.",
            )
        value = found[name]
        largest = None
        if value.shape == expected.shape and value.size:
            largest = _finite(np.abs(value.astype(np.float64) - expected.astype(np.float64)).max())
        rows.append(ComparedRow(sample.name, name, sqnr_db(expected, value), largest))
    return rows


def _output(name: str, value: Any, folder: Path | None) -> OutputRow:
    if isinstance(value, dict):
        best = max(value, key=value.__getitem__)
        return OutputRow(name, "probabilities", (), None, None, None, None, f"best: {best} {value[best]:.4f}")
    if not isinstance(value, np.ndarray):
        return OutputRow(name, "label", (), None, None, None, None, str(value))
    file = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = str(folder / f"{name}.npy")
        np.save(file, value)
    numbers: NDArray[np.float64] = value.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    least, mean, most = (
        (float(numbers.min()), float(numbers.mean()), float(numbers.max())) if numbers.size else (None,) * 3
    )
    return OutputRow(name, str(value.dtype), value.shape, least, mean, most, file)


def _profile(program: MilProgram, feed: Mapping[str, Any]) -> tuple[ProfileRow, ...]:
    return tuple(
        ProfileRow(kind, program.ops[kind], seconds) for kind, seconds in program.timings(feed).items()
    )


def _limits(program: MilProgram, feed: Mapping[str, Any]) -> tuple[LimitRow, ...]:
    """The tensors with most overflows first; those fp16 holds well are left out."""
    rows = [LimitRow(name, **asdict(found)) for name, found in program.fp16_limits(feed).items()]
    bad = [row for row in rows if row.overflows or row.denormals or row.vanished]
    bad.sort(key=lambda row: (-row.overflows, -(row.denormals + row.vanished) / max(row.elements, 1)))
    return tuple(bad[:_MOST_LIMITS])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
