"""Suppression inside the ONNX file, by choice: the objects of the app's own suppression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.artifacts import open_artifact
from deploy.contracts.artifact import Artifact
from deploy.contracts.decode import YoloDecode
from deploy.errors import DeployError
from deploy.tiled.detector import TiledDetector
from deploy.tiled.raw import RawDetections
from export.nms import put_nms
from export.sources.protocol import LoadedModel
from tests.deploy.tiled.spots import DECODE, PREPROCESS, Spots, export_spots, scene


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The squares' detector with suppression inside, ONNX at fp32."""
    root = tmp_path_factory.mktemp("nms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCKETPROOF_CACHE", str(root / "cache"))
        return export_spots(root, nms="graph")


def test_the_file_suppresses_as_an_app_would(spots: dict[str, Path], graph: dict[str, Path]) -> None:
    """Reference and export, tile by tile: the same objects as the file without."""
    artifact = Artifact.load(graph["onnx"] / "artifact.json")
    assert isinstance(artifact.decode, YoloDecode)
    assert artifact.decode.nms == "graph"
    assert [spec.shape[2] for spec in artifact.outputs] == [6]
    import onnx

    ops = {node.op_type for node in onnx.load(str(graph["onnx"] / artifact.model_file)).graph.node}
    assert "NonMaxSuppression" in ops
    outside = TiledDetector(open_artifact(spots["onnx"]))
    for name in ("torch", "onnx"):
        inside = TiledDetector(open_artifact(graph[name]))
        for seed in range(4):
            wanted, found = (_rows(each.raw(scene(seed))) for each in (outside, inside))
            assert len(wanted) > 10
            np.testing.assert_allclose(found, wanted, atol=1e-3)


def _rows(raw: RawDetections) -> NDArray[np.float64]:
    """Rows tile, class, x1 y1 x2 y2, score, sorted: boxes of the same score have no order of their own."""
    rows = np.column_stack([raw.tiles, raw.classes, raw.boxes, raw.scores])
    return rows[np.lexsort(np.round(rows, 2).T[::-1])]


def test_targets_without_such_an_op_refuse_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ExecuTorch's row says why; nothing is written."""
    monkeypatch.setenv("POCKETPROOF_CACHE", str(tmp_path / "cache"))
    with pytest.raises(AssertionError, match="NMS-NOT-IN-TARGET"):
        export_spots(tmp_path, targets=("executorch",), nms="graph")


def test_masks_cannot_be_suppressed_inside() -> None:
    """A segmentation head is refused before anything is built."""
    decode = DECODE.model_copy(update={"protos": "protos"})
    with pytest.raises(DeployError, match="NMS-NEEDS-BOXES"):
        put_nms(LoadedModel(Spots(), (), None, PREPROCESS, decode, "yolo"))
