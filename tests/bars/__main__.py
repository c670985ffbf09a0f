"""``make bars-int8``: what fp16 and 8 bits cost on every target, beside what peers' 8 bits cost.

``python -m tests.bars MODEL`` takes one model.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from tests.bars.commands import export, verify
from tests.bars.latency import speedup
from tests.bars.models import Bench, benches
from tests.bars.peers import onnxruntime_static, ultralytics_int8

FP16_DROP, BOX_DROP, MASK_DROP, AUTO_DROP, AGREEMENT, SIZE = 0.002, 0.010, 0.015, 0.005, 0.97, 0.30
LEAST_BYTES = 1_000_000
SPEEDUP = 1.6


def main() -> int:
    """Print every figure with its interval and bar; 1 when a bar is missed."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(os.environ.get("POCKETPROOF_BARS", name))
        for bench in benches(root, sys.argv[1:]):
            for line, passed in _bench(bench):
                sys.stdout.write(f"{'ok    ' if passed else 'MISSED'}  {line}\n")
                sys.stdout.flush()
                missed += not passed
    sys.stdout.write(f"{missed} bars missed\n" if missed else "every bar is cleared\n")
    return 1 if missed else 0


def _bench(bench: Bench) -> Iterator[tuple[str, bool]]:
    """One model: all targets at fp32 (for the sizes), fp16 and w8a8, and its peers."""
    sys.stdout.write(f"\n{bench.name}: {bench.told}\n")
    built = export(bench.folder, bench.spec, "-t", bench.targets, "-p", bench.precisions, *bench.export)
    for (target, precision), (_, artifact) in built.items():
        if precision == "w8a8" and (target, "fp32") in built:
            share = artifact.model_bytes / built[target, "fp32"][1].model_bytes
            line = f"{bench.name} {target} w8a8: size {share:.2f} of fp32"
            if artifact.model_bytes < LEAST_BYTES:
                yield f"{line} (no bar: the graph weighs as much as the weights)", True
            else:
                yield f"{line}, at most {SIZE}", share <= SIZE
    for target in ("onnx", "executorch"):
        slow, quick, ratio = speedup(built[target, "fp32"], built[target, "w8a8"])
        line = f"{bench.name} {target} w8a8: {slow:.1f} -> {quick:.1f} ms on this CPU, {ratio:.2f} x as fast"
        if built[target, "w8a8"][1].model_bytes < LEAST_BYTES:
            yield f"{line} (no bar: too small a model)", True
        else:
            yield f"{line}, at least {SPEEDUP}", ratio >= SPEEDUP
    if not bench.metric:
        return
    folders = [folder for (t, precision), (folder, _) in built.items() if precision in ("fp16", "w8a8")]
    report = verify(bench.folder, *folders, *bench.verify)
    expected = {(t, p) for t in ("onnx", "coreml", "executorch") for p in ("fp16", "w8a8")}
    measured = {(row.target, row.precision): row for row in report.rows}
    for cell in sorted(expected):
        if cell not in measured:
            yield f"{bench.name} {' '.join(cell)}: no file", False
            continue
        yield from _judge(bench, measured[cell])
    if bench.also:
        for row in verify(bench.folder, *folders, *bench.also).rows:
            yield f"{bench.name} {row.label}, on all photos: {_figures(row)} (no bar)", True
    if bench.tune is not None:
        yield from _auto(bench)
    if bench.peers:
        for row in _peers(bench, built["onnx", "fp32"][0], built["torch", "fp32"][0]).rows:
            yield f"{bench.name} PEER {row.name}: {_figures(row)}", True


def _judge(bench: Bench, row: AccuracyRow) -> Iterator[tuple[str, bool]]:
    label = f"{bench.name} {row.label}: {_figures(row)}"
    drops = {figures.metric: figures.drop for figures in row.figures}
    if row.status != "MEASURED":
        yield f"{bench.name} {row.label}: {row.reason}", False
    elif "box_mAP50-95" in drops and row.precision == "w8a8":
        yield f"{label}; box <= {BOX_DROP}", drops["box_mAP50-95"] <= BOX_DROP
        yield f"{label}; mask <= {MASK_DROP}", drops["mask_mAP50-95"] <= MASK_DROP
    elif row.precision == "fp16":
        yield f"{label}; within {FP16_DROP}", abs(drops[bench.metric]) <= FP16_DROP
    elif bench.metric == "agreement":
        yield f"{label}; agreement >= {AGREEMENT}", (row.agreement or 0) >= AGREEMENT
    else:
        yield f"{label}; drop <= {BOX_DROP}", drops[bench.metric] <= BOX_DROP


def _auto(bench: Bench) -> Iterator[tuple[str, bool]]:
    """The automatic mix, searched on one half of the labelled pictures and reported on the other."""
    assert bench.tune is not None
    tune, judge = bench.tune
    options = ["-t", "all", "-p", "auto", "--budget", str(AUTO_DROP), "--tune-data", tune]
    built = export(bench.folder, bench.spec, *options, *bench.export)
    folders = {target: folder for (target, _), (folder, _) in built.items() if target != "torch"}
    for target in sorted({"onnx", "coreml", "executorch"} - folders.keys()):
        yield f"{bench.name} {target} auto: no file", False
    if not folders:
        return
    for row in verify(bench.folder, *folders.values(), "--data", judge).rows:
        drops = {figures.metric: figures.drop for figures in row.figures}
        label = f"{bench.name} {row.label}: {_figures(row)}; at most {AUTO_DROP}"
        yield label, bench.metric in drops and drops[bench.metric] <= AUTO_DROP


def _peers(bench: Bench, fp32: Path, reference: Path) -> AccuracyReport:
    from deploy.contracts.artifact import MANIFEST, Artifact

    artifact = Artifact.load(fp32 / MANIFEST)
    assert artifact.preprocess is not None
    work = bench.folder / "peers"
    work.mkdir(exist_ok=True)
    pictures = bench.peers
    files = [
        ultralytics_int8(Path(bench.spec), pictures, work),
        onnxruntime_static(fp32 / artifact.model_file, pictures, artifact.preprocess, work),
    ]
    return verify(bench.folder, *files, "--reference", reference, *bench.verify)


def _figures(row: AccuracyRow) -> str:
    figures = ", ".join(
        f"{each.metric} {each.reference:.4f} -> {each.value:.4f}, drop {each.drop:+.4f} "
        f"[{each.low:+.4f}, {each.high:+.4f}]"
        for each in row.figures
        if "50" not in each.metric or each.metric.endswith("50-95")
    )
    return figures + ("" if row.agreement is None else f", agreement {row.agreement:.4f}")


if __name__ == "__main__":
    sys.exit(main())
