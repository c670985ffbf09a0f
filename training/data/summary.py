"""What a data folder holds, in figures: every file is read once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from deploy.console import progress
from deploy.decode.predictions import ClassTruth, InstanceTruth, MaskPrediction
from training.data.folders import open_folder


def summarise(folder: Path) -> dict[str, Any]:
    """Layout, counts, classes, sizes, notes and content hash of a folder, as JSON types."""
    found = open_folder(folder, None)
    sizes: Counter[str] = Counter()
    classes: Counter[int] = Counter()
    empty, foreground = 0, 0.0
    with progress("Reading pictures", len(found)) as bar:
        for index in range(len(found)):
            sample = found.sample(index)
            sizes[f"{sample.image.shape[1]}x{sample.image.shape[0]}"] += 1
            truth = sample.truth
            if isinstance(truth, MaskPrediction):
                foreground += float(truth.mask.mean())
                empty += not truth.mask.any()
            elif isinstance(truth, InstanceTruth):
                classes.update(truth.classes.tolist())
                empty += len(truth.classes) == 0
            elif isinstance(truth, ClassTruth):
                classes[truth.label] += 1
            bar.advance()
    names = found.class_names
    facts: dict[str, Any] = {
        "folder": str(folder),
        "layout": found.layout,
        "labelled": found.labelled,
        "pictures": len(found),
        "groups": len(set(found.groups)),
        "sizes": dict(sizes.most_common(8)),
        "objects_by_class": {names[key] if names else str(key): classes[key] for key in sorted(classes)},
        "pictures_without_object": empty if found.labelled else None,
        "notes": list(found.notes),
        "sha256": found.sha256,
    }
    if found.layout in ("davis", "image_masks") and found.labelled:
        facts["foreground_percent"] = round(100 * foreground / len(found), 3)
    return facts
