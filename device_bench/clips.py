"""Find clips on disk: a folder of frames, a DAVIS tree, frames beside masks, or a video file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from deploy.artifacts import Exported
from deploy.errors import DeployError
from deploy.vision.images import SUFFIXES, write_png

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})
FRAME_FOLDERS = ("frames", "images", "JPEGImages")
MASK_FOLDERS = ("masks", "Annotations")
FOLDER_FPS = 30.0
"""A folder of pictures does not say how fast it was filmed."""


@dataclass(frozen=True)
class ClipFiles:
    """A clip's files in order; ``masks`` has one entry per frame, ``None`` where no truth is known."""

    sequence: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    frames_per_second: float = FOLDER_FPS


def find_clips(places: Iterable[Path], scratch: Path, max_frames: int) -> list[ClipFiles]:
    """All clips at ``places``, with names made unique and at most ``max_frames`` frames each.

    Args:
        places: folders or video files.
        scratch: where frames of videos are unpacked as PNG.

    Raises:
        DeployError: ``NO-CLIP`` for a place that holds none, ``VIDEO-UNREADABLE``.
    """
    found: list[ClipFiles] = []
    for place in places:
        here = [_video(place, scratch, max_frames)] if _is_video(place) else _folder(place)
        if not here:
            raise DeployError(
                "NO-CLIP",
                f"{place} holds no frames.",
                "Name a folder of pictures in playing order, a DAVIS folder, or a video file.",
            )
        found += here
    return _unique([_cut(clip, max_frames) for clip in found])


def golden_clip(exported: Exported, max_frames: int) -> list[ClipFiles]:
    """The clip that travels with the artifact; empty when it has none."""
    clip = exported.artifact.golden.clip
    if clip is None:
        return []
    frames = tuple(exported.folder / name for name in clip.frames)
    masks: tuple[Path | None, ...] = (
        tuple(exported.folder / name for name in clip.masks) if clip.masks else (None,) * len(frames)
    )
    return [_cut(ClipFiles("golden", frames, masks, clip.frames_per_second), max_frames)]


def _folder(place: Path) -> list[ClipFiles]:
    """Clips of a folder: its own pictures, or its frames folder, or whatever its sub-folders hold."""
    if not place.is_dir():
        return []
    pictures = _pictures(place)
    if pictures:
        return [_sequence(place, pictures)]
    for name in FRAME_FOLDERS:
        if (place / name).is_dir():
            return _folder(place / name)
    return [
        clip
        for child in sorted(place.iterdir())
        if child.is_dir() and child.name not in MASK_FOLDERS and not child.name.startswith(".")
        for clip in _folder(child)
    ]


def _sequence(place: Path, pictures: list[Path]) -> ClipFiles:
    folder = _mask_folder(place)
    truth = {path.stem: path for path in _pictures(folder)} if folder else {}
    name = place.resolve().name
    if name in FRAME_FOLDERS:
        name = place.resolve().parent.name
    return ClipFiles(name, tuple(pictures), tuple(truth.get(path.stem) for path in pictures))


def _mask_folder(place: Path) -> Path | None:
    """True masks of a frames folder: inside it, beside it, or in DAVIS' parallel Annotations tree."""
    parts = place.resolve().parts
    candidates = [place / "masks", place.parent / "masks" / place.name]
    if place.name in FRAME_FOLDERS:
        candidates.append(place.parent / "masks")
    if "JPEGImages" in parts:
        at = len(parts) - 1 - parts[::-1].index("JPEGImages")
        candidates.append(Path(*parts[:at], "Annotations", *parts[at + 1 :]))
    return next((folder for folder in candidates if folder.is_dir() and _pictures(folder)), None)


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _is_video(place: Path) -> bool:
    return place.is_file() and place.suffix.lower() in VIDEO_SUFFIXES


def _video(place: Path, scratch: Path, max_frames: int) -> ClipFiles:
    """Unpack a video without further loss; PNG keeps the decoder's pixels exactly."""
    capture = cv2.VideoCapture(str(place))
    fps = float(capture.get(cv2.CAP_PROP_FPS)) or FOLDER_FPS
    folder = scratch / f"{place.stem}-{len(list(scratch.iterdir()))}"
    frames: list[Path] = []
    while len(frames) < max_frames:
        ok, picture = capture.read()
        if not ok:
            break
        path = folder / f"{len(frames):05d}.png"
        write_png(path, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]
        frames.append(path)
    capture.release()
    if not frames:
        raise DeployError(
            "VIDEO-UNREADABLE",
            f"{place} could not be decoded.",
            "Convert it to H.264 MP4, or unpack its frames into a folder and name that.",
        )
    return ClipFiles(place.stem, tuple(frames), (None,) * len(frames), fps)


def _cut(clip: ClipFiles, max_frames: int) -> ClipFiles:
    return replace(clip, frames=clip.frames[:max_frames], masks=clip.masks[:max_frames])


def _unique(clips: list[ClipFiles]) -> list[ClipFiles]:
    """Give clips of the same name a number, because the name is a folder in the results."""
    seen: dict[str, int] = {}
    named = []
    for clip in clips:
        seen[clip.sequence] = seen.get(clip.sequence, 0) + 1
        count = seen[clip.sequence]
        named.append(clip if count == 1 else replace(clip, sequence=f"{clip.sequence}-{count}"))
    return named
