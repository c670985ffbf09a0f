"""The same model in 8 bits by others: ultralytics' own export, and ONNX Runtime's quantizer as it comes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.vision.images import read_rgb
from deploy.vision.preprocess import prepare


def ultralytics_int8(weights: Path, pictures: Sequence[Path], folder: Path) -> Path:
    """``yolo export format=onnx int8=True``, calibrated on the given pictures."""
    from training.models import ultralytics_yolo  # sets it up for offline use

    del ultralytics_yolo
    from ultralytics import YOLO

    images = folder / "images" / "val"
    labels = folder / "labels" / "val"
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pictures):
        shutil.copy(path, images / f"{number:04d}{path.suffix}")
        (labels / f"{number:04d}.txt").write_text("0 0.5 0.5 0.1 0.1 0.9 0.5 0.5 0.9\n")
    own = Path(shutil.copy(weights, folder / weights.name))
    model = YOLO(str(own))
    names = "\n".join(f"  {index}: {name!r}" for index, name in model.names.items())
    data = folder / "calibration.yaml"
    data.write_text(f"path: {folder}\ntrain: images/val\nval: images/val\nnames:\n{names}\n")
    return Path(model.export(format="onnx", int8=True, data=str(data), imgsz=640, verbose=False))


def onnxruntime_static(
    fp32: Path, pictures: Sequence[Path], preprocess: Preprocess, folder: Path, **options: Any
) -> Path:
    """ONNX Runtime's ``quantize_static`` with its defaults: the whole graph, min-max, per tensor."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._samples = _samples(pictures, preprocess)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._samples, None)

    logging.getLogger().setLevel(logging.ERROR)
    path = folder / "onnxruntime-default.onnx"
    quantize_static(str(fp32), str(path), Reader(), **options)
    return path


def _samples(pictures: Sequence[Path], preprocess: Preprocess) -> Iterator[dict[str, NDArray[np.float32]]]:
    for path in pictures:
        yield {preprocess.input_name: prepare(read_rgb(path), preprocess)[0]}
