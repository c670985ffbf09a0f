"""One whole picture through a detector that declares tiles: cut, run, decoded, merged, each stage timed."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns, process_time_ns

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import BenchPlan
from deploy.decode.predictions import InstancePrediction
from deploy.errors import DeployError
from deploy.runtimes.protocol import Runtime
from deploy.tiled.detector import floor_of
from deploy.tiled.finish import finish
from deploy.tiled.sight import BoxDecoder, Sight
from deploy.vision.geometry import Geometry
from device_bench.harness.feed import Feed, PictureFeed
from device_bench.harness.pipeline import AnyPipeline, Pipeline, Times


def open_pipeline(plan: BenchPlan, runtime: Runtime) -> AnyPipeline:
    """The pipeline of one loaded model: over tiles where its plan declares them."""
    if plan.preprocess is not None and plan.preprocess.tiling is not None:
        return TiledPipeline(plan, runtime)
    return Pipeline(plan, runtime)


class TiledPipeline:
    """See ``device_bench.harness.pipeline.AnyPipeline``: the times of a frame are sums over its tiles."""

    stages: tuple[str, ...] = ()

    def __init__(self, plan: BenchPlan, runtime: Runtime) -> None:
        spec = plan.preprocess
        assert spec is not None
        assert spec.tiling is not None
        self._run = runtime.run
        self._tiling, self._confidence = spec.tiling, getattr(plan.decode, "confidence", 0.0)
        self._decoder = _TimedDecoder(plan, floor_of(spec.tiling, self._confidence))
        self._sight = Sight(self._timed_run, plan.inputs, spec, spec.tiling)
        self._infer = self._cpu = 0

    def timed(self, feed: Feed, index: int) -> Times:
        """One frame of the timed loop; what is neither inference, decoding nor merging is preprocessing."""
        picture = _picture(feed, index)
        self._infer = self._cpu = self._decoder.spent = 0
        start = perf_counter_ns()
        raw = self._sight.look(picture, [self._decoder])[0]
        before = perf_counter_ns()
        finish(raw, self._tiling, self._confidence)
        end = perf_counter_ns()
        post = end - before + self._decoder.spent
        return start, end - start - post - self._infer, self._infer, post, self._cpu

    def first(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        """One inference of one tile and nothing else."""
        self._run(inputs)

    def predict(self, feed: Feed, index: int) -> InstancePrediction | None:
        """The merged objects of one frame; ``None`` where the gate says that there is no answer."""
        raw = self._sight.look(_picture(feed, index), [self._decoder])[0]
        return finish(raw, self._tiling, self._confidence)

    def _timed_run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        start, cpu = perf_counter_ns(), process_time_ns()
        outputs = self._run(inputs)
        self._cpu += process_time_ns() - cpu
        self._infer += perf_counter_ns() - start
        return outputs


class _TimedDecoder(BoxDecoder):
    """A decoder that adds up its time in ``spent`` (ns)."""

    def __init__(self, plan: BenchPlan, confidence: float) -> None:
        assert plan.preprocess is not None
        super().__init__(plan.decode, plan.preprocess, confidence)
        self.spent = 0

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> InstancePrediction:
        """One tile's boxes; see ``BoxDecoder``."""
        start = perf_counter_ns()
        found = super().decode(outputs, geometry)
        self.spent += perf_counter_ns() - start
        return found


def _picture(feed: Feed, index: int) -> NDArray[np.uint8]:
    if not isinstance(feed, PictureFeed):
        raise DeployError(
            "NO-FRAMES",
            "This model cuts pictures into tiles, and its plan holds tensors alone.",
            "Give pictures with --clip.",
        )
    return feed.picture(index)
