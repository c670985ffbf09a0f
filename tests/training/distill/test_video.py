"""Clips whose truth is known by construction, a memory that starts as nothing, and a small video run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deploy.errors import DeployError
from deploy.prompts.types import PromptedPicture
from tests.training.distill.tiny import tiny
from training.checkpoints import load_checkpoint
from training.data.prompted_shapes import PromptedShapes
from training.distill.clips import make_clip
from training.models import MODELS
from training.run import train

PICTURES = [PromptedShapes(20, 4).picture(index) for index in range(20)]


def _centre(picture: PromptedPicture, number: int) -> np.ndarray:
    return np.argwhere(picture.objects[number].mask).mean(axis=0)


def test_objects_move_at_constant_speed() -> None:
    steady = 0
    for number, picture in enumerate(PICTURES):
        clip = make_clip(picture, 4, "moving", np.random.default_rng(number))
        assert len(clip) == 4
        if len(picture.objects) == 1 and all(frame.objects for frame in clip):
            areas = [int(frame.objects[0].mask.sum()) for frame in clip]
            if len(set(areas)) == 1:  # it has not left the picture
                places = [_centre(frame, 0) for frame in clip]
                steps = np.diff(places, axis=0)
                assert np.abs(steps - steps[0]).max() < 1.01  # whole pixels
                steady += 1
        for frame in clip:
            covered = sum(each.mask.astype(int) for each in frame.objects)
            assert np.max(covered, initial=0) <= 1
    assert steady >= 3


def test_frozen_clips_are_equal_to_the_bit_and_vanishing_ones_end_empty() -> None:
    for number, picture in enumerate(PICTURES[:8]):
        frozen = make_clip(picture, 3, "frozen", np.random.default_rng(number))
        assert all(np.array_equal(frame.image, picture.image) for frame in frozen)
        assert all(frame.objects == picture.objects for frame in frozen)
        vanish = make_clip(picture, 5, "vanish", np.random.default_rng(number))
        assert [bool(frame.objects) for frame in vanish] == [True, True, True, False, False]
        covered = np.stack([each.mask for each in picture.objects]).any(axis=0)
        assert vanish[-1].image[covered].mean() < 110


def test_a_new_memory_changes_nothing_and_a_taught_one_does(tmp_path: Path) -> None:
    train("promptable_masks", tmp_path / "image", tiny())
    checkpoint, image = load_checkpoint(tmp_path / "image")
    video = MODELS.open("promptable")(**checkpoint.model_args, memory=True).eval()  # type: ignore[call-overload]
    video.load_state_dict({**video.state_dict(), **image.state_dict()})
    frames = torch.randn(3, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ids = torch.ones(4, 10, dtype=torch.int64)
    points, box = torch.tensor([0.0, 0, -1]).repeat(4, 2, 1), torch.zeros(4, 5)
    with torch.inference_mode():
        single = [image(frame, ids, points, box) for frame in frames]
        watched = video.watch(frames, ids, points, box)
        for one, two in zip(single, watched, strict=True):
            torch.testing.assert_close(one.masks, two.masks, rtol=1e-4, atol=1e-5)
        video.memory.out.weight.normal_()
        again = video.watch(frames, ids, points, box)
    torch.testing.assert_close(again[0].masks, watched[0].masks)
    assert not torch.allclose(again[1].masks, watched[1].masks)


def test_a_video_run_begins_where_the_image_run_ended(tmp_path: Path) -> None:
    train("promptable_masks", tmp_path / "image", tiny())
    out = tmp_path / "video"
    done = train("video_masks", out, tiny(start=str(tmp_path / "image"), frames=3, vanish=0.5))
    assert {"miou", "presence_mcc", "frozen_jitter", "vanish_missed"} <= set(done.checkpoint.metrics)
    assert done.checkpoint.model_args["memory"] is True
    _, module = load_checkpoint(out)
    assert module.memory.out.weight.abs().max() > 0  # the memory has learned
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["truth_presence_loss"] > 0
    whole = train(
        "video_masks", tmp_path / "again", tiny(start=str(tmp_path / "image"), frames=3, vanish=0.5)
    )
    assert whole.checkpoint.weights_sha256 == done.checkpoint.weights_sha256
    with pytest.raises(DeployError, match="START-MISMATCH"):
        train("video_masks", tmp_path / "other", tiny(start=str(tmp_path / "image"), tokenizer="words"))
    with pytest.raises(DeployError, match="SETTING-INVALID"):
        train("video_masks", tmp_path / "clicks", tiny(text=0.5, point=0.5))
