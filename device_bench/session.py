"""The flow of a bench: artifact, plan, device, results; one artifact's trouble stays its own."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy import console
from deploy.artifacts import Exported
from deploy.contracts.run import DeviceRun
from deploy.errors import DeployError
from deploy.store import new_folder
from device_bench.chains import check_benched, open_benched
from device_bench.clips import ClipFiles, find_clips, golden_clip
from device_bench.plans import PLAN, Measure, link, write_plan
from device_bench.preflight import wrong_pairing
from device_bench.reference import ReferenceRuns
from device_bench.transports import open_transport
from device_bench.transports.protocol import Progress, Transport

WORK = "_plan"


@dataclass(frozen=True)
class Request:
    """What the user asked for. ``clips`` empty means the clip that travels with each artifact."""

    artifacts: tuple[Path, ...]
    measure: Measure
    device: str = "desktop"
    clips: tuple[Path, ...] = ()
    reference: Path | None = None
    out: Path = Path("results")
    force: bool = False
    max_frames: int = 150


@dataclass(frozen=True)
class Outcome:
    """What became of one artifact: its results folder and run, or the reason there is none."""

    source: Path
    run: DeviceRun | None = None
    folder: Path | None = None
    problem: DeployError | None = field(default=None, compare=False)


def bench(request: Request, progress: Progress) -> Iterator[Outcome]:
    """Measure the artifacts one after the other, yielding each outcome as it is known.

    Raises:
        DeployError: what concerns all of them: an unknown device, or a clip folder without frames.
    """
    transport = open_transport(request.device)
    with tempfile.TemporaryDirectory(prefix="deploy-bench-") as scratch:
        clips = find_clips(request.clips, Path(scratch), request.max_frames)
        references = ReferenceRuns(Path(scratch) / "references", request.reference, request.measure)
        for folder in request.artifacts:
            try:
                exported = open_benched(folder, request.measure.phrase)
                told = _named(folder.name, progress)
                run, place = _one(request, exported, clips, transport, references, told)
                yield Outcome(folder, run, place)
            except DeployError as error:
                yield Outcome(folder, problem=error)


def _one(
    request: Request,
    exported: Exported,
    clips: list[ClipFiles],
    transport: Transport,
    references: ReferenceRuns,
    progress: Progress,
) -> tuple[DeviceRun, Path]:
    """One artifact, from its folder to its results folder."""
    reason = transport.why_not(exported.artifact.target)
    if reason is not None:
        raise DeployError(
            "CANNOT-RUN-HERE",
            f"{exported.folder.name} cannot run on {request.device}: {reason}.",
            "Bench it on a device that can; list them with: deploy devices",
        )
    check_benched(exported)
    warning = wrong_pairing(exported.artifact.deployment, platform.machine())
    if warning is not None and request.device == "desktop":
        console.note(f"{exported.folder.name}: {warning}")
    frames = clips or golden_clip(exported, request.max_frames)
    final = results_folder(request, exported, transport)
    with new_folder(final, replace=request.force) as work:
        write_plan(exported, frames, request.measure, work / WORK)
        run = transport.run(work / WORK, work, progress)
        _keep(work, exported)
        if run.status == "completed":
            references.put(exported, frames, work / "reference", progress)
    return run, final


def _named(name: str, progress: Progress) -> Progress:
    """Put the artifact's name before every stage."""
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)


def results_folder(request: Request, exported: Exported, transport: Transport) -> Path:
    """``<artifact>-<device>`` below --out."""
    name = f"{exported.folder.resolve().name}-{transport.slug}"
    return free_folder(request.out / name, request.force)


def free_folder(base: Path, force: bool) -> Path:
    """``base`` itself, or with a number when it is taken and may not be replaced."""
    number, place = 1, base
    while place.exists() and not force:
        number += 1
        place = base.with_name(f"{base.name}-{number}")
    return place


def _keep(work: Path, exported: Exported) -> None:
    """Keep the plan, its frames and true masks; drop the model, whose hash is in the plan."""
    for name in (PLAN, "frames", "truth"):
        if (work / WORK / name).exists():
            shutil.move(work / WORK / name, work / name)
    shutil.rmtree(work / WORK)
    link(exported.manifest, work / exported.manifest.name)
