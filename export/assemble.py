"""Put a converted model, its manifest and its golden samples into one artifact folder, all or nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.contracts.artifact import MANIFEST, Artifact, Golden, Parity, PrecisionProof, Source
from deploy.store import new_folder, sha256_file, sha256_tree, size_of
from deploy.toolchain import versions
from export.cache import REFERENCE
from export.calibration.input import as_contract, tuning_pictures
from export.calibration.pictures import CalibrationPictures
from export.capture import Captured, save_program
from export.golden import write_golden
from export.job import Row
from export.parity import TOLERANCE_DB
from export.planning import AUTO, Plan
from export.request import ExportRequest
from export.samples import Picture
from export.sources.protocol import LoadedModel
from export.targets import TARGETS
from training.data.clips import Clip

PROGRAM = "program.pt2"


@dataclass(frozen=True)
class Export:
    """Everything that all artifacts of one call share."""

    request: ExportRequest
    name: str
    source: Source
    model: LoadedModel
    captured: Captured
    pictures: list[Picture]
    clip: Clip | None
    calibration: CalibrationPictures | None
    work: Path

    @property
    def program_sha256(self) -> str:
        """Hash of the captured reference program, which every artifact of this call is judged by."""
        return sha256_file(self.work / PROGRAM)


def artifact_folder(out: Path, name: str, target: str, precision: str) -> Path:
    """Where an artifact goes; the name is for people, the facts are in its manifest."""
    return out / (f"{name}-reference" if target == REFERENCE else f"{name}-{target}-{precision}")


def assemble(export: Export, row: Row, key: str, plan: Plan | None = None) -> Path:
    """Write the artifact of a built row and return its folder.

    Args:
        plan: the automatic mix and the training that the row's file was made with.
    """
    assert row.folder and row.model_file
    final = artifact_folder(export.request.out, export.name, row.target, row.precision)
    tools = ("torch",) if row.target == REFERENCE else TARGETS.open(row.target).TOOLS
    with new_folder(final, replace=True) as folder:
        model = export.work / row.folder / row.model_file
        copy = shutil.copytree if model.is_dir() else shutil.copyfile
        copy(model, folder / row.model_file)
        golden = write_golden(
            folder,
            export.pictures,
            export.captured.references,
            row.preprocess,
            export.clip,
            TOLERANCE_DB[row.precision],
        )
        _manifest(export, row, key, golden, versions(*tools), folder, plan).save(folder / MANIFEST)
    return final


def reference_row(export: Export, seconds: float) -> Row:
    """The captured fp32 program as a row like any other: the artifact that the others are judged by."""
    hop = export.captured.hop
    return Row(
        target=REFERENCE,
        precision="fp32",
        status="built",
        folder=".",
        model_file=PROGRAM,
        inputs=export.model.inputs,
        outputs=export.captured.outputs,
        preprocess=export.model.preprocess,
        proof=_program_proof(export.captured),
        parity=Parity(status=hop.status, reason=hop.reason, samples=len(export.pictures), hops=(hop,)),
        seconds=seconds,
    )


def write_program(captured: Captured, work: Path) -> None:
    """Save the captured program into the working folder."""
    save_program(captured.program, work / PROGRAM)


def _program_proof(captured: Captured) -> PrecisionProof:
    weights: dict[str, int] = {}
    for tensor in captured.program.state_dict.values():
        name = str(tensor.dtype).removeprefix("torch.")
        weights[name] = weights.get(name, 0) + tensor.numel() * tensor.element_size()
    calls = sum(node.op == "call_function" for node in captured.program.graph.nodes)
    return PrecisionProof(weight_bytes=weights, ops={"float32": calls}, total_ops=calls)


def _calibration(export: Export, row: Row, plan: Plan | None) -> dict[str, Any]:
    """The manifest's facts of the calibration, for a file that was calibrated.

    Pictures that a mix was searched on shaped the file as well, so that nobody may be judged on them.
    """
    pictures = export.calibration
    if pictures is None or plan is None or not row.trials:
        return {}
    mix = plan.mix if row.precision == AUTO else None
    tuning = tuning_pictures(export.request, export.model.decode) if mix else None
    return {
        "calibration_sha256": pictures.sha256,
        "calibration_samples": (*pictures.digests, *(tuning.digests if tuning else ())),
        "calibration": plan.described(as_contract(pictures, row.trials)),
        "mix": mix,
    }


def _manifest(
    export: Export,
    row: Row,
    key: str,
    golden: Golden,
    tools: dict[str, str],
    folder: Path,
    plan: Plan | None,
) -> Artifact:
    assert row.model_file and row.proof and row.parity
    model = folder / row.model_file
    return Artifact(
        name=export.name,
        role="reference" if row.target == REFERENCE else "export",
        target=row.target,
        precision=row.precision,
        task=export.model.task,
        model_file=row.model_file,
        model_sha256=sha256_tree(model),
        model_bytes=size_of(model),
        inputs=row.inputs,
        outputs=row.outputs,
        preprocess=row.preprocess,
        decode=export.model.decode,
        source=export.source,
        reference_sha256=export.program_sha256,
        proof=row.proof,
        parity=row.parity,
        golden=golden,
        **_calibration(export, row, plan),
        deployment=row.deployment,
        toolchain=tools,
        cache_key=key,
        seed=export.request.seed,
        export_ms=round(row.seconds * 1000),
    )
