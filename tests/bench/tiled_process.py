"""One way of finding objects in a large picture, as a whole process: ``python -m … ours|sahi MODEL PICTURE``.

Prints the boxes' count, so that both ways are seen to do the work, and the most memory that was resident, in
bytes: asked from inside, because what a parent is told counts the parent's own pages at the fork.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

CONFIDENCE = 0.25


def ours(folder: str, picture: str) -> int:
    """The artifact through our tiles."""
    from deploy.threads import set_environment

    set_environment(threads=1)
    from deploy.artifacts import open_artifact
    from deploy.tiled.detector import TiledDetector
    from deploy.vision.images import read_rgb

    found = TiledDetector(open_artifact(Path(folder))).detect(read_rgb(Path(picture)))
    return 0 if found is None else len(found.boxes)


def sahi(folder: str, picture: str) -> int:
    """The same ONNX file as sahi runs it: by ultralytics."""
    from sahi.predict import get_sliced_prediction

    model = open_sahi(folder)
    found = get_sliced_prediction(picture, model, 640, 640, 0.2, 0.2, perform_standard_pred=False, verbose=0)
    return len(found.object_prediction_list)


def open_sahi(folder: str) -> Any:
    """sahi's model over the ONNX file of an artifact."""
    import logging

    logging.disable(logging.WARNING)
    from sahi import AutoDetectionModel

    from deploy.artifacts import open_artifact

    exported = open_artifact(Path(folder))
    names = getattr(exported.artifact.decode, "class_names", ())
    return AutoDetectionModel.from_pretrained(
        model_type="ultralytics",
        model_path=str(exported.model),
        confidence_threshold=CONFIDENCE,
        category_mapping={str(place): name for place, name in enumerate(names)},
        device="cpu",
    )


def peak_bytes() -> int:
    """The most that this program held since it began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    way = {"ours": ours, "sahi": sahi}[sys.argv[1]]
    sys.stdout.write(f"{way(sys.argv[2], sys.argv[3])} {peak_bytes()}\n")
