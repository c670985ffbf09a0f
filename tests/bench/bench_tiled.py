"""Tiles against sahi: ``python -m tests.bench.bench_tiled``; exit 1 below a bar."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sahi.postprocess.backends import set_postprocess_backend
from sahi.postprocess.combine import GreedyNMMPostprocess

from deploy.artifacts import Exported, open_artifact
from deploy.contracts.tiling import Merge
from deploy.runtimes.onnx import OnnxRuntime
from deploy.threads import worker_environment
from deploy.tiled.detector import TiledDetector
from deploy.tiled.merge import merge
from deploy.tiled.windows import windows
from tests.bench.row import BenchRow, cpu_ratios, row_of, tell
from tests.oracles import sahi_merge
from tests.oracles.real import data_root
from tests.oracles.yolo_detector import TILING, exported

PAIRS = 7
SLOW_PAIRS = 3
SIZES = (1000, 5000, 20000)
PICTURE = (3000, 4000)


def run() -> list[BenchRow]:
    """Merging always; whole pictures where the real weights are."""
    rows = [_merge(count, classes) for count in SIZES for classes in (1, 80)]
    if not (data_root() / "yolov8n_seg").is_dir():
        sys.stdout.write("skipped: sliced pictures against sahi (yolov8n_seg is not there)\n")
        return rows
    with tempfile.TemporaryDirectory() as folder:
        rows += _pictures(Path(folder))
    return rows


def _merge(count: int, classes: int) -> BenchRow:
    """Raw boxes to merged ones, against sahi's class on its own objects; the same answer is asserted."""
    set_postprocess_backend("numpy")
    raw, how = sahi_merge.crowd(count, classes, seed=count), Merge()
    objects = sahi_merge.predictions_of(raw)
    theirs = GreedyNMMPostprocess(how.threshold, "IOS", how.class_agnostic)
    found, wanted = merge(raw, how), sahi_merge.merge(raw, how)
    name = f"merge {count} boxes of {classes} classes, vs sahi"
    for mine, other in zip((found.boxes, found.scores, found.classes), wanted, strict=True):
        if not np.array_equal(mine, other):
            raise AssertionError(f"{name}: the two ways disagree")
    return row_of(name, cpu_ratios(lambda: theirs(list(objects)), lambda: merge(raw, how), PAIRS), 6.0)


def _pictures(root: Path) -> list[BenchRow]:
    """One 12-megapixel picture: whole processes, then loaded models."""
    picture = root / "large.png"
    cv2.imwrite(str(picture), large_picture()[..., ::-1])
    wide = exported(root, "fp32", TILING)
    rows = _processes(wide, picture)
    image = large_picture()
    ours = TiledDetector(open_artifact(wide))
    rows.append(_floor(ours, open_artifact(wide), image))
    peer = SahiPeer(wide)
    _demand_same(ours, peer, image)
    narrow = TiledDetector(open_artifact(exported(root, "w8a8", TILING)))
    ratios = cpu_ratios(lambda: peer(image), lambda: narrow.detect(image), SLOW_PAIRS)
    rows.append(row_of("12 MP sliced, w8a8 ONNX, vs sahi with fp32 ONNX", ratios, 1.8))
    return rows


def large_picture() -> NDArray[np.uint8]:
    """Real aerial and street pictures side by side: uint8 (3000, 4000, 3) RGB."""
    names = sorted((data_root() / "coco128_seg" / "images").rglob("*.jpg"))
    height, width = PICTURE
    canvas = np.zeros((height, width, 3), np.uint8)
    left = top = row = 0
    for name in names * 2:
        tile = cv2.imread(str(name))
        if left >= width:
            left, top, row = 0, top + row, 0
        if top >= height:
            break
        part = tile[: height - top, : width - left]
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        left, row = left + part.shape[1], max(row, part.shape[0])
    return np.ascontiguousarray(canvas[..., ::-1])


@dataclass(frozen=True)
class _Cost:
    """CPU seconds and most resident bytes of one process, and the objects it found."""

    seconds: float
    peak: int
    objects: int


def _processes(folder: Path, picture: Path) -> list[BenchRow]:
    """Start to end, imports and all, one thread each: CPU time and memory."""
    speed, memory = [], []
    for pair in range(SLOW_PAIRS):
        order = ("ours", "sahi") if pair % 2 else ("sahi", "ours")
        cost = {way: _cost(way, folder, picture) for way in order}
        if cost["sahi"].objects != cost["ours"].objects:
            raise AssertionError(f"the two ways disagree: {cost}")
        speed.append(cost["sahi"].seconds / cost["ours"].seconds)
        memory.append(cost["ours"].peak / cost["sahi"].peak)
    return [
        row_of("12 MP sliced, fp32 ONNX, whole process, vs sahi", speed, 2.0),
        row_of("12 MP sliced, fp32 ONNX, memory / sahi's", memory, 1 / 3, direction="at most"),
    ]


def _cost(way: str, folder: Path, picture: Path) -> _Cost:
    """One process, measured by the system when it has ended."""
    command = [sys.executable, "-m", "tests.bench.tiled_process", way, str(folder), str(picture)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=worker_environment(1)
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"{way} failed: {said}")
    objects, peak = (int(word) for word in said.splitlines()[-1].split())
    return _Cost(used.ru_utime + used.ru_stime, peak, objects)


def _floor(ours: TiledDetector, artifact: Exported, image: NDArray[np.uint8]) -> BenchRow:
    """Everything, over nothing but the forward passes of the same file and tiles."""
    facts = artifact.artifact
    runtime = OnnxRuntime(artifact.model, facts.inputs, facts.outputs, 1)
    tensor = np.random.default_rng(0).random(facts.inputs[0].shape, np.float32)
    count = len(windows(PICTURE, TILING))

    def forwards() -> None:
        for _ in range(count):
            runtime.run({facts.inputs[0].name: tensor})

    ratios = [1 / ratio for ratio in cpu_ratios(forwards, lambda: ours.detect(image), SLOW_PAIRS)]
    return row_of("12 MP sliced / its forward passes", ratios, 1.08, direction="at most")


class SahiPeer:
    """sahi over the same ONNX file, run by ultralytics."""

    def __init__(self, folder: Path) -> None:
        from tests.bench.tiled_process import open_sahi

        self._model = open_sahi(str(folder))

    def __call__(self, image: NDArray[np.uint8]) -> list[object]:
        from sahi.predict import get_sliced_prediction

        found = get_sliced_prediction(
            image, self._model, 640, 640, 0.2, 0.2, perform_standard_pred=False, verbose=0
        )
        return list(found.object_prediction_list)


def _demand_same(ours: TiledDetector, peer: SahiPeer, image: NDArray[np.uint8]) -> None:
    """Both ways give the same objects."""
    mine = merge(ours.raw(image), Merge())
    theirs = peer(image)
    boxes = np.asarray([each.bbox.to_xyxy() for each in theirs], np.float32)  # type: ignore[attr-defined]
    if mine.boxes.shape != boxes.shape or not np.array_equal(mine.boxes, boxes):
        raise AssertionError(f"sahi gives {len(boxes)} boxes, we give {len(mine.boxes)}, or others")


if __name__ == "__main__":
    sys.exit(min(tell(run()), 1))
