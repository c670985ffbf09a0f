"""Tiles go in as pictures of their own would, and their boxes come back where the tiles lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deploy.artifacts import open_artifact
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.contracts.tiling import Gate, Merge, Tiling
from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.runtimes.onnx import OnnxRuntime
from deploy.tiled.detector import TiledDetector
from deploy.tiled.finish import finish
from deploy.tiled.inputs import TileCutter
from deploy.tiled.raw import FULL_IMAGE
from deploy.tiled.sight import BoxDecoder, Sight
from deploy.tiled.windows import windows
from deploy.vision.preprocess import prepare
from tests.deploy.tiled.spots import DECODE, PREPROCESS, SIZE, TILING, scene

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
GRAY = {"color": "GRAY", "mean": (0.3,), "std": (0.7,)}


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(20, 150), st.integers(20, 150)),
    st.sampled_from([{}, IMAGENET, {"color": "BGR", **IMAGENET}, GRAY, {"input_kind": "image"}]),
    st.sampled_from(["stretch", "letterbox", "shortest_crop"]),
    st.sampled_from([(64, 64), (48, 80), (100, 40)]),
)
def test_tiles_are_prepared_to_the_bit(
    size: tuple[int, int], spec: dict[str, Any], resize: str, tile: tuple[int, int]
) -> None:
    """Every tile equals ``prepare`` of its pixels: colours, means, sizes and modes alike."""
    block = Preprocess.model_validate(
        {"input_name": "image", "width": 64, "height": 64, "resize": resize, **spec}
    )
    tiling = Tiling(height=tile[0], width=tile[1], overlap=0.3, full_image=True)
    image = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)
    lying = windows(size, tiling)
    numbers = []
    for each in TileCutter(block, tiling).tiles(image):
        left, top, right, bottom = (0, 0, *size[::-1]) if each.number == FULL_IMAGE else lying[each.number]
        wanted, geometry = prepare(image[top:bottom, left:right], block)
        np.testing.assert_array_equal(each.tensor, wanted)
        assert each.geometry == geometry
        assert each.offset == (left, top)
        numbers.append(each.number)
    assert numbers == [*range(len(lying)), FULL_IMAGE]


def _by_hand(folder: Path, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Rows x1 y1 x2 y2 score class tile of every tile run as a picture of its own."""
    artifact = open_artifact(folder).artifact
    runtime = OnnxRuntime(folder / artifact.model_file, artifact.inputs, artifact.outputs, 1)
    decoder = DECODERS.open("yolo")(DECODE, PREPROCESS)
    rows = []
    for number, (left, top, right, bottom) in enumerate(windows(image.shape[:2], TILING).tolist()):
        tensor, geometry = prepare(image[top:bottom, left:right], PREPROCESS)
        found: Any = decoder.decode(runtime.run({"image": tensor}), geometry)
        moved = found.boxes + np.asarray((left, top, left, top), np.float32)
        facts = [found.scores, found.classes, np.full(len(moved), number)]
        rows.append(np.column_stack([moved, *facts]))
    return np.concatenate(rows)


def test_raw_boxes_are_those_of_the_tiles(spots: dict[str, Path]) -> None:
    """The same boxes, to the bit, as every tile run by hand."""
    image = scene(1)
    detector = TiledDetector(open_artifact(spots["onnx"]))
    raw = detector.raw(image)
    found = np.column_stack([raw.boxes, raw.scores, raw.classes, raw.tiles])
    np.testing.assert_array_equal(found, _by_hand(spots["onnx"], image))
    assert len(raw.boxes) > 20
    assert raw.size == image.shape[:2]


def test_the_reference_and_the_export_see_the_same(spots: dict[str, Path]) -> None:
    """Any artifact serves: here torch and ONNX."""
    image = scene(2)
    one, two = (TiledDetector(open_artifact(spots[name])).detect(image) for name in ("torch", "onnx"))
    assert one is not None
    assert two is not None
    assert one.classes.tolist() == two.classes.tolist()
    np.testing.assert_allclose(one.boxes, two.boxes, atol=1e-3)


