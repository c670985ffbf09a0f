"""Build the folder a device receives: plan.json, model, golden samples and frames, by relative path."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.artifacts import Exported
from deploy.contracts.artifact import Artifact
from deploy.contracts.plan import BenchPlan, Clip, Frame, WarmUp
from deploy.errors import DeployError
from deploy.store import sha256_file, sha256_tree
from device_bench.chains import BenchedBundle, plan_chain
from device_bench.clips import ClipFiles

PLAN = "plan.json"
ADAPTIVE = WarmUp()


@dataclass(frozen=True)
class Measure:
    """How long, and with what, a plan measures."""

    duration_ns: int
    threads: int
    seed: int = 0
    max_iterations: int | None = None
    warm_up: WarmUp = ADAPTIVE
    mask_classes: tuple[str, ...] | None = None
    phrase: str | None = None


REFERENCE_WARM_UP = WarmUp(min_iterations=1, min_ns=0, max_ns=1, steady_iterations=1)


def reference_measure(measure: Measure) -> Measure:
    """The shortest timed part: of the reference only the masks are wanted."""
    return Measure(
        1, measure.threads, measure.seed, 1, REFERENCE_WARM_UP, measure.mask_classes, measure.phrase
    )


def write_plan(exported: Exported, clips: list[ClipFiles], measure: Measure, folder: Path) -> BenchPlan:
    """Fill ``folder`` and return the plan written there."""
    artifact = exported.artifact
    check_mask_classes(exported, measure.mask_classes)
    _link_model(exported.folder, artifact, folder)
    chain = None
    if isinstance(exported, BenchedBundle):
        chain, decoder = plan_chain(exported, folder)
        _link_model(exported.folder, decoder, folder)
    plan = BenchPlan(
        plan_id="",
        artifact=artifact.name,
        artifact_sha256=sha256_file(exported.manifest),
        target=artifact.target,
        precision=artifact.precision,
        model_file=artifact.model_file,
        model_sha256=artifact.model_sha256,
        inputs=artifact.inputs,
        outputs=artifact.outputs,
        preprocess=artifact.preprocess,
        decode=artifact.decode,
        golden=artifact.golden.model_copy(update={"clip": None}),
        clips=tuple(_clip(clip, folder) for clip in clips) if artifact.preprocess else (),
        mask_classes=measure.mask_classes if artifact.decode.kind == "yolo" else None,
        warm_up=measure.warm_up,
        duration_ns=measure.duration_ns,
        max_iterations=measure.max_iterations,
        threads=measure.threads,
        seed=measure.seed,
        chain=chain,
    )
    plan = plan.model_copy(update={"plan_id": plan.digest()[:16]})
    plan.save(folder / PLAN)
    return plan


def _link_model(source: Path, artifact: Artifact, folder: Path) -> None:
    """The model file and its golden samples."""
    link(source / artifact.model_file, inside(folder, artifact.model_file))
    for sample in artifact.golden.samples:
        names = [tensor.file for tensor in (*sample.inputs, *sample.outputs)]
        for name in [*names, *([sample.image] if sample.image else [])]:
            link(source / name, inside(folder, name))


def check_mask_classes(exported: Exported, names: tuple[str, ...] | None) -> None:
    """Raise ``UNKNOWN-CLASS`` for a class name this model does not know."""
    decode = exported.artifact.decode
    if names is None or decode.kind != "yolo":
        return
    for name in names:
        if name not in decode.class_names:
            raise DeployError(
                "UNKNOWN-CLASS",
                f"{exported.folder.name} knows no class called {name!r}.",
                f"Choose among: {', '.join(decode.class_names)}.",
            )


def link(source: Path, target: Path) -> None:
    """Hard-link a file (copy where that cannot be done), or every file of a folder; twice does no harm."""
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            link(path, target / path.relative_to(source))
        return
    if not source.is_file():
        raise DeployError(
            "FILE-MISSING", f"{source} is named in a manifest but is not there.", "Export the model again."
        )
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def inside(folder: Path, name: str) -> Path:
    """``folder / name``; a manifest that points out of its folder is refused."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DeployError(
            "PATH-OUTSIDE", f"A manifest names {name!r}, which lies outside its folder.", "Export it again."
        )
    return folder / name


def _clip(clip: ClipFiles, folder: Path) -> Clip:
    frames = []
    for path, mask in zip(clip.frames, clip.masks, strict=True):
        name = f"frames/{clip.sequence}/{path.name}"
        link(path, folder / name)
        truth = None
        if mask is not None:
            truth = f"truth/{clip.sequence}/{mask.name}"
            link(mask, folder / truth)
        frames.append(Frame(file=name, sha256=sha256_tree(path), mask=truth))
    return Clip(sequence=clip.sequence, frames_per_second=clip.frames_per_second, frames=tuple(frames))
