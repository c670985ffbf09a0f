"""Layout ``image_masks``: ``images/`` and ``masks/`` with the same stems."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from deploy.vision.images import list_images
from training.data.groups import groups_of
from training.data.layouts.protocol import digest_files, mask_reader
from training.data.samples import Entry, EvaluationSet


class ImageMasksLayout:
    """Pictures with one foreground mask each, at the same relative path; suffixes may differ."""

    name = "image_masks"
    kinds = ("binary_mask",)

    def recognises(self, root: Path) -> bool:
        """Both folders are there."""
        return (root / "images").is_dir() and (root / "masks").is_dir()

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """Every picture with its mask."""
        pictures = _by_stem(root / "images")
        masks = _by_stem(root / "masks")
        missing = [name for name in pictures if name not in masks]
        if missing:
            raise DeployError(
                "MASK-MISSING",
                f"The picture {pictures[missing[0]]} has no mask of the same name in {root / 'masks'} "
                f"({len(missing)} of {len(pictures)} pictures lack one).",
                "Add the masks (all black where the object is absent), or remove the pictures.",
            )
        spare = len(masks.keys() - pictures.keys())
        notes = (f"{spare} masks have no picture and are not used",) if spare else ()
        entries = [
            Entry(
                name,
                group,
                mask_reader(pictures[name], masks[name]),
                digest_files(pictures[name], masks[name]),
            )
            for name, group in zip(pictures, groups_of(list(pictures)), strict=True)
        ]
        return EvaluationSet(self.name, entries, labelled=True, notes=notes)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Pictures by their relative path without suffix; two of the same stem raise ``SAME-STEM``."""
    found: dict[str, Path] = {}
    for path in list_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DeployError(
                "SAME-STEM",
                f"{path} and {found[name].name} have the same stem, so they cannot be told apart.",
                "Rename or remove one of them.",
            )
        found[name] = path
    return found


LAYOUT = ImageMasksLayout()
