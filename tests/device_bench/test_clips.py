"""Every clip layout that people have on disk is found, with its true masks where there are any."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.errors import DeployError
from deploy.vision.images import write_png
from device_bench.clips import ClipFiles, find_clips


def pictures(folder: Path, count: int = 3) -> None:
    for index in range(count):
        write_png(folder / f"{index:05d}.png", np.full((8, 8), index, np.uint8))


def found(place: Path, tmp_path: Path, max_frames: int = 100) -> list[ClipFiles]:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return find_clips([place], scratch, max_frames)


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    pictures(tmp_path / "walk")
    (clip,) = found(tmp_path / "walk", tmp_path)
    assert clip.sequence == "walk"
    assert [path.name for path in clip.frames] == ["00000.png", "00001.png", "00002.png"]
    assert clip.masks == (None, None, None)


@pytest.mark.parametrize("frames", ["frames", "images"])
def test_frames_beside_masks(tmp_path: Path, frames: str) -> None:
    pictures(tmp_path / "walk" / frames)
    pictures(tmp_path / "walk" / "masks", 2)
    for place in (tmp_path / "walk", tmp_path / "walk" / frames):
        (clip,) = found(place, tmp_path)
        assert clip.sequence == "walk"
        assert [mask is not None for mask in clip.masks] == [True, True, False]


def test_masks_inside_the_frames_folder(tmp_path: Path) -> None:
    pictures(tmp_path / "walk")
    pictures(tmp_path / "walk" / "masks")
    (clip,) = found(tmp_path / "walk", tmp_path)
    assert len(clip.frames) == 3 and all(clip.masks)


def test_davis_root_and_one_sequence(tmp_path: Path) -> None:
    root = tmp_path / "davis"
    for name in ("dog", "libby"):
        pictures(root / "JPEGImages" / "480p" / name)
        pictures(root / "Annotations" / "480p" / name)
    both = found(root, tmp_path)
    assert [clip.sequence for clip in both] == ["dog", "libby"]
    assert all(mask is not None and "Annotations" in mask.parts for clip in both for mask in clip.masks)
    (one,) = found(root / "JPEGImages" / "480p" / "dog", tmp_path)
    assert one == both[0]


def test_a_folder_of_clips(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pictures(tmp_path / "clips" / name / "frames")
        pictures(tmp_path / "clips" / name / "masks")
    assert [clip.sequence for clip in found(tmp_path / "clips", tmp_path)] == ["a", "b"]


def test_same_names_get_numbers(tmp_path: Path) -> None:
    pictures(tmp_path / "one" / "walk")
    pictures(tmp_path / "two" / "walk")
    clips = find_clips([tmp_path / "one" / "walk", tmp_path / "two" / "walk"], tmp_path, 100)
    assert [clip.sequence for clip in clips] == ["walk", "walk-2"]


def test_max_frames(tmp_path: Path) -> None:
    pictures(tmp_path / "walk")
    (clip,) = found(tmp_path / "walk", tmp_path, 2)
    assert len(clip.frames) == len(clip.masks) == 2


def test_a_video(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 24))
    for index in range(5):
        writer.write(np.full((24, 32, 3), 40 * index, np.uint8))
    writer.release()
    (clip,) = found(path, tmp_path, 4)
    assert clip.sequence == "film" and clip.frames_per_second == pytest.approx(25.0)
    assert len(clip.frames) == 4


def test_a_broken_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(DeployError, match="VIDEO-UNREADABLE"):
        found(tmp_path / "film.mp4", tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DeployError, match="NO-CLIP"):
        found(tmp_path / "nothing", tmp_path)
