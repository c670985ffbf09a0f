"""Score one results folder from what lies in it."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import DeviceRun
from deploy.errors import DeployError
from deploy.store import sha256_file
from device_bench.plans import PLAN
from device_bench.samples import read_samples
from device_bench.score.clips import score_clip
from device_bench.score.latency import score_latency
from device_bench.score.model import ClipScore, LatencyScore, RunScore

RUN = "run.json"


def score_run(folder: Path, seed: int) -> RunScore:
    """Read a folder that bench wrote.

    Raises:
        DeployError: a document, the samples or the masks cannot be read; ``RUN-OF-ANOTHER-PLAN``.
    """
    run = DeviceRun.load(folder / RUN)
    plan = BenchPlan.load(folder / PLAN)
    if run.plan_sha256 != sha256_file(folder / PLAN):
        raise DeployError(
            "RUN-OF-ANOTHER-PLAN",
            f"{folder / RUN} does not belong to the plan beside it.",
            "One of the two was edited; bench again.",
        )
    latency, taints = _latency(folder, run, seed)
    clips, reason = _clips(folder, plan, run, seed)
    return RunScore(
        folder=folder,
        plan=plan,
        run=run,
        artifact=Artifact.load(folder / MANIFEST) if (folder / MANIFEST).exists() else None,
        taints=tuple(sorted({*run.taints, *taints})),
        latency=latency,
        clips=clips,
        clips_reason=reason,
    )


def _latency(folder: Path, run: DeviceRun, seed: int) -> tuple[LatencyScore | None, list[str]]:
    """Figures of the samples that are there; ``CUT`` and ``ALTERED`` when they are not those of the run."""
    path = folder / run.samples_file
    if not path.exists():
        return None, ["CUT"] if run.samples_count else []
    samples = read_samples(path)
    taints = []
    if run.status == "failed":
        taints.append("FAILED")
    if samples.truncated or len(samples) < run.samples_count:
        taints.append("CUT")
    elif sha256_file(path) != run.samples_sha256:
        taints.append("ALTERED")
    return (score_latency(samples, seed) if len(samples) else None), taints


def _clips(
    folder: Path, plan: BenchPlan, run: DeviceRun, seed: int
) -> tuple[tuple[ClipScore, ...], str | None]:
    """Scores of the clips that were run, or why there are none."""
    if run.status == "failed" and not run.clips:
        return (), "the run failed before its clips"
    if not plan.clips:
        return (), "no clip was run (add --clip DIR)"
    if not run.clips:
        return (), f"a model decoded as {plan.decode.kind} gives no masks here"
    by_name = {clip.sequence: clip for clip in plan.clips}
    return tuple(
        score_clip(folder, by_name[result.sequence], result, seed)
        for result in run.clips
        if result.sequence in by_name
    ), None
