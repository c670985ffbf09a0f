"""Ultralytics checkpoints that are missing, cut, hostile or not what they seem."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest
import torch

from deploy.errors import DeployError
from export.build import build
from tests.export.toys import Toy
from tests.oracles.real import needs

pytest.importorskip("ultralytics")
pytestmark = pytest.mark.usefixtures("in_process")


class Evil:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {self.mark}",))


def refused(toy: Toy, path: Path, **changes: object) -> DeployError:
    request = toy.request(spec=str(path), inputs=(), targets=("Quick",), name="toy", **changes)
    with pytest.raises(DeployError) as caught:
        build(request)
    assert toy.left() == []
    return caught.value


def test_a_missing_one(toy: Toy) -> None:
    error = refused(toy, toy.root / "absent.pt")
    assert error.error_id == "CHECKPOINT-MISSING"
    assert "absent.pt" in error.summary


@pytest.mark.parametrize("payload", [b"", b"PK\x03\x04 cut", b"no checkpoint at all" * 9])
def test_a_file_that_is_no_checkpoint(toy: Toy, payload: bytes) -> None:
    path = toy.root / "x.pt"
    path.write_bytes(payload)
    assert refused(toy, path).error_id == "CHECKPOINT-BROKEN"


@pytest.mark.parametrize("shape", ["model", "ema", "alone", "raw", "beside"])
def test_a_hostile_one_is_not_run(toy: Toy, shape: str) -> None:
    path, mark = toy.root / "x.pt", toy.root / "mark"
    evil = Evil(mark)
    contents = {
        "model": {"model": evil},
        "ema": {"model": None, "ema": evil},
        "alone": evil,
        "beside": {"model": {"weight": torch.ones(2)}, "train_args": evil},
    }
    if shape == "raw":
        path.write_bytes(pickle.dumps(evil))
    else:
        torch.save(contents[shape], path)
    error = refused(toy, path)
    assert error.error_id == "CHECKPOINT-UNSAFE"
    assert not mark.exists()
    assert "safetensors" in error.remedy


def test_a_state_dict_is_sent_to_the_right_door(toy: Toy) -> None:
    path = toy.root / "state.pt"
    torch.save({"model": {"a.weight": torch.ones(2)}}, path)
    error = refused(toy, path)
    assert error.error_id == "CHECKPOINT-KIND"
    assert "--weights" in error.remedy


@pytest.mark.real
def test_a_real_one_cut_short(toy: Toy) -> None:
    whole = (needs("yolov8n_seg") / "yolov8n-seg.pt").read_bytes()
    path = toy.root / "yolo.pt"
    for cut in (len(whole) // 3, len(whole) - 7):
        path.write_bytes(whole[:cut])
        assert refused(toy, path).error_id == "CHECKPOINT-BROKEN"


@pytest.mark.real
def test_a_real_one_with_a_weight_that_is_no_number(toy: Toy) -> None:
    source = needs("yolov8n_seg") / "yolov8n-seg.pt"
    whole = torch.load(source, weights_only=False)  # our own copy of a known file, to spoil it
    next(iter(whole["model"].parameters())).data[0, 0, 0, 0] = float("nan")
    buffer = io.BytesIO()
    torch.save(whole, buffer)
    (toy.root / "nan.pt").write_bytes(buffer.getvalue())
    error = refused(toy, toy.root / "nan.pt")
    assert error.error_id == "WEIGHTS-NAN"
    assert "model.0.conv.weight" in error.summary


@pytest.mark.real
def test_a_size_that_the_stride_does_not_divide(toy: Toy) -> None:
    error = refused(toy, needs("yolov8n_seg") / "yolov8n-seg.pt", image_size=321)
    assert error.error_id == "INPUT-SHAPE"
    assert "--image-size 320" in error.remedy
