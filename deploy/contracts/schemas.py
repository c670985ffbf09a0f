"""The JSON Schemas of every document, generated from the contracts for docs, Swift and Kotlin."""

from __future__ import annotations

from typing import Any

from deploy.contracts.accuracy import AccuracyReport
from deploy.contracts.artifact import Artifact
from deploy.contracts.base import Contract
from deploy.contracts.bundle import Bundle
from deploy.contracts.checkpoint import Checkpoint
from deploy.contracts.plan import BenchPlan
from deploy.contracts.promptable import LookedAt, PromptableReport
from deploy.contracts.run import DeviceRun, Sample
from deploy.contracts.tiled_report import TiledReport

DOCUMENTS: dict[str, type[Contract]] = {
    "checkpoint": Checkpoint,
    "artifact": Artifact,
    "bundle": Bundle,
    "accuracy": AccuracyReport,
    "promptable": PromptableReport,
    "looked_at": LookedAt,
    "tiled": TiledReport,
    "plan": BenchPlan,
    "run": DeviceRun,
    "sample": Sample,
}


def json_schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the document called ``name``."""
    return DOCUMENTS[name].model_json_schema(mode="serialization")
