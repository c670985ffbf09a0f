"""Metrics against the code people use today: ``python -m tests.bench.bench_metrics``; exit 1 below a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.metrics.confusion import confusion_matrix
from deploy.metrics.detection import DetectionMetric
from deploy.metrics.regions import region_and_boundary
from tests.bench.row import BenchRow, cpu_ratios, row_of, tell
from tests.oracles import coco, davis
from tests.oracles.pictures import blobs, shaken

PAIRS = 7
FRAMES = 6
OBJECTS = 3
CLASSES = 4
Mask = NDArray[np.bool_]


def run() -> list[BenchRow]:
    """All rows; every peer alternates with ours in this one process."""
    return [
        _region_row("J and F, 480p, vs davis2017 formulas", 480, 854, 2.0),
        _region_row("J and F, 1080p, vs davis2017 formulas", 1080, 1920, 5.0),
        _confusion_row("mIoU, 480p, vs np.bincount int64", 480, 854, 2.0),
        _confusion_row("mIoU, 1080p, vs np.bincount int64", 1080, 1920, 2.0),
        _detection_row("mAP of 150 pictures, vs pycocotools", 2.0),
        _bootstrap_row("mAP of 1000 replicates, vs matching each time", 20.0),
    ]


def _region_row(name: str, height: int, width: int, bar: float) -> BenchRow:
    pairs = [_frame_pair(height, width, seed) for seed in range(FRAMES * OBJECTS)]

    def ours() -> list[tuple[float, float]]:
        return [region_and_boundary(mask, truth) for mask, truth in pairs]

    def peer() -> list[tuple[float, float]]:
        return [(davis.region(mask, truth), davis.boundary(mask, truth)) for mask, truth in pairs]

    return _compared(name, peer, ours, bar)


def _frame_pair(height: int, width: int, seed: int) -> tuple[Mask, Mask]:
    """One object of a DAVIS-like frame, and its ragged prediction; shapes scale with the picture."""
    rng = np.random.default_rng(seed)
    small = np.zeros((240, 427), np.uint8)
    centre = (int(rng.integers(100, 330)), int(rng.integers(60, 180)))
    cv2.ellipse(
        small, centre, (int(rng.integers(25, 80)), int(rng.integers(20, 60))), seed * 20, 0, 360, 1, -1
    )
    truth, found = (
        cv2.resize(m.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        for m in (small, shaken(small.astype(np.bool_), seed, 2))
    )
    return found, truth


def _confusion_row(name: str, height: int, width: int, bar: float) -> BenchRow:
    truths = [_labels(height, width, seed) for seed in range(FRAMES)]
    found = [np.roll(truth, (3, 5), (0, 1)) for truth in truths]

    def ours() -> list[list[int]]:
        return [confusion_matrix(f, t, CLASSES).ravel().tolist() for f, t in zip(found, truths, strict=True)]

    def peer() -> list[list[int]]:
        joint = (CLASSES * t.astype(np.int64) + f for f, t in zip(found, truths, strict=True))
        return [np.bincount(j.ravel(), minlength=CLASSES**2).tolist() for j in joint]

    return _compared(name, peer, ours, bar)


def _labels(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    labels = np.zeros((height, width), np.uint8)
    for label in range(1, CLASSES):
        labels[blobs(height, width, 10 * seed + label, count=2)] = label
    return labels


def _detection_row(name: str, bar: float) -> BenchRow:
    scenes = [coco.scene(seed, (480, 640), 20, 14, masks=False) for seed in range(150)]
    metric = DetectionMetric([str(i) for i in range(20)], masks=False)
    once = np.ones((1, len(scenes)), np.int64)

    def ours() -> float:
        records = [metric.observe(*scene) for scene in scenes]
        return round(float(metric.summarise(records, once)["box_mAP50-95"][0]), 12)

    def peer() -> float:
        return round(float(coco.twelve(scenes, 20, "bbox")[0]), 12)

    return _compared(name, peer, ours, bar)


def _bootstrap_row(name: str, bar: float) -> BenchRow:
    """1000 weightings at once; the peer is timed on 10 of them, matched anew each, and scaled."""
    metric = DetectionMetric([str(i) for i in range(80)], masks=False)
    records = [metric.observe(*coco.scene(seed, (480, 640), 80, 14, masks=False)) for seed in range(64)]
    weights = np.random.default_rng(0).multinomial(64, [1 / 64] * 64, 1000)

    def ours() -> NDArray[np.float64]:
        return metric.summarise(records, weights)["box_mAP50-95"]

    def peer() -> NDArray[np.float64]:
        rows = [metric.summarise(records, weights[r : r + 1])["box_mAP50-95"] for r in range(10)]
        return np.concatenate(rows)

    if not np.allclose(ours()[:10], peer(), atol=1e-12):
        raise AssertionError(f"{name}: the two ways disagree")
    return row_of(name, [100 * ratio for ratio in cpu_ratios(peer, ours, PAIRS)], bar)


def _compared(name: str, peer: Callable[[], object], ours: Callable[[], object], bar: float) -> BenchRow:
    """A row, after both ways were seen to give the same answer."""
    if peer() != ours():
        raise AssertionError(f"{name}: the two ways disagree")
    return row_of(name, cpu_ratios(peer, ours, PAIRS), bar)


if __name__ == "__main__":
    sys.exit(min(tell(run()), 1))
