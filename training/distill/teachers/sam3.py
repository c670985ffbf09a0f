"""SAM 3 through transformers as a teacher: phrases to its concept model, clicks to its tracker model.

Not tested on weights (they are behind a licence): written against transformers' documentation of
``Sam3Model`` and ``Sam3TrackerModel``, and tested with a stand-in of the same outputs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.prompts.types import Answer, Answerer, Prompt, PromptKind, World
from deploy.store import sha256_file


class Sam3Teacher:
    """A phrase finds every instance of a concept (``Sam3Model``); points or a box find one object
    (``Sam3TrackerModel``), because in the concept model a box means "everything like this".

    Args:
        folder: weights, configuration and processor as ``save_pretrained`` leaves them.

    Raises:
        DeployError: ``EXTRA-MISSING``, ``CHECKPOINT-MISSING``.
    """

    kinds: frozenset[PromptKind] = frozenset({"text", "point", "box"})

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise DeployError(
                "CHECKPOINT-MISSING",
                f"{folder} holds no SAM 3 (no config.json).",
                "Accept the licence of facebook/sam3 on the Hugging Face hub, and download it there.",
            )
        if find_spec("transformers") is None:
            raise DeployError(
                "EXTRA-MISSING",
                "The teacher sam3 needs transformers, which is not installed.",
                "Install it: pip install 'transformers>=5.0'",
            )
        self._library: Any = importlib.import_module("transformers")
        weights = sorted(folder.glob("*.safetensors"))
        self.name = "sam3"
        self.sha256 = "-".join(sha256_file(path)[:16] for path in weights) or sha256_file(
            folder / "config.json"
        )
        self._folder = str(folder)
        self._concepts: Any = self._open("Sam3Model")
        self._concept_inputs: Any = self._library.Sam3Processor.from_pretrained(self._folder)
        self._clicks: Any = None

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt; ``image`` is uint8 (H, W, 3) RGB."""
        return [
            self._phrase(image, prompt.text) if prompt.kind == "text" else self._click(image, prompt)
            for prompt in prompts
        ]

    def _phrase(self, image: NDArray[np.uint8], text: str) -> Answer:
        inputs = self._concept_inputs(images=image, text=text, return_tensors="pt")
        with torch.inference_mode():
            found = self._concepts(**inputs)
        presence = float(found.presence_logits.flatten()[0].sigmoid())
        return Answer(_array(found.pred_masks[0]), _array(found.pred_logits[0].flatten().sigmoid()), presence)

    def _click(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        """Points go in as (picture, object, point, xy) and a box as (picture, object, xyxy), in pixels."""
        if self._clicks is None:
            self._clicks = self._open("Sam3TrackerModel")
            self._click_inputs: Any = self._library.Sam3TrackerProcessor.from_pretrained(self._folder)
        height, width = image.shape[:2]
        given: dict[str, Any] = {}
        if prompt.points is not None:
            spots = prompt.points[:, :2] * np.asarray([width, height], np.float32)
            given["input_points"] = [[spots.tolist()]]
            given["input_labels"] = [[prompt.points[:, 2].astype(int).tolist()]]
        if prompt.box is not None:
            edges = prompt.box * np.asarray([width, height, width, height], np.float32)
            given["input_boxes"] = [[edges.tolist()]]
        inputs = self._click_inputs(images=image, return_tensors="pt", **given)
        with torch.inference_mode():
            found = self._clicks(**inputs, multimask_output=False)
        presence = float(found.object_score_logits.flatten()[0].sigmoid())
        scores = np.clip(_array(found.iou_scores[0, 0].flatten()), 0, 1)
        return Answer(_array(found.pred_masks[0, 0]), scores, presence)

    def _open(self, kind: str) -> Any:
        return getattr(self._library, kind).from_pretrained(self._folder).eval()


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Float32 in numpy."""
    return tensor.float().cpu().numpy().astype(np.float32)


def open_plug(place: str, world: World) -> Answerer:
    """``sam3:FOLDER``."""
    return Sam3Teacher(Path(place))
