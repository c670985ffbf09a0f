"""ultralytics behind our task: parameters proved or refused, offline, inside the run folder, taken over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from deploy.errors import DeployError
from deploy.store import sha256_tree
from training.checkpoints import load_checkpoint
from training.detection.ultralytics_trainer import model_file, read_parameters
from training.run import train

pytest.importorskip("ultralytics")

SMALL: dict[str, Any] = {"size": 96, "batch": 4, "epochs": 2}
NANO = "ultralytics:yolov8n-p2.yaml"


def asked(cameras: Path, *yolo: str) -> dict[str, Any]:
    """Settings of a small run."""
    options = {"detector": NANO, "tile": 192, "empty": 0.0, "yolo": yolo}
    return {**SMALL, "data": str(cameras), "options": options}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_yolo_trains_offline_in_its_folder_and_comes_back(cameras: Path, tmp_path: Path) -> None:
    """P2 head, multi-scale and closing of mosaic are proved; the checkpoint is the best file's model."""
    home = Path.home() / ".config" / "Ultralytics"
    before = sha256_tree(home) if home.is_dir() else None
    data, here = sha256_tree(cameras), sorted(Path.cwd().iterdir())
    out = tmp_path / "runs" / "yolo"
    done = train("tiled_detection", out, asked(cameras, "multi_scale=0.5", "close_mosaic=1", "mosaic=1.0"))
    proved = json.loads((out / "ultralytics" / "proved.json").read_text())
    assert set(proved) == {"imgsz", "batch", "seed", "multi_scale", "close_mosaic", "mosaic"}
    assert proved["close_mosaic"] == "the batches of the last epochs"
    assert (sha256_tree(home) if home.is_dir() else None) == before
    assert (sha256_tree(cameras), sorted(Path.cwd().iterdir())) == (data, here)
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    checkpoint, module = load_checkpoint(out)
    assert done.checkpoint == checkpoint
    assert checkpoint.model == "ultralytics"
    assert {"mAP50", "F1"} <= set(checkpoint.metrics)
    assert checkpoint.preprocess.tiling is not None
    from training.models.ultralytics_yolo import load_yolo

    best = load_yolo(out / "ultralytics" / "train" / "weights" / "best.pt")
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        head = module(image)
        assert torch.equal(head, best.module(image))
    assert head.shape == (1, 6, 24**2 + 12**2 + 6**2 + 3**2)  # a P2 head: strides 4, 8, 16, 32


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_changes_nothing_is_refused(cameras: Path, tmp_path: Path) -> None:
    """Each of these is accepted by ultralytics without a word."""
    for number, (parameter, error, why) in enumerate(
        (
            ("copy_paste=0.15", "YOLO-PARAMETER-IDLE", "polygons"),
            ("lr0=0.3", "YOLO-PARAMETER-IDLE", "auto"),
            ("close_mosaic=10", "YOLO-PARAMETER-IDLE", "before the first epoch"),
            ("erasing=0.9", "YOLO-PARAMETER-IDLE", "classification"),
            ("copypaste=0.15", "YOLO-PARAMETER-UNKNOWN", "Did you mean copy_paste"),
            ("imgsz=1280", "YOLO-PARAMETER-OURS", "--size"),
            ("save_period=2", "YOLO-PARAMETER-UNPROVED", "Nothing here can show"),
            ("mosaic=7", "YOLO-PARAMETER-INVALID", "mosaic"),
        )
    ):
        with pytest.raises(DeployError, match=error) as caught:
            train("tiled_detection", tmp_path / str(number), asked(cameras, parameter))
        assert why in f"{caught.value.summary} {caught.value.remedy}", parameter
        assert not (tmp_path / str(number) / "ultralytics" / "train").exists()


@pytest.mark.slow
def test_what_works_once_its_condition_is_met_is_proved(cameras: Path, tmp_path: Path) -> None:
    from training.models.ultralytics_yolo.offline import settle

    settle(tmp_path / "settings")
    parameters = ("optimizer=SGD", "lr0=0.02", "box=9.0", "mixup=0.3", "degrees=5.0", "hsv_v=0.0")
    train("tiled_detection", tmp_path / "run", {**asked(cameras, *parameters), "epochs": 1, "size": 64})
    proved = json.loads((tmp_path / "run" / "ultralytics" / "proved.json").read_text())
    assert proved["lr0"] == "the optimizer's settings"
    assert proved["box"] == "the loss of one batch"
    assert {proved[name] for name in ("mixup", "degrees", "hsv_v")} == {"the batch"}


def test_parameters_are_read_with_their_types() -> None:
    assert read_parameters(("a=0.3", "b=2", "c=True", "d=SGD")) == {"a": 0.3, "b": 2, "c": True, "d": "SGD"}
    with pytest.raises(DeployError, match="SETTING-INVALID"):
        read_parameters(("mosaic",))


def test_detectors_that_are_none(tmp_path: Path) -> None:
    assert model_file("ultralytics:yolov8n-p2.yaml") == "yolov8n-p2.yaml"
    for detector in ("yolov8n.pt", "ultralytics:yolov8n", "ultralytics:"):
        with pytest.raises(DeployError, match="UNKNOWN-DETECTOR"):
            model_file(detector)
    with pytest.raises(DeployError, match="CHECKPOINT-MISSING"):
        model_file(f"ultralytics:{tmp_path}/no.pt")


def test_a_layout_that_would_run_code_is_refused() -> None:
    from training.models.ultralytics_yolo.build import build

    with pytest.raises(DeployError, match="CHECKPOINT-UNSAFE"):
        build({"activation": "print(1)", "backbone": [], "head": []}, 2)
