"""Layout ``davis``: JPEGImages/480p/SEQUENCE/*.jpg with Annotations/480p/SEQUENCE/*.png."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from deploy.vision.images import list_images
from training.data.layouts.protocol import digest_files, mask_reader
from training.data.samples import Entry, EvaluationSet


class DavisLayout:
    """Clips as folders of frames, with one mask a frame; without an ``Annotations`` folder, unlabelled."""

    name = "davis"
    kinds = ("binary_mask",)

    def recognises(self, root: Path) -> bool:
        """The folder ``JPEGImages`` gives it away."""
        return (root / "JPEGImages").is_dir()

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """Every frame of every sequence; each sequence is a group."""
        frames = _resolution(root / "JPEGImages")
        labelled = (root / "Annotations").is_dir()
        masks = root / "Annotations" / frames.relative_to(root / "JPEGImages")
        entries = []
        for picture in list_images(frames):
            place = picture.relative_to(frames)
            mask = (masks / place).with_suffix(".png") if labelled else None
            if mask is not None and not mask.is_file():
                raise DeployError(
                    "MASK-MISSING",
                    f"The frame {picture} has no mask at {mask}.",
                    "Add the mask (all black where the object is absent), or remove the frame.",
                )
            name = place.with_suffix("").as_posix()
            entries.append(
                Entry(name, place.parent.as_posix(), mask_reader(picture, mask), digest_files(picture, mask))
            )
        return EvaluationSet(self.name, entries, labelled=labelled)


def _resolution(frames: Path) -> Path:
    """The folder that holds the sequences: ``480p``, the only resolution there is, or ``JPEGImages``."""
    if (frames / "480p").is_dir():
        return frames / "480p"
    inner = sorted(path for path in frames.iterdir() if path.is_dir())
    if len(inner) == 1 and any(path.is_dir() for path in inner[0].iterdir()):
        return inner[0]
    return frames


LAYOUT = DavisLayout()
