"""Read what ``deploy detect`` wrote, beside the truth of the same pictures."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np

from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.errors import DeployError
from training.data.labelled import LabelledPicture
from training.data.labelled_folders import open_labelled


def read_beside_truth(
    rows: Path, folder: Path
) -> tuple[list[LabelledPicture], list[InstancePrediction], list[InstanceTruth], tuple[str, ...]]:
    """Pictures of a labelled folder that have detections, those, the truth, and the class names.

    Classes are matched by name; detections of a class that the folder does not have are left out.

    Raises:
        DeployError: ``DETECTIONS-BROKEN``, ``DETECTIONS-ELSEWHERE`` when no picture is in both, and what
            reading the folder raises.
    """
    found = open_labelled(folder)
    detected = _read(rows, found.class_names)
    pictures = [picture for picture in found.pictures if picture.name in detected]
    if not pictures:
        raise DeployError(
            "DETECTIONS-ELSEWHERE",
            f"None of the pictures of {folder} is in {rows}.",
            f"Detect in that folder: deploy detect ARTIFACT {folder / 'images'} --out detections",
        )
    truths = [
        InstanceTruth(
            picture.size,
            np.array([each.box for each in picture.objects], np.float32).reshape(-1, 4),
            np.array([each.klass for each in picture.objects], np.int64),
        )
        for picture in pictures
    ]
    return pictures, [detected[picture.name] for picture in pictures], truths, found.class_names


def _read(path: Path, names: tuple[str, ...]) -> dict[str, InstancePrediction]:
    found = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            objects = [each for each in row.get("objects") or () if each["label"] in names]
            name = PurePosixPath(row["picture"]).with_suffix("").as_posix()
            found[name.removeprefix("images/")] = InstancePrediction(
                np.array([each["box"] for each in objects], np.float32).reshape(-1, 4),
                np.array([each["score"] for each in objects], np.float32),
                np.array([names.index(each["label"]) for each in objects], np.int64),
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeployError(
            "DETECTIONS-BROKEN",
            f"{path} is no list of detections ({error}).",
            "Name the detections.jsonl that deploy detect wrote.",
        ) from error
    return found
