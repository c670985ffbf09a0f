"""One frame through preprocess, inference and decode, each stage timed on its own."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, process_time_ns
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import BenchPlan
from deploy.decode import DECODERS
from deploy.decode.predictions import Prediction
from deploy.runtimes.protocol import Runtime
from device_bench.harness.feed import Feed

Times = tuple[int, ...]
"""t_ns (start, this process's monotonic clock), pre_ns, infer_ns, post_ns, cpu_ns (of the inference), then
the stages of a chain."""


class AnyPipeline(Protocol):
    """A loaded model or chain. ``stages`` names what stands behind the five usual numbers of ``timed``."""

    stages: tuple[str, ...]

    def timed(self, feed: Feed, index: int) -> Times:
        """One frame of the timed loop; the prediction is dropped."""
        ...

    def predict(self, feed: Feed, index: int) -> Prediction | None:
        """The decoded prediction of one frame; ``None`` where the model takes no picture."""
        ...

    def first(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        """One inference and nothing else."""
        ...


class Pipeline:
    """A loaded model with its declared way in and out."""

    stages: tuple[str, ...] = ()

    def __init__(self, plan: BenchPlan, runtime: Runtime) -> None:
        self._run = runtime.run
        self._decoder: Any = DECODERS.open(plan.decode.kind)(plan.decode, plan.preprocess)

    def timed(self, feed: Feed, index: int) -> Times:
        """One frame of the timed loop; the prediction is dropped."""
        start = perf_counter_ns()
        inputs, geometry = feed.inputs(index)
        before = perf_counter_ns()
        cpu = process_time_ns()
        outputs = self._run(inputs)
        cpu = process_time_ns() - cpu
        after = perf_counter_ns()
        if geometry is not None:
            self._decoder.decode(outputs, geometry)
        end = perf_counter_ns()
        return start, before - start, after - before, end - after, cpu

    def first(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        """One inference and nothing else."""
        self._run(inputs)

    def predict(self, feed: Feed, index: int) -> Prediction | None:
        """The decoded prediction of one frame; ``None`` where the model takes no picture."""
        inputs, geometry = feed.inputs(index)
        outputs: Mapping[str, NDArray[np.generic]] = self._run(inputs)
        if geometry is None:
            return None
        prediction: Prediction = self._decoder.decode(outputs, geometry)
        return prediction
