"""The motion gate: what stands still is not run again, what moves is, and noise is not motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.artifacts import open_artifact
from deploy.contracts.tiling import Gate, Merge
from deploy.tiled.detector import TiledDetector
from deploy.tiled.motion import MotionGate, recall_cost
from tests.deploy.tiled.spots import TILING

Frame = NDArray[np.uint8]


def _walk(frames: int, noise: float, flicker: float = 0.0, seed: int = 0) -> list[Frame]:
    """A textured scene with a parked red square and a blue one that walks along the top."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(80, 140, (200, 320, 3)).astype(np.float32)
    scene[150:162, 40:52] = (230, 20, 20)
    found = []
    for index in range(frames):
        frame = scene.copy()
        left = 20 + 4 * index
        frame[20:32, left : left + 12] = (20, 20, 230)
        frame += rng.normal(0, noise, frame.shape) + flicker * np.sin(index)
        found.append(np.clip(frame, 0, 255).astype(np.uint8))
    return found


@pytest.fixture
def detector(spots: dict[str, Path]) -> TiledDetector:
    """The squares' detector, merging generously."""
    tiling = TILING.model_copy(update={"merge": Merge(threshold=0.2)})
    return TiledDetector(open_artifact(spots["onnx"]), tiling)


@pytest.mark.parametrize(("noise", "flicker"), [(0, 0), (6, 0), (3, 12)])
def test_noise_and_light_are_no_motion_but_a_walker_is(
    detector: TiledDetector, noise: float, flicker: float
) -> None:
    """Most tiles are skipped, and next to nothing that the whole detector finds is lost."""
    cost = recall_cost(_walk(25, noise, flicker), detector, MotionGate(detector))
    assert cost.share_skipped > 0.6
    assert cost.objects >= 50
    assert cost.kept >= 0.97


def test_a_still_scene_is_run_once_and_refreshed(detector: TiledDetector) -> None:
    """The same frame again gives the same boxes without a run, until the refresh is due."""
    frame = _walk(1, 0)[0]
    gate = MotionGate(detector, refresh=3)
    answers = [gate.raw(frame) for _ in range(4)]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.boxes, answers[0].boxes)
    tiles = gate.count.tiles // 4
    assert gate.count.skipped == 2 * tiles
    np.testing.assert_array_equal(np.sort(answers[0].scores), np.sort(detector.raw(frame).scores))


def test_slow_changes_add_up(detector: TiledDetector) -> None:
    """A square that fades in by two levels a frame is run at last, though no frame differs from the last."""
    base = np.full((200, 320, 3), 110, np.uint8)
    gate = MotionGate(detector)
    gate.raw(base)
    seen = 0
    for step in range(1, 60):
        frame = base.copy()
        frame[96:112, 96:112] = np.clip((110 + 2 * step, 110 - 2 * step, 110 - 2 * step), 0, 255)
        seen = len(gate.raw(frame).boxes)
    assert seen > 0


def test_a_threshold_too_high_shows_its_cost(detector: TiledDetector) -> None:
    """The measure can fail: a gate that never opens loses the walker."""
    cost = recall_cost(_walk(25, 0), detector, MotionGate(detector, threshold=250))
    assert cost.share_skipped > 0.9
    assert cost.kept < 0.75


def test_the_whole_picture_is_looked_at_with_any_change(spots: dict[str, Path]) -> None:
    """With a full-image gate the answers are those of the whole detector, frame by frame."""
    tiling = TILING.model_copy(update={"gate": Gate(radius=3, when_no_gate="keep"), "full_image": True})
    detector = TiledDetector(open_artifact(spots["onnx"]), tiling)
    cost = recall_cost(_walk(8, 0), detector, MotionGate(detector))
    assert cost.kept == 1.0
    assert cost.share_skipped > 0.5
