"""Learn foreground masks: a picture in, the pixels of its objects out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.contracts.decode import BinaryMaskDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.binary_mask import BinaryMaskDecoder
from deploy.decode.predictions import MaskPrediction
from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes
from deploy.vision.preprocess import prepare
from training.data.mask_pool import MaskPool
from training.data.sides import mask_sides
from training.settings import TrainSettings
from training.tasks.mask_loss import mask_loss
from training.tasks.protocol import Batch


class BinaryMasks:
    """See ``training.tasks.protocol.Task``."""

    primary = "miou"
    model = "segmenter"
    defaults: ClassVar[Mapping[str, Any]] = {}
    Options = None
    extends = False
    prompts = None
    trainer = None

    def __init__(self, settings: TrainSettings) -> None:
        if settings.size % 16 or settings.size < 32:
            raise DeployError(
                "SIZE-INVALID",
                f"An input of {settings.size} pixels does not fit the model.",
                "Choose a --size that is a multiple of 16, at least 32; 128 is the default.",
            )
        self.model_args: dict[str, Any] = {
            "backbone": "mobilenetv4_conv_small_050",
            "levels": 4,
            "width": 16,
        }
        self.preprocess = Preprocess(
            input_name="image",
            width=settings.size,
            height=settings.size,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        )
        self.decode = BinaryMaskDecode(output="logits")
        training, validation = mask_sides(settings.data, settings.seed)
        self.data_sha256 = sha256_bytes(canonical_json([training.sha256, validation.sha256]).encode())
        self.count = len(training)
        self.tally: dict[str, float] = {}
        self._pool = MaskPool(training, self.preprocess)
        self._validation = validation
        self._decoder = BinaryMaskDecoder(self.decode, self.preprocess)

    def begin(self, module: nn.Module) -> None:
        """The seed's own weights are the start."""

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """``image``: float32 (B, 3, S, S), normalised; ``mask``: float32 (B, 1, S, S), 0 or 1."""
        pictures, masks = self._pool.draw(indices, rng)
        return {
            "image": self._normalise(pictures[part]),
            "mask": torch.from_numpy(masks[part])[:, None].float(),
        }

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """Cross-entropy plus Dice."""
        return mask_loss(module(batch["image"]), batch["mask"])

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """Nothing is counted."""
        return {}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """``miou``: mean over frames of the mask's IoU at picture size; both empty counts as 1."""
        scores = []
        for index in range(len(self._validation)):
            sample = self._validation.sample(index)
            tensor, geometry = prepare(sample.image, self.preprocess)
            with torch.inference_mode():
                image = torch.from_numpy(tensor).contiguous(memory_format=torch.channels_last)
                logits = module(image).float().numpy()
            found = self._decoder.decode({"logits": logits}, geometry)
            truth = sample.truth
            if isinstance(truth, MaskPrediction):
                scores.append(self._decoder.agreement(found, truth))
        return {"miou": float(np.mean(scores))}

    def _normalise(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Uint8 (B, S, S, 3) RGB to float32 (B, 3, S, S) in channels-last memory, as ``prepare`` does."""
        spec = self.preprocess
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        return ((torch.from_numpy(pictures).float() / spec.divisor - mean) / std).permute(0, 3, 1, 2)
