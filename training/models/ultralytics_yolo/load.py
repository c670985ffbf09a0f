"""YOLO files as plain modules, read without running any code from them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError
from training.models.ultralytics_yolo.offline import demand_ultralytics, settle

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class YoloModel:
    """A fused fp32 YOLO in export form.

    ``module`` takes (1, 3, H, W) RGB in 0..1 and returns the head (1, 4 + classes + coefficients, anchors),
    and the prototypes (1, coefficients, H/4, W/4) for a segmentation head. ``layout`` is ultralytics' own
    description of the layers, plain JSON types, from which ``build`` makes the module again.
    """

    module: nn.Module
    class_names: tuple[str, ...]
    image_size: int
    stride: int
    mask_coefficients: int
    layout: dict[str, Any] = field(default_factory=dict)


def load_yolo(path: Path) -> YoloModel:
    """Load a detection or segmentation checkpoint without running any code from it.

    Raises:
        DeployError: ``EXTRA-MISSING``, ``CHECKPOINT-BROKEN``, ``CHECKPOINT-UNSAFE``, ``CHECKPOINT-KIND`` or
            ``WEIGHTS-NAN``.
    """
    demand_ultralytics(f"{path} looks like an ultralytics checkpoint")
    model = _unpickle(path).float().eval()
    head = model.model[-1]
    if type(head).__name__ not in ("Detect", "Segment") or getattr(head, "end2end", False):
        raise DeployError(
            "CHECKPOINT-KIND",
            f"{path} has a {type(head).__name__} head; detection and segmentation heads are supported.",
            "Export a YOLO detect or segment checkpoint (YOLOv8 or YOLO11).",
        )
    _check_finite(model, path)
    model = model.fuse(verbose=False)
    head.export = True
    names = model.names
    return YoloModel(
        module=model,
        class_names=tuple(names[index] for index in range(len(names))),
        image_size=int(model.args.get("imgsz", 640)) if isinstance(model.args, dict) else 640,
        stride=int(max(model.stride)),
        mask_coefficients=int(getattr(head, "nm", 0)),
        layout=dict(model.yaml),
    )


def _unpickle(path: Path) -> Any:
    """The model object of a checkpoint, read with an allow-list of ultralytics' own classes."""
    settle()
    import pickle

    from ultralytics.nn import tasks

    from training.models.weights import culprit, wants_code

    if not tasks._SafeLoad.SUPPORTED:  # ultralytics would quietly fall back to running the file's code
        raise DeployError(
            "CHECKPOINT-UNSAFE",
            f"The installed torch cannot read {path} without running its code.",
            "Install the versions this project is tested with, and check them with: deploy doctor",
        )
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    try:
        checkpoint, _ = tasks.torch_safe_load(str(path), safe_only=True)  # type: ignore[no-untyped-call]
    except Exception as error:
        refusal = error.__cause__ or error
        if isinstance(refusal, pickle.UnpicklingError) and wants_code(path, str(refusal)):
            raise _unsafe(path, refusal) from error
        raise DeployError(
            "CHECKPOINT-BROKEN",
            f"{path} cannot be read as a checkpoint: {culprit(error)}",
            "It may be cut short; copy it again.",
        ) from error
    model = checkpoint.get("ema") or checkpoint.get("model") if isinstance(checkpoint, dict) else None
    if not hasattr(model, "fuse"):
        raise DeployError(
            "CHECKPOINT-KIND",
            f"{path} holds weights without a model.",
            f"Name the code that builds it: deploy export my_pkg.models:build --weights {path} "
            "--input image=1x3x256x256",
        )
    return model


def _unsafe(path: Path, error: BaseException) -> DeployError:
    from training.models.weights import culprit

    return DeployError(
        "CHECKPOINT-UNSAFE",
        f"{path} asks for code to be run on reading; nothing was run ({culprit(error)}).",
        "Do not trust this file. If it is yours, save its state dict as safetensors.",
    )


def _check_finite(model: nn.Module, path: Path) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise DeployError(
                "WEIGHTS-NAN", f"{path}: {name} holds NaN or infinity.", "Go back to an earlier checkpoint."
            )
