"""What a detector learns from: targets and losses against torchvision, and its output against the decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import generalized_box_iou

from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.yolo import YoloDecoder
from deploy.errors import DeployError
from deploy.vision.geometry import Geometry
from training.detection.losses import box_loss, heat_loss
from training.detection.targets import targets
from training.models.detector import Detector

BOXES = np.array([[10, 12, 20, 34], [50, 40, 56, 52], [0, 0, 6, 3]], np.float32)
CLASSES = np.array([0, 1, 0])
IGNORE = np.array([False, False, True])


def test_targets_mark_centres_boxes_and_what_is_ignored() -> None:
    made = targets(BOXES, CLASSES, IGNORE, 2, (20, 24), 4)
    assert made["heat"].shape == (2, 20, 24)
    assert np.argwhere(made["heat"] == 1).tolist() == [[0, 5, 3], [1, 11, 13]]
    assert made["counts"][0, 0, :2].tolist() == [0, 0]
    assert made["counts"].sum() == 20 * 24 - 2
    assert made["box"][:, 5, 3].tolist() == [15, 23, 10, 22]
    assert made["box"][:, 11, 13].tolist() == [53, 46, 6, 12]
    assert made["share"].sum() == pytest.approx(2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_giou_is_torchvisions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (2, 6, 2))
    sides = rng.uniform(0.5, 30, (2, 6, 2))
    corners = torch.tensor(np.concatenate([low, low + sides], axis=2))
    middle = torch.tensor(np.concatenate([low + sides / 2, sides], axis=2)).transpose(1, 2)[..., None]
    share = torch.tensor(rng.uniform(0, 1, (1, 1, 6, 1)))
    expected = ((1 - generalized_box_iou(corners[0], corners[1]).diagonal()) * share.ravel()).sum()
    assert float(box_loss(middle[0:1], middle[1:2], share)) == pytest.approx(float(expected), abs=1e-9)


def test_heat_loss_is_the_papers_formula_and_skips_ignored_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 3, 4, generator=generator)
    heat = torch.rand(2, 1, 3, 4, generator=generator)
    heat[0, 0, 1, 1] = 1
    counts = torch.ones(2, 1, 3, 4)
    chance = logits.sigmoid().double().numpy().ravel()
    truth = heat.double().numpy().ravel()
    cells = [
        -np.log(p) * (1 - p) ** 2 if y == 1 else -np.log(1 - p) * p**2 * (1 - y) ** 4
        for p, y in zip(chance, truth, strict=True)
    ]
    found = heat_loss(logits, heat, counts)
    assert found.tolist() == pytest.approx([sum(cells[:12]), sum(cells[12:])], rel=1e-5)
    counts[1] = 0
    assert heat_loss(logits, heat, counts)[1] == 0
    perfect = torch.where(heat == 1, 40.0, -40.0)
    assert float(heat_loss(perfect, heat, torch.ones_like(heat)).max()) < 1e-6


def test_a_perfect_map_is_decoded_to_the_true_boxes() -> None:
    """Targets and the model's output speak of the same pixels, through the decoder that phones share."""
    made = targets(BOXES, CLASSES, IGNORE, 2, (20, 24), 4)
    head = np.concatenate([made["box"].reshape(4, -1), (made["heat"] == 1).reshape(2, -1)])[None]
    spec = Preprocess(input_name="image", width=96, height=80)
    decoder = YoloDecoder(YoloDecode(output="head", class_names=("a", "b")), spec)
    found = decoder.decode({"head": head.astype(np.float32)}, Geometry((80, 96), (80, 96), (1, 1), (0, 0)))
    order = np.argsort(found.classes)
    assert np.allclose(found.boxes[order], BOXES[:2])
    assert found.classes[order].tolist() == [0, 1]


def test_the_detector_gives_a_yolo_head() -> None:
    torch.manual_seed(0)
    module = Detector(3, width=16).eval()
    with torch.inference_mode():
        image = torch.rand(2, 3, 64, 96)
        head = module(image)
        logits, boxes = module.maps(image)
    assert head.shape == (2, 7, 16 * 24)
    assert torch.equal(head[:, 4:], logits.sigmoid().flatten(2))
    assert torch.equal(head[:, :4], boxes.flatten(2))
    assert (head[:, 2:4] > 0).all()
    assert float(head[:, 4:].max()) < 0.1  # a new model believes in nothing
    centre = boxes[0, :2].permute(1, 2, 0)
    assert torch.allclose(centre[3, 5], torch.tensor([22.0, 14.0]), atol=8)
    with pytest.raises(DeployError, match="UNKNOWN-BACKBONE"):
        Detector(2, backbone="no_such_model")
