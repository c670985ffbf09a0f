"""A real box detector, YOLOv8n, from the segmenter's weights beside the project; and its exports."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from deploy.contracts.tiling import Tiling
from tests.oracles.real import data_root

TILING = Tiling(width=640, height=640, overlap=0.2)


def write_detector(path: Path) -> Path:
    """Save ``yolov8n.pt``: the segmenter holds every weight of the detector."""
    import torch
    from ultralytics import YOLO

    checkpoint = str(data_root() / "yolov8n_seg" / "yolov8n-seg.pt")
    segmenter = YOLO(checkpoint).model
    detector = YOLO("yolov8n.yaml").load(checkpoint)
    detector.model.names = segmenter.names
    known = segmenter.state_dict()
    for name, value in detector.model.state_dict().items():
        if not torch.equal(value.float(), known[name].float()):
            raise AssertionError(f"{name} was not taken over")
    detector.save(str(path))
    return path


@cache
def exported(root: Path, precision: str, tiling: Tiling = TILING) -> Path:
    """The ONNX artifact of the detector with declared tiles; ``w8a8`` calibrated on real pictures."""
    from export.build import build
    from export.request import ExportRequest

    weights = root / "yolov8n.pt"
    if not weights.exists():
        write_detector(weights)
    pictures = data_root() / "coco128_seg" / "images"
    request = ExportRequest(
        spec=str(weights),
        targets=("onnx",),
        precisions=(precision,),
        out=root / "artifacts",
        calibration=(pictures,) if precision == "w8a8" else (),
        calibration_count=16,
        calibrator="percentile",
        samples=pictures,
        sample_count=2,
        tiling=tiling,
    )
    built = next(each for each in build(request) if each.target == "onnx")
    if built.folder is None:
        raise AssertionError(str(built.row))
    return built.folder
