"""sahi with our files, and our tiles beside sahi's own: the same boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sahi.postprocess.backends import set_postprocess_backend
from sahi.predict import get_sliced_prediction

from deploy.artifacts import open_artifact
from deploy.contracts.tiling import Merge, Tiling
from deploy.tiled.detector import TiledDetector
from deploy.tiled.merge import merge
from deploy.tiled.raw import RawDetections
from deploy.tiled.sahi_adapter import ArtifactDetectionModel
from deploy.vision.images import read_rgb
from tests.bench.tiled_process import CONFIDENCE, open_sahi
from tests.deploy.tiled.spots import TILING, scene
from tests.oracles.real import needs
from tests.oracles.yolo_detector import TILING as TILES
from tests.oracles.yolo_detector import exported

NAMES = {"nms": "NMS", "nmm": "NMM", "greedy_nmm": "GREEDYNMM"}


def sahi_rows(
    model: object, image: NDArray[np.uint8], tiling: Tiling, confidence: float
) -> NDArray[np.float32]:
    """float32 (N, 6) x1 y1 x2 y2 score class of sahi's own sliced prediction, in its order."""
    set_postprocess_backend("numpy")
    how = tiling.merge
    found = get_sliced_prediction(
        image,
        model,
        tiling.height,
        tiling.width,
        tiling.overlap,
        tiling.overlap,
        perform_standard_pred=tiling.full_image,
        postprocess_type=NAMES[how.kind],
        postprocess_match_metric=how.metric.upper(),
        postprocess_match_threshold=how.threshold,
        postprocess_class_agnostic=how.class_agnostic,
        confidence_threshold=confidence,
        force_postprocess_type=True,
        verbose=0,
    )
    rows = [
        [*each.bbox.to_xyxy(), each.score.value, each.category.id] for each in found.object_prediction_list
    ]
    return np.asarray(rows, np.float32).reshape(-1, 6)


def our_rows(raw: RawDetections, how: Merge) -> NDArray[np.float32]:
    """The same of ours."""
    found = merge(raw, how)
    return np.column_stack([found.boxes, found.scores, found.classes]).astype(np.float32)


@pytest.mark.parametrize("kind", ["nms", "nmm", "greedy_nmm"])
@pytest.mark.parametrize("full_image", [False, True])
def test_sahi_with_our_file_gives_our_boxes(spots: dict[str, Path], kind: str, full_image: bool) -> None:
    """Cut, run, moved and merged by sahi, or by us: the same rows in the same order."""
    tiling = TILING.model_copy(
        update={"merge": Merge.model_validate({"kind": kind}), "full_image": full_image}
    )
    model = ArtifactDetectionModel(model_path=str(spots["onnx"]))
    for seed in range(3):
        image = scene(seed)
        raw = TiledDetector(open_artifact(spots["onnx"]), tiling, confidence=0.25).raw(image)
        wanted = sahi_rows(model, image, tiling, 0.25)
        assert len(wanted) > 5
        np.testing.assert_array_equal(our_rows(raw, tiling.merge), wanted)


@pytest.mark.slow
@pytest.mark.real
def test_sahi_with_ultralytics_gives_our_boxes(tmp_path: Path) -> None:
    """A real YOLOv8n, one ONNX file, real pictures: sahi's own way through ultralytics equals ours."""
    folder = needs("sahi")
    needs("yolov8n_seg")
    file = exported(tmp_path, "fp32")
    peer = open_sahi(str(file))
    detector = TiledDetector(open_artifact(file))
    for name in ("terrain1.jpg", "terrain2.png"):
        image = read_rgb(folder / name)
        raw = detector.raw(image)
        for kind in NAMES:
            tiling = TILES.model_copy(update={"merge": Merge.model_validate({"kind": kind})})
            wanted = sahi_rows(peer, image, tiling, CONFIDENCE)
            assert len(wanted) > 3
            np.testing.assert_array_equal(our_rows(raw, tiling.merge), wanted)
