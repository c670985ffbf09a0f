"""An ultralytics segmentation checkpoint as a teacher that is asked for classes by their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.decode.nms import non_maximum_suppression
from deploy.errors import DeployError
from deploy.prompts.types import Answer, Answerer, Prompt, PromptKind, World
from deploy.store import sha256_file
from deploy.vision.geometry import to_picture, to_picture_plane
from deploy.vision.preprocess import prepare

_LEAST = 0.05
"""Objects below this confidence are noise even to a student that sees scores."""

_SAME = 0.7
"""Boxes of a class that overlap more are one object (ultralytics' own default)."""

_MOST = 100
_OUTSIDE = -10.0
_KEPT = 4096
_STEP = 4
"""Masks are kept at a quarter of the picture's side, which is what the prototypes resolve."""


class UltralyticsTeacher:
    """Answers with the instances of every class that a phrase means; the presence is the best one's score.

    Args:
        path: a segmentation checkpoint.
        world: its vocabulary says which class names a phrase means.

    Raises:
        DeployError: ``CHECKPOINT-KIND`` for a detector, ``TEACHER-CANNOT-ANSWER`` for a phrase that means
            nothing the model knows, and what ``load_yolo`` raises.
    """

    kinds: frozenset[PromptKind] = frozenset({"text"})

    def __init__(self, path: Path, world: World) -> None:
        from training.models.ultralytics_yolo import load_yolo

        if not path.is_file():
            raise DeployError("CHECKPOINT-MISSING", f"{path} does not exist.", "Check the path of --teacher.")
        yolo = load_yolo(path)
        if not yolo.mask_coefficients:
            raise DeployError(
                "CHECKPOINT-KIND",
                f"{path} is a detector; a teacher of masks must give masks.",
                "Use a segmentation checkpoint such as yolov8n-seg.pt.",
            )
        self.name, self.sha256 = path.stem, sha256_file(path)
        self._module, self._names = yolo.module, yolo.class_names
        self._meanings = world.vocabulary.meanings
        strange = [text for text, meant in self._meanings.items() if not meant & set(self._names)]
        if strange:
            raise DeployError(
                "TEACHER-CANNOT-ANSWER",
                f"{path} has no class for {len(strange)} phrases, such as {strange[0]!r}.",
                "Use data whose class names the teacher knows.",
            )
        size = yolo.image_size
        self._spec = Preprocess(input_name="image", width=size, height=size, resize="letterbox")
        self._seen = lru_cache(maxsize=_KEPT)(self._look)

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt; the picture is looked at once.

        Raises:
            DeployError: ``TEACHER-CANNOT-ANSWER`` for points and boxes.
        """
        if any(prompt.kind != "text" for prompt in prompts):
            raise DeployError(
                "TEACHER-CANNOT-ANSWER",
                f"{self.name} answers class names, and was asked a point or a box.",
                "Ask phrases only: --set point=0 --set box=0 --set text=1",
            )
        masks, scores, classes = self._seen(image.tobytes(), image.shape)
        answers = []
        for prompt in prompts:
            wanted = self._meanings.get(prompt.text, frozenset({prompt.text}))
            chosen = np.flatnonzero([self._names[number] in wanted for number in classes])
            presence = float(scores[chosen].max()) if len(chosen) else 0.0
            answers.append(Answer(masks[chosen], scores[chosen], presence))
        return answers

    def _look(
        self, pixels: bytes, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Logits (N, h, w), scores (N,) and classes (N,) of all objects, best first."""
        image = np.frombuffer(pixels, np.uint8).reshape(shape)
        tensor, geometry = prepare(image, self._spec)
        with torch.inference_mode():
            found: Any = self._module(torch.from_numpy(tensor))
        head, protos = found[0].numpy()[0], found[1].numpy()[0]
        count = len(self._names)
        best = head[4 : 4 + count]
        anchors = np.flatnonzero(best.max(axis=0) > _LEAST)
        scores, classes = best[:, anchors].max(axis=0), best[:, anchors].argmax(axis=0)
        half = head[2:4, anchors].T / 2
        centres = head[:2, anchors].T
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        kept = non_maximum_suppression(boxes, scores, classes, _SAME, _MOST)
        planes = np.tensordot(head[4 + count :, anchors[kept]].T, protos, axes=1)
        small = (max(1, shape[1] // _STEP), max(1, shape[0] // _STEP))
        masks = np.full((len(kept), small[1], small[0]), _OUTSIDE, np.float32)
        for mask, plane, box in zip(masks, planes, to_picture(boxes[kept], geometry), strict=True):
            whole = np.full(shape[:2], _OUTSIDE, np.float32)
            left, top, right, bottom = (round(float(value)) for value in box)
            if right > left and bottom > top:
                window = (top, bottom, left, right)
                inside = to_picture_plane(plane, geometry, window)
                whole[top:bottom, left:right] = np.clip(inside, _OUTSIDE, -_OUTSIDE)
            mask[:] = cv2.resize(whole, small, interpolation=cv2.INTER_AREA)
        return masks, scores[kept].astype(np.float32), classes[kept].astype(np.int64)


def open_plug(place: str, world: World) -> Answerer:
    """``ultralytics:FILE.pt``."""
    return UltralyticsTeacher(Path(place), world)
