"""How much faster 8 bits are on this machine's processor: two files of one model, in turn, in one process."""

from __future__ import annotations

import statistics
from pathlib import Path
from time import perf_counter

import numpy as np

from deploy.contracts.artifact import Artifact
from export.runners import runner_for

RUNS, THREADS = 20, 2


def speedup(slow: tuple[Path, Artifact], quick: tuple[Path, Artifact]) -> tuple[float, float, float]:
    """Median milliseconds of both over ``RUNS`` alternating runs, and the median of the runs' ratios."""
    sessions = []
    for folder, artifact in (slow, quick):
        runtime, _ = runner_for(artifact.target, artifact.deployment)
        sessions.append(runtime(folder / artifact.model_file, artifact.inputs, artifact.outputs, THREADS))
    generator = np.random.default_rng(0)
    feed = {spec.name: generator.random(spec.shape, np.float32) for spec in slow[1].inputs}
    times: list[list[float]] = [[], []]
    for turn in range(-3, RUNS):
        for place in (0, 1) if turn % 2 else (1, 0):
            started = perf_counter()
            sessions[place].run(feed)
            if turn >= 0:
                times[place].append((perf_counter() - started) * 1000)
    ratio = statistics.median(one / other for one, other in zip(*times, strict=True))
    return statistics.median(times[0]), statistics.median(times[1]), ratio
