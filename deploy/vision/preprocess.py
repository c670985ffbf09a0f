"""Carry out a ``Preprocess`` block: 8-bit picture in, model input and the geometry to get back out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.geometry import Geometry

_OPENCV = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def prepare(image: NDArray[np.uint8], spec: Preprocess) -> tuple[NDArray[np.float32], Geometry]:
    """Preprocess one picture.

    Args:
        image: uint8 (H, W, 3) RGB.
        spec: the declared steps.

    Returns:
        float32 (1, C, height, width), normalised (raw 0..255 for ``image`` inputs), and the geometry.

    Raises:
        DeployError: ``PICTURE-SIZE`` when ``resize`` is ``none`` and the size differs.
    """
    placed, geometry = place(image, spec)
    if spec.color == "BGR":
        placed = placed[..., ::-1]
    elif spec.color == "GRAY":
        placed = cv2.cvtColor(placed, cv2.COLOR_RGB2GRAY)[..., None]  # type: ignore[assignment]
    tensor: NDArray[np.float32] = np.ascontiguousarray(placed.transpose(2, 0, 1)[None], dtype=np.float32)
    if spec.input_kind == "tensor":
        normalise(tensor, spec)
    return tensor, geometry


def normalise(tensor: NDArray[np.float32], spec: Preprocess) -> None:
    """``(x / divisor - mean) / std`` in place on float32 (1, C, H, W).

    It divides: multiplying by 1/255 differs in the last bit and was seen to move 20 of 204 boxes.
    """
    np.divide(tensor, np.float32(spec.divisor), out=tensor)
    shape = (1, spec.channels, 1, 1)
    if any(spec.mean):
        np.subtract(tensor, np.asarray(spec.mean, np.float32).reshape(shape), out=tensor)
    if any(value != 1 for value in spec.std):
        np.divide(tensor, np.asarray(spec.std, np.float32).reshape(shape), out=tensor)


def pixels_of(tensor: NDArray[np.float32], spec: Preprocess) -> NDArray[np.float32]:
    """The pixels behind a normalised tensor (1, C, H, W): float32, whole numbers 0..255.

    The way back from what ``prepare`` gives for a tensor input to what it gives for an image input.
    """
    shape = (1, spec.channels, 1, 1)
    mean, std = (np.asarray(each, np.float32).reshape(shape) for each in (spec.mean, spec.std))
    pixels: NDArray[np.float32] = np.rint((tensor * std + mean) * np.float32(spec.divisor))
    return pixels


def place(image: NDArray[np.uint8], spec: Preprocess) -> tuple[NDArray[np.uint8], Geometry]:
    """The resize step alone: uint8 (height, width, 3) RGB and the geometry."""
    height, width = image.shape[:2]
    target = (spec.height, spec.width)
    if spec.resize == "none":
        if (height, width) != target:
            raise DeployError(
                "PICTURE-SIZE",
                f"The picture is {width}x{height}, and this model takes exactly {spec.width}x{spec.height}.",
                "Resize the pictures, or export with a resize mode.",
            )
        return image, Geometry((height, width), target, (1.0, 1.0), (0.0, 0.0))
    if spec.resize == "letterbox":
        return _letterbox(image, spec)
    if spec.resize == "shortest_crop":
        return _shortest_crop(image, spec)
    scale = (spec.width / width, spec.height / height)
    return _resize(image, target, spec), Geometry((height, width), target, scale, (0.0, 0.0))


def _letterbox(image: NDArray[np.uint8], spec: Preprocess) -> tuple[NDArray[np.uint8], Geometry]:
    """Scale to fit, centre, pad; rounding as in ultralytics' LetterBox so that boxes agree with it."""
    height, width = image.shape[:2]
    ratio = min(spec.height / height, spec.width / width)
    new_w, new_h = max(1, round(width * ratio)), max(1, round(height * ratio))
    dw, dh = (spec.width - new_w) / 2, (spec.height - new_h) / 2
    left, top = round(dw - 0.1), round(dh - 0.1)
    canvas = np.full((spec.height, spec.width, 3), spec.pad_value, np.uint8)
    canvas[top : top + new_h, left : left + new_w] = _resize(image, (new_h, new_w), spec)
    return canvas, Geometry(
        (height, width),
        (spec.height, spec.width),
        (ratio, ratio),
        (float(left), float(top)),
    )


def _shortest_crop(image: NDArray[np.uint8], spec: Preprocess) -> tuple[NDArray[np.uint8], Geometry]:
    """Shorter side to floor(size / crop_fraction), then the centre: timm's and torchvision's evaluation."""
    height, width = image.shape[:2]
    goal_h = int(spec.height / spec.crop_fraction)
    goal_w = int(spec.width / spec.crop_fraction)
    if goal_h == goal_w:
        short = min(height, width)
        new_h = goal_h if height == short else int(goal_h * height / short)
        new_w = goal_w if width == short else int(goal_w * width / short)
    else:
        ratio = max(goal_h / height, goal_w / width)
        new_h, new_w = round(height * ratio), round(width * ratio)
    resized = _resize(image, (new_h, new_w), spec)
    top, left = round((new_h - spec.height) / 2), round((new_w - spec.width) / 2)
    cut = resized[top : top + spec.height, left : left + spec.width]
    scale = (new_w / width, new_h / height)
    return cut, Geometry(
        (height, width),
        (spec.height, spec.width),
        scale,
        (-float(left), -float(top)),
    )


def _resize(image: NDArray[np.uint8], size: tuple[int, int], spec: Preprocess) -> NDArray[np.uint8]:
    if image.shape[:2] == size:
        return image
    height, width = size
    if spec.antialias:
        from PIL import Image

        modes: dict[str, Any] = {
            "nearest": Image.Resampling.NEAREST,
            "bilinear": Image.Resampling.BILINEAR,
            "bicubic": Image.Resampling.BICUBIC,
        }
        resized = Image.fromarray(image).resize((width, height), modes[spec.interpolation])
        return np.asarray(resized)
    return cv2.resize(image, (width, height), interpolation=_OPENCV[spec.interpolation])  # type: ignore[return-value]
