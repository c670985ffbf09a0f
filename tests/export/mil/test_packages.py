"""Packages: doors, shapes, pictures, several functions, and files that were cut, edited or made to harm."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from PIL import Image

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from export.mil.package import import_messages
from export.mil.program import MilProgram
from export.mil.runtime import EmulatedCoreML
from tests.export.mil.programs import mb

WEIGHT = np.random.default_rng(0).normal(0, 1, (64, 3, 3, 3)).astype(np.float32)
SPEC, BLOB = "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"


def _convert(build: Callable[..., Any], shape: tuple[int, ...], **options: Any) -> Any:
    program = mb.program(input_specs=[mb.TensorSpec(shape=shape)], opset_version=ct.target.iOS17)(build)
    precision = options.pop("precision", ct.precision.FLOAT32)
    return ct.convert(
        program,
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=precision,
        skip_model_load=True,
        **options,
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mil") / "model.mlpackage"

    def net(x: Any) -> Any:
        return mb.conv(x=x, weight=WEIGHT, name="y")

    _convert(net, (1, 3, 8, 8)).save(str(path))
    return path


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy.mlpackage"))


def _edit(package: Path, change: Callable[[Any], None]) -> None:
    spec = import_messages().Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    change(spec)
    (package / SPEC).write_bytes(spec.SerializeToString())


def _blob_value(spec: Any) -> Any:
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    for operation in block.operations:
        for value in operation.attributes.values():
            if value.WhichOneof("value") == "blobFileValue":
                return value
    raise AssertionError("no weight in the blob")


def _manifest(package: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = package / "Manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _root(content: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = content["itemInfoEntries"][content["rootModelIdentifier"]]
    return item


def _overwrite(package: Path, place: int, payload: bytes) -> None:
    with (package / BLOB).open("r+b") as stream:
        stream.seek(place)
        stream.write(payload)


BREAKS: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda p: (p / "Manifest.json").unlink(),
    "manifest of rubbish": lambda p: (p / "Manifest.json").write_text("[1, 2"),
    "manifest of another form": lambda p: (p / "Manifest.json").write_text("[1, 2]"),
    "no root item": lambda p: _manifest(p, lambda m: m.pop("rootModelIdentifier")),
    "path that is no text": lambda p: _manifest(p, lambda m: _root(m).update(path=3)),
    "path out of the package": lambda p: _manifest(p, lambda m: _root(m).update(path="../../model.mlmodel")),
    "absolute path": lambda p: _manifest(p, lambda m: _root(m).update(path="/etc/hostname")),
    "no spec": lambda p: (p / SPEC).unlink(),
    "empty spec": lambda p: (p / SPEC).write_bytes(b""),
    "cut spec": lambda p: (p / SPEC).write_bytes((p / SPEC).read_bytes()[:-7]),
    "spec of rubbish": lambda p: (p / SPEC).write_bytes(b"\xff" * 100),
    "no blob": lambda p: (p / BLOB).unlink(),
    "empty blob": lambda p: (p / BLOB).write_bytes(b""),
    "cut blob": lambda p: (p / BLOB).write_bytes((p / BLOB).read_bytes()[:-900]),
    "blob of another format": lambda p: _overwrite(p, 4, struct.pack("<I", 9)),
    "wrong sentinel": lambda p: _overwrite(p, 64, b"\0\0\0\0"),
    "size beyond the end": lambda p: _overwrite(p, 72, struct.pack("<Q", 1 << 60)),
    "offset beyond the end": lambda p: _overwrite(p, 80, struct.pack("<Q", 1 << 60)),
    "data too short": lambda p: _overwrite(p, 72, struct.pack("<Q", 16)),
    "record beyond the end": lambda p: _edit(
        p, lambda s: setattr(_blob_value(s).blobFileValue, "offset", 1 << 40)
    ),
    "blob out of the package": lambda p: _edit(
        p, lambda s: setattr(_blob_value(s).blobFileValue, "fileName", "@model_path/../../../../secret.bin")
    ),
    "absurd shape": lambda p: _edit(
        p, lambda s: setattr(_blob_value(s).type.tensorType.dimensions[0].constant, "size", 1 << 50)
    ),
    "no block": lambda p: _edit(p, lambda s: setattr(s.mlProgram.functions["main"], "opset", "CoreML99")),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_packages_are_refused(name: str, package: Path) -> None:
    BREAKS[name](package)
    with pytest.raises(DeployError, match="PACKAGE-BROKEN"):
        MilProgram.load(package)


def test_what_is_no_ml_program_is_refused(package: Path) -> None:
    with pytest.raises(DeployError, match="PACKAGE-MISSING"):
        MilProgram.load(package / "nothing")
    _edit(package, lambda spec: spec.neuralNetwork.SetInParent())
    with pytest.raises(DeployError, match=r"NOT-AN-ML-PROGRAM: .*neuralNetwork"):
        MilProgram.load(package)


def test_an_op_that_reads_nothing_known_is_refused(package: Path) -> None:
    def change(spec: Any) -> None:
        (block,) = spec.mlProgram.functions["main"].block_specializations.values()
        block.operations[-1].inputs["x"].arguments[0].name = "ghost"

    _edit(package, change)
    with pytest.raises(DeployError, match=r"PACKAGE-BROKEN: .*ghost"):
        MilProgram.load(package)


def test_inputs_are_checked(package: Path) -> None:
    program = MilProgram.load(package)
    assert program.inputs[0].name == "x"
    for feed, words in (
        ({}, r"lacks \['x'\]"),
        ({"x": np.zeros((1, 3, 8, 8)), "z": np.zeros(1)}, "no input called 'z'"),
        ({"x": np.zeros((1, 3, 9, 8))}, r"shape \[1, 3, 9, 8\]; the model allows \[1, 3, 8, 8\]"),
        ({"x": "picture.png"}, "no array of numbers"),
    ):
        with pytest.raises(DeployError, match=f"MIL-INPUT: .*{words}"):
            program.predict(feed)


def test_flexible_shapes_are_held_to() -> None:
    for shape, good, bad in (
        (
            ct.Shape((1, 3, ct.RangeDim(4, 16, default=8), 8)),
            [(1, 3, 4, 8), (1, 3, 16, 8)],
            [(1, 3, 3, 8), (1, 3, 17, 8)],
        ),
        (
            ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 12, 12)]),
            [(1, 3, 8, 8), (1, 3, 12, 12)],
            [(1, 3, 8, 12)],
        ),
    ):
        import torch

        traced = torch.jit.trace(torch.nn.ReLU(), torch.zeros(1, 3, 8, 8))
        model = ct.convert(
            traced,
            inputs=[ct.TensorType("x", shape)],
            minimum_deployment_target=ct.target.iOS17,
            skip_model_load=True,
        )
        program = MilProgram.from_spec(model.get_spec(), None)
        for size in good:
            (found,) = program.predict({"x": np.ones(size, np.float32)}).values()
            assert found.shape == size
        for size in bad:
            with pytest.raises(DeployError, match="MIL-INPUT"):
                program.predict({"x": np.ones(size, np.float32)})


@pytest.mark.parametrize("layout", ["RGB", "BGR", "GRAYSCALE"])
def test_pictures_arrive_in_the_layout_the_model_asks_for(layout: str) -> None:
    import torch

    channels = 1 if layout == "GRAYSCALE" else 3
    traced = torch.jit.trace(torch.nn.Identity(), torch.zeros(1, channels, 4, 6))
    model = ct.convert(
        traced,
        inputs=[ct.ImageType("image", (1, channels, 4, 6), color_layout=getattr(ct.colorlayout, layout))],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    program = MilProgram.from_spec(model.get_spec(), None)
    (feature,) = program.inputs
    assert (feature.kind, feature.color) == ("image", layout)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels) if channels == 3 else Image.fromarray(pixels[..., 0])
    wanted = pixels.transpose(2, 0, 1)[None].astype(np.float32)
    wanted = {"RGB": wanted, "BGR": wanted[:, ::-1], "GRAYSCALE": wanted[:, :1]}[layout]
    as_array = pixels.transpose(2, 0, 1)[None].astype(np.float32)[:, :channels]
    for given in (picture, as_array, as_array + 0.3):
        (found,) = program.predict({"image": given}).values()
        assert np.array_equal(found, wanted)


def test_functions_of_one_package(tmp_path: Path) -> None:
    paths = []
    for factor in (2, 3):

        @mb.program(input_specs=[mb.TensorSpec(shape=(2,))], opset_version=ct.target.iOS18)
        def program(x: Any) -> Any:
            return mb.mul(x=x, y=np.float32(factor), name="y")  # noqa: B023 (built at once)

        model = ct.convert(program, minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
        paths.append(tmp_path / f"{factor}.mlpackage")
        model.save(str(paths[-1]))
    several = ct.utils.MultiFunctionDescriptor()
    for path, name in zip(paths, ("twice", "thrice"), strict=True):
        several.add_function(str(path), src_function_name="main", target_function_name=name)
    several.default_function_name = "thrice"
    ct.utils.save_multifunction(several, str(tmp_path / "both.mlpackage"))
    feed = {"x": np.float32([1, 2])}
    for name, factor in (("twice", 2), ("thrice", 3), (None, 3)):
        found = MilProgram.load(tmp_path / "both.mlpackage", function=name).predict(feed)
        assert next(iter(found.values())).tolist() == [factor, 2 * factor]
    with pytest.raises(DeployError, match=r"UNKNOWN-FUNCTION: .*Choose one of: thrice, twice"):
        MilProgram.load(tmp_path / "both.mlpackage", function="once")


def test_the_runtime_takes_and_returns_float32(package: Path) -> None:
    assert EmulatedCoreML.why_not() is None
    EmulatedCoreML.prepare()
    doors = (TensorSpec(name="x", shape=(1, 3, 8, 8)),), (TensorSpec(name="y", shape=(1, 64, 6, 6)),)
    runtime = EmulatedCoreML(package, *doors, 1)
    found = runtime.run({"x": np.ones((1, 3, 8, 8), np.float32)})
    assert found["y"].dtype == np.float32
    np.testing.assert_allclose(found["y"][0, :, 0, 0], WEIGHT.sum((1, 2, 3)), rtol=1e-4, atol=1e-4)
    with pytest.raises(DeployError, match="MODEL-UNLOADABLE"):
        EmulatedCoreML(package, doors[0], (TensorSpec(name="z", shape=(1,)),), 1)
