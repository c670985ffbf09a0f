"""``deploy run``: inputs from files, answers as tables or JSON, golden samples judged, mistakes named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from PIL import Image

from deploy import console
from deploy.cli import run
from deploy.contracts.artifact import MANIFEST, Golden, GoldenSample, GoldenTensor
from deploy.contracts.tensor import TensorSpec
from deploy.store import sha256_tree
from tests.deploy.documents import ARTIFACT

SHAPE = (1, 3, 8, 8)


@pytest.fixture(autouse=True)
def people() -> Iterator[None]:
    """Each test speaks to people on fresh streams."""
    console._out.cache_clear()
    console._err.cache_clear()
    yield
    console.speak_to_machine(False)
    console._out.cache_clear()
    console._err.cache_clear()


def _package(path: Path, picture: bool = False) -> Path:
    torch.manual_seed(0)
    traced = torch.jit.trace(torch.nn.Conv2d(3, 4, 3).eval(), torch.zeros(SHAPE))
    door: Any = (
        ct.ImageType("x", SHAPE, color_layout=ct.colorlayout.RGB) if picture else ct.TensorType("x", SHAPE)
    )
    model = ct.convert(
        traced,
        inputs=[door],
        outputs=[ct.TensorType("y")],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT16,
        skip_model_load=True,
    )
    model.save(str(path))
    return path


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _package(tmp_path_factory.mktemp("run") / "model.mlpackage")


@pytest.fixture
def x(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32))
    return path


def _json(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = run(["run", *map(str, words), "--json", "--threads", "1"])
    return code, json.loads(capsys.readouterr().out)


def test_arrays_in_and_out(
    package: Path, x: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = _json(capsys, package, "--input", f"x={x}", "--out", tmp_path / "out", "--profile")
    assert code == 0
    assert answer["label"] == "EMULATED-COREML"
    (output,) = answer["outputs"]
    assert (output["name"], output["dtype"], output["shape"]) == ("y", "float32", [1, 4, 6, 6])
    saved = np.load(tmp_path / "out" / "y.npy")
    assert output["most"] == pytest.approx(float(saved.max()))
    assert {row["op"] for row in answer["profile"]} >= {"conv"}
    code, again = _json(capsys, package, "--input", x, "--compare", tmp_path / "out" / "y.npy")
    assert code == 0
    assert again["compared"][0]["sqnr_db"] == 200
    assert again["verdict"] is None
    _, noisy = _json(
        capsys, package, "--input", x, "--compare", tmp_path / "out" / "y.npy", "--noise-ulp", 4, "--seed", 1
    )
    assert 40 < noisy["compared"][0]["sqnr_db"] < 80


def test_people_are_told_that_it_is_emulated(
    package: Path, x: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", str(package), "--input", str(x), "--profile", "--noise-ulp", "1"]) == 0
    told = capsys.readouterr().out
    assert "EMULATED-COREML" in told
    assert "noise 1 ulp" in told
    assert "1x4x6x6" in told


def test_pictures_are_resized_to_what_the_model_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cat.png"
    Image.fromarray(np.full((20, 30, 3), 100, np.uint8)).save(path)
    code, answer = _json(capsys, _package(tmp_path / "image.mlpackage", picture=True), "--image", path)
    assert code == 0
    assert answer["outputs"][0]["shape"] == [1, 4, 6, 6]


def _artifact(package: Path, folder: Path, x: np.ndarray, y: np.ndarray, floor: float) -> Path:
    import shutil

    shutil.copytree(package, folder / "model.mlpackage")
    (folder / "golden").mkdir()
    tensors = []
    for name, value in (("x", x), ("y", y)):
        file = f"golden/00.{name}.npy"
        np.save(folder / file, value)
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        tensors.append(GoldenTensor(name=name, file=file, sha256=digest))
    sample = GoldenSample(
        id="one", image=None, image_sha256=None, inputs=(tensors[0],), outputs=(tensors[1],)
    )
    ARTIFACT.model_copy(
        update={
            "target": "coreml",
            "model_file": "model.mlpackage",
            "model_sha256": sha256_tree(folder / "model.mlpackage"),
            "inputs": (TensorSpec(name="x", shape=SHAPE),),
            "outputs": (TensorSpec(name="y", shape=(1, 4, 6, 6)),),
            "golden": Golden(samples=(sample,), sqnr_db=floor),
        }
    ).save(folder / MANIFEST)
    return folder


def test_golden_samples_are_judged(
    package: Path, x: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    net = torch.nn.Conv2d(3, 4, 3).eval()
    value = np.load(x)
    with torch.no_grad():
        wanted = net(torch.from_numpy(value)).numpy()
    good = _artifact(package, tmp_path / "good", value, wanted, 50.0)
    strict = _artifact(package, tmp_path / "strict", value, wanted, 190.0)
    code, answer = _json(capsys, good)
    assert (code, answer["verdict"]) == (0, "PASS")
    assert answer["compared"][0]["sqnr_db"] > 50
    code, answer = _json(capsys, strict)
    assert (code, answer["verdict"]) == (3, "FAIL")
    code, answer = _json(capsys, package, "--compare", good / "golden", "--mode", "fused16")
    assert (code, answer["verdict"]) == (0, "PASS")
    code, answer = _json(capsys, strict, "--noise-ulp", 1)
    assert (code, answer["verdict"]) == (0, None)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "MIL-INPUT"),
        (["--input", "missing.npy"], "INPUT-UNREADABLE"),
        (["--input", "z=missing.npy"], "INPUT-NAME"),
        (["--image", "missing.png"], "INPUT-UNREADABLE"),
        (["--noise-ulp", "1", "--mode", "exact32"], "NOISE-NOT-POSSIBLE"),
        (["--function", "other"], "UNKNOWN-FUNCTION"),
    ],
)
def test_mistakes_are_named(
    words: list[str], error: str, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = _json(capsys, package, *words)
    assert code != 0
    assert answer["error"] == error


def test_other_targets_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ARTIFACT.model_copy(update={"target": "onnx"}).save(tmp_path / MANIFEST)
    _, answer = _json(capsys, tmp_path)
    assert answer["error"] == "NOT-EMULATED"
