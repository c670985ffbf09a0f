"""Carry out a bench plan step by step; trouble in the model ends as a failed run, not a traceback."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Any

from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import DeviceRun, Failure, Reading
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from deploy.runtimes.protocol import Runtime
from deploy.store import sha256_tree
from device_bench import preflight
from device_bench.harness.chain import ChainPipeline, decoder_plan
from device_bench.harness.clips import run_clip
from device_bench.harness.feed import golden_inputs, open_feed
from device_bench.harness.loop import timed_loop
from device_bench.harness.machine import device_info, load_average, peak_memory
from device_bench.harness.pipeline import AnyPipeline
from device_bench.harness.progress import report
from device_bench.harness.record import Record, open_record
from device_bench.harness.self_test import self_test
from device_bench.harness.tiled import open_pipeline
from device_bench.harness.warm_up import warm_up
from device_bench.samples import SAMPLES, Row, write_rows


def measure(plan_folder: Path, out: Path) -> DeviceRun:
    """Run the plan in ``plan_folder``; samples and masks are written below ``out``, the run is returned.

    Raises:
        DeployError: the plan itself cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    record = open_record(plan_folder, out, device_info())
    record.taints += preflight.taints_before()
    record.load_average_before = load_average()
    failure = _attempt(record, plan_folder)
    record.load_average_after = load_average()
    return record.finish(failure)


def _attempt(record: Record, folder: Path) -> Failure | None:
    try:
        _steps(record, folder)
    except DeployError as error:
        return Failure(id=error.error_id, summary=error.summary)
    except MemoryError:
        return Failure(id="OUT-OF-MEMORY", summary="The model asked for more memory than there is.")
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        return Failure(id="MODEL-ERROR", summary=f"{type(error).__name__}: {reason}")
    return None


def _steps(record: Record, folder: Path) -> None:
    """Verify, load, first inference, self-test, warm-up, timed loop, clips."""
    plan = record.plan
    plans = [plan, *([decoder_plan(plan, plan.chain)] if plan.chain else [])]
    runtimes = [_load(record, each, folder) for each in plans]
    pipeline = _pipeline(plan, runtimes, folder)
    feed = open_feed(plan, folder)
    record.first_inference_ns = _first(pipeline, feed.inputs(0)[0])
    report("self-test")
    tests = [self_test(each, folder, runtime) for each, runtime in zip(plans, runtimes, strict=True)]
    record.golden = min(tests, key=lambda each: (each.status != "FAIL", each.sqnr_db or 0.0))
    if record.golden.status == "FAIL":
        raise DeployError("GOLDEN-MISMATCH", f"{record.golden.reason}.", "Export the model again.")
    report("warm-up")
    record.warm_up = warm_up(pipeline, feed, plan.warm_up)
    if not record.warm_up.steady:
        record.taints.append("NOT-STEADY")
    _timed(record, pipeline, feed)
    record.peak_memory, record.memory_kind = peak_memory()
    others = golden_inputs(folder, plan.golden.samples[0]) if plan.golden.samples else {}
    total = sum(len(clip.frames) for clip in plan.clips)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report("masks", done, total)

    for clip in plan.clips:
        result = run_clip(clip, plan, folder, record.out, pipeline, others, step)
        if result is not None:
            record.clips.append(result)


def _pipeline(plan: BenchPlan, runtimes: list[Runtime], folder: Path) -> AnyPipeline:
    if plan.chain is None:
        return open_pipeline(plan, runtimes[0])
    assert plan.preprocess is not None
    return ChainPipeline(plan.chain, plan.preprocess, runtimes[0], runtimes[1], folder)


def _load(record: Record, plan: BenchPlan, folder: Path) -> Runtime:
    """The timed load of a model whose bytes are the promised ones; a chain's loads are added up."""
    report("load")
    model = folder / plan.model_file
    if sha256_tree(model) != plan.model_sha256:
        raise DeployError(
            "ARTIFACT-CHANGED", f"{plan.model_file} is not the file its plan names.", "Export it again."
        )
    kind: Any = RUNTIMES.open(plan.target)
    reason = kind.why_not()
    if reason is not None:
        raise DeployError("RUNTIME-MISSING", f"{reason}.", "Bench it on a device that can run it.")
    kind.prepare()
    start = perf_counter_ns()
    runtime: Runtime = kind(model, plan.inputs, plan.outputs, plan.threads)
    record.load_ns = Reading(value=perf_counter_ns() - start + (record.load_ns.value or 0))
    return runtime


def _first(pipeline: AnyPipeline, inputs: Any) -> Reading:
    """The cold first inference: compilation, page faults and all; never mixed into the samples."""
    report("first inference")
    start = perf_counter_ns()
    pipeline.first(inputs)
    return Reading(value=perf_counter_ns() - start)


def _timed(record: Record, pipeline: AnyPipeline, feed: Any) -> None:
    plan = record.plan
    wall = cpu = 0
    report("timed", 0, plan.duration_ns)
    neighbours = preflight.NeighbourMeter.start()
    with (record.out / SAMPLES).open("w", encoding="ascii") as stream:

        def write(rows: list[Row]) -> None:
            nonlocal wall, cpu
            wall += sum(row[3] for row in rows)
            cpu += sum(row[5] for row in rows)
            write_rows(stream, rows, pipeline.stages)
            report("timed", rows[-1][1] if rows else 0, plan.duration_ns)

        timed_loop(pipeline, feed, plan.duration_ns, plan.max_iterations, write)
    if preflight.is_contended(wall, cpu):
        record.taints.append("CONTENDED")
    record.taints += neighbours.taints(plan.threads)
