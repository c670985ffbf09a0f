"""Every box an artifact finds in every picture, above the floor, kept by content: never inferred twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy import console
from deploy.artifacts import Exported, open_artifact
from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError
from deploy.jobs.folder import read_rows, run_job
from deploy.jobs.protocol import Item, Work
from deploy.tiled.detector import TiledDetector
from deploy.tiled.raw import RawDetections
from deploy.toolchain import versions
from export.cache import cache_root
from export.evaluation.data import DataSource
from export.runners import runner_for
from export.sources.code import code_digest
from training.data.samples import EvaluationSet


@dataclass(frozen=True)
class Gathering:
    """Which artifact looks at which pictures, how they are cut, and who carries it out."""

    exported: Exported
    data: DataSource
    tiling: Tiling
    floor: float
    engine: str
    workers: int


def gather(gathering: Gathering, samples: EvaluationSet) -> list[RawDetections]:
    """Boxes of tiles and of the whole picture, for every sample in order.

    The folder of results is named by model, tiles, floor and code, and its parts by the pictures' hashes: an
    evaluation with another merge, gate or confidence reads them instead of running the model.

    Raises:
        DeployError: that of the first picture that the detector could not look at; what the job raises.
    """
    work = _work(gathering)
    source = {"folder": str(gathering.exported.folder.resolve()), "data": gathering.data}
    items = [Item(digest, {**source, "index": index}) for index, digest in enumerate(samples.digests)]
    folder = cache_root().parent / "tiled" / work.identity
    with console.progress(f"{gathering.exported.artifact.name}: tiles", len(items)) as bar:

        def told(finished: int, found: int) -> None:
            del found
            bar.advance(finished)

        rows = run_job(
            work, items, folder, told, engine=gathering.engine, workers=gathering.workers, shard_size=4
        )
    return [_raw(row) for row in read_rows(rows)]


def open_eye(settings: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function of one process: a payload (folder, data, index) to the boxes of that sample."""
    tiling = Tiling.model_validate(settings["tiling"])
    opened: dict[str, tuple[TiledDetector, EvaluationSet]] = {}

    def look(payload: dict[str, Any]) -> dict[str, Any]:
        if not opened:
            exported = open_artifact(Path(payload["folder"]))
            runner, _ = runner_for(exported.artifact.target, exported.artifact.deployment)
            detector = TiledDetector(exported, tiling, confidence=settings["floor"], runner=runner)
            opened["one"] = detector, payload["data"].open()
        detector, samples = opened["one"]
        raw = detector.raw(samples.sample(payload["index"]).image)
        return {
            "boxes": raw.boxes.tolist(),
            "scores": raw.scores.tolist(),
            "classes": raw.classes.tolist(),
            "tiles": raw.tiles.tolist(),
            "size": list(raw.size),
        }

    return look


def _work(gathering: Gathering) -> Work:
    artifact = gathering.exported.artifact
    return Work(
        "export.evaluation.tiled.gather:open_eye",
        {
            "model": artifact.model_sha256,
            "preprocess": None if artifact.preprocess is None else artifact.preprocess.to_json(),
            "decode": artifact.decode.to_json(),
            "tiling": _geometry(gathering.tiling).to_json(),
            "floor": gathering.floor,
            "code": [code_digest("deploy"), code_digest("export")],
            "tools": versions("onnxruntime", "executorch", "torch", "opencv-python-headless", "numpy"),
        },
    )


def _geometry(tiling: Tiling) -> Tiling:
    """What decides the raw boxes: the tiles alone. The whole picture is always looked at."""
    return Tiling(width=tiling.width, height=tiling.height, overlap=tiling.overlap, full_image=True)


def _raw(row: dict[str, Any]) -> RawDetections:
    if "error" in row:
        raise DeployError.from_dict(row["error"])
    found = row["result"]
    return RawDetections(
        np.asarray(found["boxes"], np.float32).reshape(-1, 4),
        np.asarray(found["scores"], np.float32),
        np.asarray(found["classes"], np.int64),
        np.asarray(found["tiles"], np.int32),
        (found["size"][0], found["size"][1]),
    )
