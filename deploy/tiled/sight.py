"""A loaded model that looks at every tile of a picture; its decoder's boxes come back in picture pixels."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.contracts.tiling import Tiling
from deploy.decode import DECODERS
from deploy.decode.predictions import InstancePrediction
from deploy.errors import DeployError
from deploy.tiled.inputs import TileCutter, TileInput
from deploy.tiled.raw import RawDetections, nothing
from deploy.vision.geometry import Geometry

Run = Callable[[Mapping[str, NDArray[np.generic]]], Mapping[str, NDArray[np.generic]]]


class BoxDecoder:
    """A decoder without masks and with a confidence of its own: what tiles need of a declared decode block.

    Args:
        decode: the artifact's block.
        preprocess: the artifact's block.
        confidence: boxes from here on; the block's own when ``None``.

    Raises:
        DeployError: ``NOT-A-DETECTOR`` for a block whose predictions are no boxes.
    """

    def __init__(self, decode: Decode, preprocess: Preprocess, confidence: float | None = None) -> None:
        fields = type(decode).model_fields
        if "confidence" not in fields:
            raise DeployError(
                "NOT-A-DETECTOR",
                f"A model that is decoded as {decode.kind} finds no boxes, so it cannot look at tiles.",
                "Name a detector, or export without --tile.",
            )
        changes: dict[str, Any] = {} if confidence is None else {"confidence": confidence}
        if "protos" in fields:
            changes["protos"] = None  # masks of tiles are never shown: they would only cost time
        self._decoder = DECODERS.open(decode.kind)(decode.model_copy(update=changes), preprocess)

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> InstancePrediction:
        """Outputs of one tile (leading batch of 1) to boxes in the tile's own pixels."""
        found = self._decoder.decode(outputs, geometry)
        assert isinstance(found, InstancePrediction)
        return found


class Sight:
    """Runs a model over the tiles of pictures.

    Args:
        run: one inference, inputs and outputs by name.
        inputs: the model's doors; a leading dimension above 1 takes that many tiles at once.
        preprocess: how a tile becomes the input.
        tiling: how a picture is cut.
    """

    def __init__(
        self, run: Run, inputs: Sequence[TensorSpec], preprocess: Preprocess, tiling: Tiling
    ) -> None:
        self._run, self._name = run, preprocess.input_name
        self._cutter = TileCutter(preprocess, tiling)
        shape = next((spec.shape for spec in inputs if spec.name == preprocess.input_name), (1,))
        self._batch = max(1, shape[0])

    def look(
        self,
        image: NDArray[np.uint8],
        decoders: Sequence[BoxDecoder],
        wanted: Container[int] | None = None,
    ) -> list[RawDetections]:
        """Every box of every tile, once for each decoder; the model runs once a tile.

        Args:
            image: uint8 (H, W, 3) RGB.
            wanted: numbers of the tiles to look at; all when ``None``.
        """
        found: list[list[tuple[TileInput, InstancePrediction]]] = [[] for _ in decoders]
        for tile, outputs in self._outputs(self._cutter.tiles(image, wanted)):
            for decoder, boxes in zip(decoders, found, strict=True):
                boxes.append((tile, decoder.decode(outputs, tile.geometry)))
        return [_joined(boxes, image.shape[:2]) for boxes in found]

    def _outputs(
        self, tiles: Iterable[TileInput]
    ) -> Iterator[tuple[TileInput, Mapping[str, NDArray[np.generic]]]]:
        """Each tile with its outputs, a leading batch of 1."""
        if self._batch == 1:
            for tile in tiles:
                yield tile, self._run({self._name: tile.tensor})
            return
        group: list[TileInput] = []
        batch: NDArray[np.float32] | None = None
        for tile in tiles:
            if batch is None:
                batch = np.zeros((self._batch, *tile.tensor.shape[1:]), np.float32)
            batch[len(group)] = tile.tensor[0]
            group.append(tile)
            if len(group) == self._batch:
                yield from self._split(group, batch)
                group = []
        if group and batch is not None:
            yield from self._split(group, batch)

    def _split(
        self, group: list[TileInput], batch: NDArray[np.float32]
    ) -> Iterator[tuple[TileInput, Mapping[str, NDArray[np.generic]]]]:
        outputs = self._run({self._name: batch})
        for place, tile in enumerate(group):
            yield tile, {name: value[place : place + 1] for name, value in outputs.items()}


def _joined(found: Sequence[tuple[TileInput, InstancePrediction]], size: tuple[int, ...]) -> RawDetections:
    """Boxes of all tiles, moved to where their tiles lie."""
    if not found:
        return nothing((size[0], size[1]))
    boxes = [each.boxes + np.asarray(tile.offset * 2, np.float32) for tile, each in found]
    numbers = [np.full(len(each.boxes), tile.number, np.int32) for tile, each in found]
    return RawDetections(
        np.concatenate(boxes),
        np.concatenate([each.scores for _, each in found]),
        np.concatenate([each.classes for _, each in found]),
        np.concatenate(numbers),
        (size[0], size[1]),
    )
