"""Host side of the interleaved A/B: two plan folders, one worker, one comparison folder."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from deploy.artifacts import Exported, check_bytes, open_artifact
from deploy.errors import DeployError, ExitCode
from deploy.store import new_folder, read_json
from deploy.toolchain import versions
from device_bench import preflight
from device_bench.clips import ClipFiles, find_clips
from device_bench.comparison import COMPARISON, Compared, Comparison
from device_bench.harness.machine import device_info
from device_bench.plans import write_plan
from device_bench.session import Request, free_folder
from device_bench.transports.desktop import SPARE_S, DesktopTransport
from device_bench.transports.protocol import Progress
from device_bench.worker import run_worker

WORKER = "device_bench.harness.interleave"


def compare(request: Request, progress: Progress) -> tuple[Comparison, Path]:
    """Run two artifacts call by call in one process and keep the raw pairs.

    Raises:
        DeployError: ``INTERLEAVE-DESKTOP-ONLY``, ``INTERLEAVE-TWO``, whatever is wrong with an artifact, or
            the worker's crash.
    """
    _check(request)
    a, b = (open_artifact(folder) for folder in request.artifacts)
    for exported in (a, b):
        reason = DesktopTransport("").why_not(exported.artifact.target)
        if reason is not None:
            raise DeployError(
                "CANNOT-RUN-HERE",
                f"{exported.folder.name} cannot run here: {reason}.",
                "Compare two that can run here; see: deploy devices",
            )
        check_bytes(exported)
    final = free_folder(request.out / f"{a.folder.name}-vs-{b.folder.name}-desktop", request.force)
    with tempfile.TemporaryDirectory(prefix="deploy-compare-") as scratch:
        clips = find_clips(request.clips, Path(scratch), request.max_frames)
        taints = preflight.taints_before()
        pairs = _pairs(request, a, b, clips, Path(scratch), progress)
    wall, cpu = sum(map(sum, pairs[:2])), sum(map(sum, pairs[2:]))
    if preflight.is_contended(wall, cpu):
        taints.append("CONTENDED")
    result = Comparison(
        a=_side(a),
        b=_side(b),
        device=device_info(),
        taints=tuple(dict.fromkeys(taints)),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=request.measure.threads,
        seed=request.measure.seed,
        a_wall_ns=tuple(pairs[0]),
        b_wall_ns=tuple(pairs[1]),
        a_cpu_ns=tuple(pairs[2]),
        b_cpu_ns=tuple(pairs[3]),
        toolchain=versions("numpy", "onnxruntime", "torch", "executorch", "coremltools"),
    )
    with new_folder(final, replace=request.force) as work:
        result.save(work / COMPARISON)
    return result, final


def _check(request: Request) -> None:
    if request.device != "desktop":
        raise DeployError(
            "INTERLEAVE-DESKTOP-ONLY",
            "Only the desktop can run two artifacts in one process.",
            "Leave --device out.",
            ExitCode.USAGE,
        )
    if len(request.artifacts) != 2:
        raise DeployError(
            "INTERLEAVE-TWO",
            f"--interleave compares exactly two artifacts, and {len(request.artifacts)} were named.",
            "Type: deploy bench A B --interleave",
            ExitCode.USAGE,
        )


def _pairs(
    request: Request, a: Exported, b: Exported, clips: list[ClipFiles], scratch: Path, progress: Progress
) -> list[list[int]]:
    """Wall of A and B, CPU of A and B; nanoseconds."""
    folders = [scratch / "a", scratch / "b"]
    for exported, folder in zip((a, b), folders, strict=True):
        write_plan(exported, clips, request.measure, folder)
    out = scratch / "pairs.json"
    limit = SPARE_S + request.measure.duration_ns / 1e9
    arguments = [*map(str, folders), str(out)]
    ended = run_worker(WORKER, arguments, request.measure.threads, limit, progress)
    if not out.exists():
        raise DeployError(ended.error, ended.summary, "Bench each artifact alone to see which one it is.")
    payload = read_json(out)
    if "error" in payload:
        raise DeployError.from_dict(payload)
    return [payload[key] for key in ("a_wall_ns", "b_wall_ns", "a_cpu_ns", "b_cpu_ns")]


def _side(exported: Exported) -> Compared:
    artifact = exported.artifact
    return Compared(
        name=exported.folder.name,
        target=artifact.target,
        precision=artifact.precision,
        model_sha256=artifact.model_sha256,
    )
