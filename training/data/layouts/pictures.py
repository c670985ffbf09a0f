"""Layout ``pictures``: a folder of pictures without labels."""

from __future__ import annotations

from pathlib import Path

from deploy.vision.images import list_images
from training.data.groups import groups_of
from training.data.layouts.protocol import digest_files, mask_reader
from training.data.samples import Entry, EvaluationSet


class PicturesLayout:
    """Any pictures, at any depth; nothing is labelled."""

    name = "pictures"
    kinds = ("binary_mask", "classify", "yolo", "tensors")

    def recognises(self, root: Path) -> bool:
        """Every folder will do."""
        return True

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """All pictures below ``root``."""
        pictures = list_images(root)
        ids = [path.relative_to(root).with_suffix("").as_posix() for path in pictures]
        entries = [
            Entry(name, group, mask_reader(path, None), digest_files(path))
            for name, group, path in zip(ids, groups_of(ids), pictures, strict=True)
        ]
        return EvaluationSet(self.name, entries, labelled=False)


LAYOUT = PicturesLayout()
