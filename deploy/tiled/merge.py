"""Boxes of overlapping tiles to one box an object: suppression and merging, equal to sahi's."""

from __future__ import annotations

import numpy as np

from deploy.contracts.tiling import Merge
from deploy.tiled.merging.groups import Ranked, groups_of
from deploy.tiled.merging.grow import grow
from deploy.tiled.raw import RawDetections


def merge(raw: RawDetections, how: Merge) -> RawDetections:
    """Merge what overlaps.

    Boxes, scores, classes and their order are those of sahi 0.12.8's postprocess classes on the same boxes
    (inside the picture, float32): for ``nms`` best score first; for ``nmm`` and ``greedy_nmm`` class by class
    (one group when classes are ignored), best score first. Equal scores follow x1, y1, x2, y2. ``none``
    returns the boxes as they are.

    Returns:
        The boxes that stay; a grown box keeps the tile of its best member.
    """
    if how.kind == "none" or not len(raw.boxes):
        return raw
    groups = np.zeros(len(raw.boxes), np.int64) if how.class_agnostic else raw.classes
    left, top, right, bottom = raw.boxes.T
    order = np.lexsort((bottom, right, top, left, -raw.scores, groups))
    ranked = Ranked(raw.boxes[order], raw.scores[order], groups[order], order)
    found = groups_of(ranked, how.metric, how.threshold, chains=how.kind == "nmm")
    kept = raw.take(order[found.keepers])
    if how.kind == "nms":
        return kept.take(np.argsort(-kept.scores, kind="stable"))
    boxes, classes = grow(ranked, raw.classes[order], found, how.metric, how.threshold)
    return RawDetections(boxes, kept.scores, classes, kept.tiles, raw.size)
