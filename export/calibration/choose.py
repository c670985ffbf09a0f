"""Try every way of calibrating on held-out samples and keep the one that diverges least.

All are tried on a quarter of the samples, the better half of them on another quarter, the better half of
those on the rest (successive halving: Jamieson and Talwalkar, 2016, arXiv 1502.07943). Near the top they
differ by less than 16 pictures can tell; so 32 cost what 16 did when every way saw them all. Samples are
averaged geometrically: one picture with a single unsure detection can diverge as much as ten others together.

A way that is better by less than two standard errors is not better, and then the preferred one wins: it knows
only the tensors, so that it fits pictures of another kind than the hold-out's as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from export.calibration.divergence import divergences
from export.calibration.histogram import Observer
from export.calibration.methods import METHODS, PREFERRED, Range

Outputs = Mapping[str, NDArray[np.generic]]
Ranges = dict[str, Range]

_SMALLEST = 1e-12
_LEAST_TO_HALVE = 8
"""Held-out samples below which every way sees them all."""


@dataclass(frozen=True)
class Trial:
    """One way of calibrating and how far from the reference it was on the held-out samples that it saw."""

    method: str
    samples: int
    divergence: float | None


@dataclass(frozen=True)
class Chosen:
    """The winner's ranges by tensor name, and every trial, best first."""

    ranges: Ranges
    trials: tuple[Trial, ...]


def ranges_of(observer: Observer, method: str, samples: int, whole: Collection[str] = ()) -> Ranges:
    """Range of every tensor by one method after so many samples; always holds 0, which must be exact.

    Args:
        whole: names of tensors whose range is never clipped, whatever the method.
    """
    found = {}
    for name, histogram in observer.after(samples).items():
        low, high = METHODS["minmax" if name in whole else method](histogram)
        found[name] = (min(low, 0.0), max(high, 0.0))
    return found


def choose(
    observer: Observer,
    methods: Sequence[str],
    counts: Sequence[int],
    decode: Decode,
    references: Sequence[Outputs],
    run: Callable[[Ranges, Sequence[int]], Sequence[Outputs]],
    whole: Collection[str] = (),
) -> Chosen:
    """Build the model with every candidate's ranges and compare it with the reference on held-out samples.

    Args:
        references: the fp32 outputs on the hold-out.
        run: builds the quantized model with the given ranges and runs these samples of the hold-out.
        whole: see ``ranges_of``.

    A single candidate is not tried: there is nothing to choose.
    """
    candidates = [(method, count) for method in methods for count in counts]
    if len(candidates) == 1:
        return Chosen(ranges_of(observer, *candidates[0], whole), (Trial(*candidates[0], divergence=None),))
    logs = {each: np.empty(0) for each in candidates}
    left, done = candidates, list[tuple[str, int]]()
    for part in _parts(len(references)):
        for each in left:
            outputs = run(ranges_of(observer, *each, whole), part)
            found = divergences(decode, [references[index] for index in part], outputs)
            logs[each] = np.append(logs[each], np.log(np.maximum(found, _SMALLEST)))
        left = sorted(left, key=lambda each: float(logs[each].mean()))
        kept = _kept(left) if len(logs[left[0]]) < len(references) else left
        done[:0] = [each for each in left if each not in kept]
        left = kept
    first = _settled(left, logs)
    trials = [
        Trial(*each, divergence=math.exp(logs[each].mean()))
        for each in (first, *(each for each in (*left, *done) if each != first))
    ]
    return Chosen(ranges_of(observer, *first, whole), tuple(trials))


def _kept(ranked: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The better half, and the best of the preferred method whatever its place."""
    half = (len(ranked) + 1) // 2
    preferred = next((each for each in ranked if each[0] == PREFERRED), None)
    return [each for place, each in enumerate(ranked) if place < half or each == preferred]


def _settled(
    ranked: Sequence[tuple[str, int]], logs: Mapping[tuple[str, int], NDArray[np.float64]]
) -> tuple[str, int]:
    """The first, unless the preferred method is within two standard errors of it, picture by picture."""
    for each in ranked:
        more = logs[each] - logs[ranked[0]]
        if each[0] == PREFERRED and len(more) > 1 and more.mean() <= 2 * more.std(ddof=1) / len(more) ** 0.5:
            return each
    return ranked[0]


def _parts(samples: int) -> list[range]:
    """Which samples a round sees: a quarter, a quarter and the rest, each an even spread over all."""
    if samples < _LEAST_TO_HALVE:
        return [range(samples)]
    return [range(0, samples, 4), range(2, samples, 4), range(1, samples, 2)]
