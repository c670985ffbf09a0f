"""Learn to find small objects in large pictures, tile by tile as they will be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from training.data.boxes.balance import Balance, show_balance
from training.data.boxes.pool import TilePool
from training.detection.check import check
from training.detection.losses import box_loss, heat_loss
from training.detection.opening import TiledSides, open_sides
from training.detection.settings import TiledOptions
from training.detection.targets import targets
from training.engine.learner import Learner
from training.models.detector import STRIDE
from training.settings import TrainSettings
from training.tasks.protocol import Batch

_BOX_WEIGHT = 2.0


class TiledDetection:
    """See ``training.tasks.protocol.Task``."""

    primary = "mAP50"
    model = "detector"
    defaults: ClassVar[Mapping[str, Any]] = {"size": 160, "patience": 0}
    Options = TiledOptions
    extends = False
    prompts = None

    def __init__(self, settings: TrainSettings) -> None:
        options = TiledOptions(**settings.options)
        side = demand_side(settings.size)
        sides = open_sides(settings)
        names = sides.training.source.class_names or ()
        self.preprocess = Preprocess(
            input_name="image",
            width=side,
            height=side,
            resize="letterbox",
            tiling=sides.tiling,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        )
        self.decode = YoloDecode(output="head", class_names=names, iou=0.5)
        self.model_args: dict[str, Any] = {
            "classes": len(names),
            "backbone": options.backbone,
            "width": options.width,
        }
        self.trainer: Callable[..., Learner] | None = None
        if options.detector != "own":
            self._use_ultralytics(options, sides)
        self.data_sha256 = sides.sha256
        self.count = len(sides.training.tiles)
        self.tally: dict[str, float] = {}
        self._cells = (side // STRIDE, side // STRIDE)
        self._names = names
        self._pool = TilePool(
            sides.training,
            self.preprocess,
            zoom=options.zoom,
            mirror=options.mirror,
            paste=options.crop_paste,
            min_visible=options.min_visible,
        )
        self._validation = sides.validation
        balance = Balance.of(sides.training)
        show_balance(balance, names)
        self._usual = max(1.0, balance.on_tiles / max(1, self.count))

    def _use_ultralytics(self, options: TiledOptions, sides: TiledSides) -> None:
        """Let ultralytics train; its layout comes with its weights."""
        from training.detection.ultralytics_trainer import UltralyticsTrainer, model_file
        from training.models.ultralytics_yolo.offline import demand_ultralytics

        demand_ultralytics(f"--set detector={options.detector} was asked for")
        model_file(options.detector)
        self.model, self.trainer = "ultralytics", partial(UltralyticsTrainer, sides=sides)
        plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        self.preprocess = self.preprocess.model_copy(update=plain)

    def begin(self, module: nn.Module) -> None:
        """The seed's own weights are the start."""

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """``image``: float32 (B, 3, S, S), normalised, and the maps of ``training.detection.targets``."""
        pictures, maps = [], []
        streams = rng.spawn(len(indices))
        for index, stream in zip(indices[part], streams[part], strict=True):
            drawn = self._pool.draw(int(index), stream)
            truth = drawn.truth
            ignore = np.zeros(len(truth.classes), np.bool_) if truth.ignore is None else truth.ignore
            pictures.append(drawn.image)
            maps.append(targets(truth.boxes, truth.classes, ignore, len(self._names), self._cells, STRIDE))
            self._count(truth.classes[~ignore], drawn.pasted)
        spec = self.preprocess
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        image = (torch.from_numpy(np.stack(pictures)).float() / spec.divisor - mean) / std
        stacked = {name: torch.from_numpy(np.stack([each[name] for each in maps])) for name in maps[0]}
        return {"image": image.permute(0, 3, 1, 2), **stacked}

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """Focal loss of the heat maps and GIoU of the boxes, by the objects that a tile usually shows."""
        doors: Any = module
        logits, boxes = doors.maps(batch["image"])
        heat = heat_loss(logits, batch["heat"], batch["counts"])
        box = box_loss(boxes, batch["box"], batch["share"])
        return (heat + _BOX_WEIGHT * box).mean() / self._usual

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """``seen_NAME``: objects of each class that the epoch's tiles showed; ``pasted``: how many of all."""
        return {name: tally.get(name, 0.0) for name in (*map(_seen, self._names), "pasted")}

    def validate(self, module: nn.Module) -> dict[str, float]:
        """See ``training.detection.check.check``."""
        return check(module, self._validation, self.preprocess, self.decode)

    def _count(self, classes: NDArray[np.int64], pasted: int) -> None:
        for klass in classes.tolist():
            name = _seen(self._names[klass])
            self.tally[name] = self.tally.get(name, 0.0) + 1
        self.tally["pasted"] = self.tally.get("pasted", 0.0) + pasted


def _seen(name: str) -> str:
    return f"seen_{name}"


def demand_side(size: int) -> int:
    """The side, where it fits the model; raises ``SIZE-INVALID``."""
    if size % 16 or size < 32:
        raise DeployError(
            "SIZE-INVALID",
            f"An input of {size} pixels does not fit the detector.",
            "Choose a --size that is a multiple of 16, at least 32; 160 is the default.",
        )
    return size