def test_every_square_is_found_once(spots: dict[str, Path]) -> None:
    """Squares that several tiles see are one object after the merge, and several without it."""
    image = np.full((150, 210, 3), 110, np.uint8)
    image[48:64, 50:62] = (230, 20, 20)
    image[100:112, 150:162] = (20, 20, 230)
    artifact = open_artifact(spots["onnx"])
    merged = TiledDetector(artifact, TILING.model_copy(update={"merge": Merge(threshold=0.2)})).detect(image)
    whole = TiledDetector(artifact, TILING.model_copy(update={"merge": Merge(kind="none")})).detect(image)
    assert merged is not None
    assert whole is not None
    assert sorted(merged.classes.tolist()) == [0, 1]
    assert len(whole.boxes) > len(merged.boxes)
    centres = (merged.boxes[:, :2] + merged.boxes[:, 2:]) / 2
    wanted = {0: (56, 56), 1: (156, 106)}
    for label, centre in zip(merged.classes.tolist(), centres.tolist(), strict=True):
        assert np.abs(np.subtract(centre, wanted[label])).max() < 8


def test_batches_change_nothing(spots: dict[str, Path]) -> None:
    """A file that takes four tiles at once gives the boxes of one that takes them one by one."""
    artifact = open_artifact(spots["onnx"]).artifact
    runtime = OnnxRuntime(spots["onnx"] / artifact.model_file, artifact.inputs, artifact.outputs, 1)
    calls: list[int] = []

    def four(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        calls.append(len(inputs["image"]))
        parts = [runtime.run({"image": inputs["image"][at : at + 1]})["head"] for at in range(4)]
        return {"head": np.concatenate(parts)}

    decoders = [BoxDecoder(DECODE, PREPROCESS)]
    image = scene(3)
    wide = (TensorSpec(name="image", shape=(4, 3, SIZE, SIZE)),)
    found = Sight(four, wide, PREPROCESS, TILING).look(image, decoders)[0]
    single = Sight(runtime.run, artifact.inputs, PREPROCESS, TILING).look(image, decoders)[0]
    assert calls == [4] * -(-len(windows(image.shape[:2], TILING)) // 4)
    np.testing.assert_array_equal(found.boxes, single.boxes)
    np.testing.assert_array_equal(found.tiles, single.tiles)


def test_the_gate_listens_below_the_confidence(spots: dict[str, Path]) -> None:
    """Raw boxes reach down to the gate's confidence, the answer to its own; skip is no answer."""
    tiling = TILING.model_copy(update={"gate": Gate(confidence=0.01, when_no_gate="skip")})
    detector = TiledDetector(open_artifact(spots["onnx"]), tiling, confidence=0.4)
    raw = detector.raw(scene(4))
    assert raw.full().scores.min() < 0.4
    found = finish(raw, tiling, 0.4)
    assert found is not None
    assert found.scores.min() >= 0.4
    assert detector.detect(np.full((150, 210, 3), 110, np.uint8)) is None


def test_what_cannot_be_tiled_is_said(spots: dict[str, Path], tmp_path: Path) -> None:
    """No declared tiling, or no detector: errors with a remedy."""
    exported = open_artifact(spots["onnx"])
    plain = exported.artifact.preprocess.model_copy(update={"tiling": None})  # type: ignore[union-attr]
    untiled = type(exported)(exported.folder, exported.artifact.model_copy(update={"preprocess": plain}))
    with pytest.raises(DeployError, match="TILING-MISSING"):
        TiledDetector(untiled)
    from deploy.contracts.decode import ClassifyDecode

    with pytest.raises(DeployError, match="NOT-A-DETECTOR"):
        BoxDecoder(ClassifyDecode(output="head"), PREPROCESS)
