"""Whether the prompt is used: sensitivity (answers differ) and selectivity (towards what was asked).

Sensitivity alone rewards noise, selectivity alone says little on pictures with one object; they are read
together. Both are higher-is-better.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.metrics.promptable.answers import Reading
from deploy.metrics.regions import region_similarity


@dataclass(frozen=True)
class Difference:
    """Sum of mean absolute differences over the pairs of prompts of one picture, and the number of pairs."""

    total: float
    pairs: int


def difference(readings: Sequence[Reading]) -> Difference:
    """How far answers to different prompts on one picture lie apart.

    For a pair: the mean over pixels of ``|f_i - f_j|``, where ``f`` is ``Reading.soft``, the probability
    that a pixel is foreground, at the resolution of the model's own masks. 0 when the prompt changes nothing.

    Args:
        readings: answers to different prompts of one kind.
    """
    maps = _alike([reading.soft for reading in readings])
    pairs = list(itertools.combinations(range(len(maps)), 2))
    total = sum(float(np.abs(maps[i] - maps[j]).mean()) for i, j in pairs)
    return Difference(total, len(pairs))


def separations(
    readings: Sequence[Reading], truths: Sequence[NDArray[np.bool_]], meant: Sequence[frozenset[int]]
) -> list[float]:
    """For every prompt p of one picture: IoU(answer, truth of p) - mean IoU(answer, truth of q).

    q runs over the other prompts whose objects are there and none of them p's. NaN where p's are not there,
    or no such q was asked. 1 is perfect, 0 an answer that does not depend on the prompt.

    Args:
        readings: N answers on one picture.
        truths: N true masks, bool (T, H, W) each.
        meant: N sets of the objects that each prompt means.
    """
    whole = [np.asarray(truth.any(axis=0), np.bool_) for truth in truths]
    found = []
    for number, reading in enumerate(readings):
        others = [k for k, objects in enumerate(meant) if objects and not objects & meant[number]]
        if not meant[number] or not others:
            found.append(float("nan"))
            continue
        mask = reading.union
        elsewhere = [region_similarity(mask, whole[k]) for k in others]
        found.append(region_similarity(mask, whole[number]) - float(np.mean(elsewhere)))
    return found


def _alike(maps: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """All maps at the size of the largest (an answer without a query has one pixel)."""
    if not maps:
        return []
    shape = max((each.shape for each in maps), key=lambda shape: shape[0] * shape[1])
    wide = (shape[1], shape[0])
    return [each if each.shape == shape else np.asarray(cv2.resize(each, wide), np.float32) for each in maps]
