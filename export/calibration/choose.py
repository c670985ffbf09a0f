"""Try every way of calibrating on held-out samples and keep the one that diverges least."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from export.calibration.divergence import divergence
from export.calibration.histogram import Observer
from export.calibration.methods import METHODS, Range

Outputs = Mapping[str, NDArray[np.generic]]
Ranges = dict[str, Range]


@dataclass(frozen=True)
class Trial:
    """One way of calibrating and how far from the reference it ended on the hold-out."""

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
    run: Callable[[Ranges], Sequence[Outputs]],
    whole: Collection[str] = (),
) -> Chosen:
    """Build the model with every candidate's ranges and compare it with the reference on held-out samples.

    Args:
        references: the fp32 outputs on the hold-out.
        run: builds the quantized model with the given ranges and runs the hold-out through it.
        whole: see ``ranges_of``.

    A single candidate is not tried: there is nothing to choose.
    """
    candidates = [(method, count) for method in methods for count in counts]
    if len(candidates) == 1:
        return Chosen(ranges_of(observer, *candidates[0], whole), (Trial(*candidates[0], divergence=None),))
    trials = [
        Trial(method, count, divergence(decode, references, run(ranges_of(observer, method, count, whole))))
        for method, count in candidates
    ]
    trials.sort(key=lambda trial: trial.divergence or 0.0)
    return Chosen(ranges_of(observer, trials[0].method, trials[0].samples, whole), tuple(trials))
