"""An accuracy.json for the hand-made artifacts: one PASS, one CANNOT-TELL, one UNKNOWN."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow, DropInterval, EvaluationData, Slice
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.verdict import Outcome, Verdict


def save_accuracy(artifacts: Path, path: Path) -> Path:
    """Write the report and return its path."""
    rows = (
        _row(artifacts / "exact", 0.0005, -0.0004, 0.0015, "PASS"),
        _row(artifacts / "shifted", 0.014, 0.009, 0.02, "CANNOT-TELL"),
        AccuracyRow(
            name="coreml-fp16",
            target="coreml",
            precision="fp16",
            model_sha256="1" * 64,
            model_bytes=2_345_678,
            status="UNKNOWN",
            reason="Core ML predicts only on a Mac",
            verdict=Verdict(outcome="UNKNOWN", reason="not measured here", metric="mIoU", budget=0.01),
        ),
    )
    AccuracyReport(
        task="binary_masks",
        reference="reference",
        reference_sha256="0" * 64,
        data=EvaluationData(path="clips", layout="clips", samples=64, labelled=True, sha256="0" * 64),
        primary_metric="mIoU",
        rows=rows,
        replicates=1000,
        seed=0,
        threads=2,
        toolchain={},
    ).save(path)
    return path


def _row(folder: Path, drop: float, low: float, high: float, outcome: Outcome) -> AccuracyRow:
    artifact = Artifact.load(folder / MANIFEST)
    figures = DropInterval(
        metric="mIoU", reference=0.913, value=0.913 - drop, drop=drop, low=low, high=high, samples=64
    )
    return AccuracyRow(
        name=artifact.name,
        target=artifact.target,
        precision=artifact.precision,
        model_sha256=artifact.model_sha256,
        model_bytes=artifact.model_bytes,
        status="MEASURED",
        figures=(figures,),
        agreement=0.98,
        slices=(Slice(axis="size", name="small <1 %>", figures=figures),),
        verdict=Verdict(
            outcome=outcome,
            reason="measured",
            metric="mIoU",
            budget=0.01,
            drop=drop,
            low=low,
            high=high,
            samples=64,
            samples_needed=410 if outcome == "CANNOT-TELL" else None,
        ),
    )
