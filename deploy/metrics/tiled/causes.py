"""Why a detection is wrong: the classes of error of TIDE (Bolya et al., ECCV 2020), for tiles."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.tiled.matching import Matched

Cause = Literal["duplicate", "class_swap", "localisation", "unlabelled_truth_candidate", "background"]
CAUSES: tuple[Cause, ...] = get_args(Cause)

_TOUCHES = 0.1  # TIDE's background threshold
_MOSTLY = 0.5


def causes(matched: Matched, threshold: float, convincing: NDArray[np.float32]) -> list[tuple[int, Cause]]:
    """Index and cause of every false positive of a picture; the first that fits counts.

    - ``duplicate``: on an object of its class that a better detection met, either by IoU or as a part of it:
      at least half of the box lies inside, which is what an object cut by a tile's edge looks like.
    - ``class_swap``: on an object of another class.
    - ``localisation``: it touches an object (IoU at least 0.1).
    - ``unlabelled_truth_candidate``: nothing is labelled there, and it is as sure as half of the detections
      of its class that are right: a person should look.
    - ``background``: the rest.

    Args:
        matched: one picture's pairs.
        threshold: least IoU of a match.
        convincing: float32 (classes,), median score of the right detections of each class; infinite where
            there are none.
    """
    wrong = np.flatnonzero(matched.false_positives).tolist()
    return [(place, _cause(matched, place, threshold, convincing)) for place in wrong]


def convincing_scores(pictures: list[Matched], classes: int) -> NDArray[np.float32]:
    """Median score of the right detections of each class over all pictures, float32 (classes,)."""
    found = np.full(classes, np.inf, np.float32)
    for label in range(classes):
        right = [each.scores[each.true_positives & (each.classes == label)] for each in pictures]
        scores = np.concatenate([np.zeros(0, np.float32), *right])
        if len(scores):
            found[label] = np.median(scores)
    return found


def _cause(matched: Matched, place: int, threshold: float, convincing: NDArray[np.float32]) -> Cause:
    iou, inside = matched.iou[place], matched.inside[place]
    same = matched.truth_classes == matched.classes[place]
    on = (iou >= threshold) | (inside >= _MOSTLY)
    if bool((on & same & matched.found).any()):
        return "duplicate"
    if bool(((iou >= threshold) & ~same).any()):
        return "class_swap"
    if bool((iou >= _TOUCHES).any()):
        return "localisation"
    if matched.scores[place] >= convincing[matched.classes[place]]:
        return "unlabelled_truth_candidate"
    return "background"
