"""One frame through a promptable chain: encoded once, asked for one phrase, each stage timed on its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns, process_time_ns

import numpy as np
from numpy.typing import NDArray

from deploy.bundles.stages import Stages, foreground
from deploy.contracts.plan import BenchPlan, ChainPlan
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import MaskPrediction
from deploy.errors import DeployError
from deploy.prompts.encode import encode_places
from deploy.prompts.types import Answer, Prompt
from deploy.runtimes.protocol import Runtime
from deploy.store import sha256_file
from device_bench.harness.feed import Feed, load_tensor
from device_bench.harness.pipeline import Times

ENCODER, DECODER = "image_encoder", "mask_decoder"


class ChainPipeline:
    """See ``device_bench.harness.pipeline.AnyPipeline``.

    Args:
        chain: the plan's chain block.
        spec: how pictures get into the image encoder.
        encoder: the loaded image encoder.
        decoder: the loaded mask decoder.
        folder: the plan's folder, which holds the phrase's embedding.

    Raises:
        DeployError: ``ARTIFACT-CHANGED`` for an embedding that is not the plan's.
    """

    stages: tuple[str, ...] = (ENCODER, DECODER)

    def __init__(
        self, chain: ChainPlan, spec: Preprocess, encoder: Runtime, decoder: Runtime, folder: Path
    ) -> None:
        if sha256_file(folder / chain.text_file) != chain.text_sha256:
            raise DeployError(
                "ARTIFACT-CHANGED", f"{chain.text_file} is not the file its plan names.", "Export it again."
            )
        self._stages = Stages(encoder, decoder, spec.input_name)
        self._picture, self._rules = spec.input_name, chain.thresholds
        self._text = np.asarray(load_tensor(folder / chain.text_file), np.float32)
        self._points, self._box = encode_places([Prompt(chain.phrase)], chain.points)

    def timed(self, feed: Feed, index: int) -> Times:
        """One frame of the timed loop; the mask is dropped."""
        start = perf_counter_ns()
        inputs, geometry = feed.inputs(index)
        before = perf_counter_ns()
        cpu = process_time_ns()
        features = self._encode(inputs)
        between = perf_counter_ns()
        answer = self._ask(features)
        cpu = process_time_ns() - cpu
        after = perf_counter_ns()
        if geometry is not None:
            foreground(answer, geometry.picture, self._rules)
        end = perf_counter_ns()
        return start, before - start, after - before, end - after, cpu, between - before, after - between

    def predict(self, feed: Feed, index: int) -> MaskPrediction | None:
        """Everything that the phrase means in one frame."""
        inputs, geometry = feed.inputs(index)
        answer = self._ask(self._encode(inputs))
        return None if geometry is None else MaskPrediction(foreground(answer, geometry.picture, self._rules))

    def first(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        """One inference of both models and nothing else."""
        self._ask(self._encode(inputs))

    def _encode(self, inputs: Mapping[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        return self._stages.encode(inputs[self._picture])  # type: ignore[arg-type]

    def _ask(self, features: NDArray[np.generic]) -> Answer:
        return self._stages.decode(features, self._text, self._points, self._box)


def decoder_plan(plan: BenchPlan, chain: ChainPlan) -> BenchPlan:
    """The plan of the mask decoder alone, for its load and its self-test."""
    doors = {"inputs": chain.inputs, "outputs": chain.outputs, "golden": chain.golden}
    return plan.model_copy(
        update={"model_file": chain.model_file, "model_sha256": chain.model_sha256, "chain": None, **doors}
    )
