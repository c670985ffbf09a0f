"""What the harness costs, and how far its A/B verdict moves: ``python -m tests.bench.bench_harness``."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import numpy as np

from deploy.contracts.artifact import Golden
from deploy.contracts.decode import TensorsDecode
from deploy.contracts.plan import BenchPlan
from deploy.contracts.tensor import TensorSpec
from deploy.runtimes.onnx import OnnxRuntime
from deploy.statistics.ratio import paired_ratio
from deploy.threads import set_environment, usable_cores
from device_bench.harness.feed import TensorFeed, Tensors
from device_bench.harness.interleave import Pairs, Side, interleave
from device_bench.harness.loop import quiet_collector, timed_loop
from device_bench.harness.pipeline import Pipeline
from device_bench.samples import Row
from device_bench.score.pairs import basis_of
from tests.bench.row import BenchRow, row_of, tell

CHANNELS = 16
SIDE = 64
TARGET_MS = 2.0
BLOCK = 20
BLOCKS = 151
PAIRS = 150
SETS = 6
REPEATS = 3
INPUTS: Tensors = {"x": np.random.default_rng(0).random((1, CHANNELS, SIDE, SIDE), np.float32)}
SPECS = (TensorSpec(name="x", shape=(1, CHANNELS, SIDE, SIDE)),)
OUTPUTS = (TensorSpec(name="y", shape=(1, CHANNELS, SIDE, SIDE)),)


def run() -> list[BenchRow]:
    """Loop overhead on a 2 ms model, and the spread of the median pair ratio while every core is busy."""
    set_environment(1)
    with tempfile.TemporaryDirectory() as scratch:
        layers = _layers_for(TARGET_MS, Path(scratch))
        first = _open(Path(scratch), layers)
        second = _open(Path(scratch), layers + 2)
        milliseconds = _milliseconds(first)
        return [
            _overhead_row(first, milliseconds),
            _spread_row("quiet", first, second, milliseconds, 0),
            _spread_row("every core burning", first, second, milliseconds, usable_cores()),
        ]


class ClockedFeed(TensorFeed):
    """Reads the CPU clock when the loop asks for its first frame, so that what comes before is left out."""

    begun = 0.0

    def inputs(self, index: int) -> tuple[Tensors, None]:
        """See ``Feed``."""
        if index == 0:
            self.begun = process_time()
        return self._tensors[0], None


def _overhead_row(runtime: OnnxRuntime, milliseconds: float) -> BenchRow:
    """CPU time of the harness loop over that of ``for ...: run(inputs)``, block by block in turn."""
    pipeline, feed = Pipeline(_plan(), runtime), ClockedFeed([INPUTS], None)
    ended = 0.0

    def write(rows: list[Row]) -> None:
        nonlocal ended
        ended = process_time()

    def harness() -> float:
        timed_loop(pipeline, feed, 1 << 60, BLOCK, write)
        return ended - feed.begun

    def bare() -> float:
        with quiet_collector():  # its sweep leaves cold caches behind, and must do so for both
            start = process_time()
            for _ in range(BLOCK):
                runtime.run(INPUTS)
            return process_time() - start

    ratios = []
    for block in range(BLOCKS):
        own, other = (harness(), bare()) if block % 2 else (bare(), harness())
        ratios.append(own / other if block % 2 else other / own)
    name = f"harness loop over bare loop, {milliseconds:.1f} ms"
    return row_of(name, ratios, 1.02, direction="at most")


def _spread_row(
    condition: str, first: OnnxRuntime, second: OnnxRuntime, milliseconds: float, burners: int
) -> BenchRow:
    """Percent: (max - min) / median of the median pair ratio over sets of pairs."""
    a, b = (Side(Pipeline(_plan(), runtime), TensorFeed([INPUTS], None)) for runtime in (first, second))
    spreads = []
    with _burning(burners):
        for _ in range(REPEATS):
            found = []
            for _ in range(SETS):
                pairs = interleave(a, b, 1 << 60, PAIRS)
                found.append(_headline(pairs))
            spreads.append(100 * (max(found) - min(found)) / statistics.median(found))
    name = f"A/B spread, {condition}, {milliseconds:.1f} ms"
    return row_of(name, spreads, 3.0, direction="at most", unit=" %")


def _headline(pairs: Pairs) -> float:
    """The ratio that ``deploy bench A B --interleave`` would print."""
    walls, cpus = (pairs.a_wall_ns, pairs.b_wall_ns), (pairs.a_cpu_ns, pairs.b_cpu_ns)
    a, b = walls if basis_of(walls, cpus) == "wall" else cpus
    return paired_ratio(b, a, replicates=2).ratio


@contextmanager
def _burning(count: int) -> Iterator[None]:
    """Processes that do nothing but compute."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _plan() -> BenchPlan:
    return BenchPlan(
        plan_id="bench",
        artifact="bench",
        artifact_sha256="0" * 64,
        target="onnx",
        precision="fp32",
        model_file="model.onnx",
        model_sha256="0" * 64,
        inputs=SPECS,
        outputs=OUTPUTS,
        preprocess=None,
        decode=TensorsDecode(),
        golden=Golden(samples=(), sqnr_db=0.0),
        duration_ns=1,
        threads=1,
        seed=0,
    )


def _layers_for(milliseconds: float, scratch: Path) -> int:
    """Convolutions that take about that long on this machine."""
    once = _milliseconds(_open(scratch, 8)) / 8
    return max(1, round(milliseconds / once))


def _milliseconds(runtime: OnnxRuntime) -> float:
    """CPU time of a call; by wall time a 2 ms model was once taken for one of 9.6 ms on a busy machine."""
    times = []
    for _ in range(60):
        start = process_time()
        runtime.run(INPUTS)
        times.append(process_time() - start)
    return statistics.median(times[20:]) * 1e3


def _open(scratch: Path, layers: int) -> OnnxRuntime:
    """A chain of 3x3 convolutions, 16 channels, 64 x 64, on one thread."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(layers)
    weights = rng.normal(0, 0.08, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    names = ["x", *(f"h{index}" for index in range(1, layers)), "y"]
    nodes = [
        helper.make_node("Conv", [before, "w"], [after], pads=[1, 1, 1, 1])
        for before, after in itertools.pairwise(names)
    ]
    shape = [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    path = scratch / f"chain-{layers}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return OnnxRuntime(path, SPECS, OUTPUTS, 1)


if __name__ == "__main__":
    sys.exit(min(tell(run()), 1))
