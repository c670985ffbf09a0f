"""The untimed part: every clip once, frame by frame, its masks written as 8-bit PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.contracts.plan import BenchPlan, Clip
from deploy.contracts.run import ClipResult
from deploy.vision.images import read_rgb, write_png
from device_bench.harness.feed import PictureFeed, Tensors
from device_bench.harness.masks import class_indices, to_mask
from device_bench.harness.pipeline import AnyPipeline


def run_clip(
    clip: Clip,
    plan: BenchPlan,
    folder: Path,
    out: Path,
    pipeline: AnyPipeline,
    others: Tensors,
    step: Callable[[], None],
) -> ClipResult | None:
    """Write ``masks/<sequence>/<frame>.png`` (0 or 255) for every frame.

    Args:
        others: inputs of the model that are not the picture.
        step: called after every frame.

    Returns:
        The result, or ``None`` when this model gives no masks (classifier, box detector, plain tensors).
    """
    if plan.preprocess is None:
        return None
    classes = class_indices(plan.decode, plan.mask_classes)
    files: list[str] = []
    for frame in clip.frames:
        feed = PictureFeed([read_rgb(folder / frame.file)], plan.preprocess, others)
        prediction = pipeline.predict(feed, 0)
        mask = None if prediction is None else to_mask(prediction, classes)
        if mask is None:
            return None
        name = f"masks/{clip.sequence}/{Path(frame.file).stem}.png"
        write_png(out / name, mask.astype(np.uint8) * np.uint8(255))
        files.append(name)
        step()
    return ClipResult(sequence=clip.sequence, mask_files=tuple(files))
