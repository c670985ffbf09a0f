"""``deploy verify --task tiled_detection`` from the command line: a detector that only tiles can help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.cli import run
from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tiled_report import TiledReport
from deploy.contracts.tiling import Tiling
from deploy.errors import ExitCode
from export.evaluation.tiled import gather
from tests.export.toys import Toy, make_toy

NET = '''
import torch
from torch import nn
from torch.nn import functional


class Blobs(nn.Module):
    """Finds squares of 8 pixels on a grid of 4: red ones are class 0, green ones class 1."""

    def forward(self, image):
        red, green = image[:, :1] - image[:, 1:2], image[:, 1:2] - image[:, :1]
        scores = functional.avg_pool2d(torch.cat([red, green], 1), 8, 4).clamp(0, 1)
        side = scores.shape[-1]
        centre = torch.arange(side, dtype=image.dtype) * 4 + 4
        x = centre[None].expand(side, side).reshape(1, 1, -1)
        y = centre[:, None].expand(side, side).reshape(1, 1, -1)
        size = torch.full_like(x, 8.0)
        return torch.cat([x, y, size, size, scores.reshape(1, 2, -1)], 1)


def blobs(): return Blobs()
'''
_SIDE = 160
_ARGUMENTS = ["--task", "tiled_detection", "--confidence", "0.6", "--replicates", "100", "--json"]


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference artifact of the net, which declares tiles."""
    toy: Toy = make_toy(tmp_path, monkeypatch)
    toy.nets.write_text(NET)
    blocks = {
        "preprocess": Preprocess(
            input_name="image",
            width=64,
            height=64,
            resize="letterbox",
            tiling=Tiling(width=64, height=64, overlap=0.25),
        ),
        "decode": YoloDecode(output="output", class_names=("red", "green"), iou=0.3),
    }
    for name, block in blocks.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(block.to_json()))
    arguments = [
        "export",
        f"{toy.package}.nets:blobs",
        "--input",
        "image=1x3x64x64",
        "-t",
        "onnx",
        "-p",
        "fp32",
    ]
    arguments += [
        "--preprocess",
        str(tmp_path / "preprocess.json"),
        "--decode",
        str(tmp_path / "decode.json"),
    ]
    assert run([*arguments, "--out", str(tmp_path / "artifacts"), "--name", "blobs"]) == 0
    return tmp_path / "artifacts" / "blobs-onnx-fp32"


def _write(folder: Path, seed: int, pictures: int = 6) -> Path:
    """A YOLO folder of squares, the last picture empty."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("names: [red, green]\n")
    rng = np.random.default_rng(seed)
    for number in range(pictures):
        image = rng.integers(90, 110, (_SIDE, _SIDE, 1)).repeat(3, 2).astype(np.uint8)
        lines = []
        for cell in rng.permutation(81)[: 0 if number == pictures - 1 else 4].tolist():
            left, top, klass = 4 + 16 * (cell % 9), 4 + 16 * (cell // 9), int(rng.integers(2))
            image[top : top + 8, left : left + 8] = (255, 0, 0) if klass == 0 else (0, 255, 0)
            lines.append(f"{klass} {(left + 4) / _SIDE} {(top + 4) / _SIDE} {8 / _SIDE} {8 / _SIDE}")
        name = f"{rng.integers(1 << 30):010d}x"
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image[..., ::-1])
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines))
    return folder


def _verify(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, Any]:
    capsys.readouterr()
    code = run(["verify", *map(str, arguments), *_ARGUMENTS])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_tiles_find_what_the_whole_picture_hides(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, train = _write(tmp_path / "test", 1), _write(tmp_path / "train", 2)
    out = tmp_path / "results"
    code, said = _verify(capsys, detector, "--data", data, "--train", train, "--out", out)
    assert code == ExitCode.PASS
    report = TiledReport.parse(said["reports"][0], "stdout")
    assert "LEAKS-UNCHECKED" not in report.taints
    assert report.negatives == 1
    whole, sliced = report.row("full image"), report.row("sliced")
    assert whole.figure("recall").value == 0
    assert sliced.figure("F1").value == 1
    assert sliced.figure("box_mAP50").value == pytest.approx(1)
    assert sliced.over_full_image is not None
    assert sliced.over_full_image.value == 1
    assert report.row("no merge").causes["duplicate"] > 0
    assert {part.name for part in sliced.slices} == {"red", "green", "8-16 px"}

    # Another merge and confidence are read from the same boxes: the model is not loaded again.
    monkeypatch.setattr(gather, "open_eye", None)
    monkeypatch.setattr("export.evaluation.tiled.gather.run_job", _only_found(gather.run_job))
    other = [detector, "--data", data, "--out", out, "--merge", "nms:iou:0.3"]
    code, again = _verify(capsys, *other)
    assert code == ExitCode.PASS
    second = TiledReport.parse(again["reports"][0], "stdout")
    assert second.row("sliced").figure("F1").value == 1
    assert "LEAKS-UNCHECKED" in second.taints

    # Reports of two protocols do not share a table.
    code, refused = _verify(capsys, said["files"][0], *other)
    assert (code, refused["error"]) == (ExitCode.INCOMPARABLE, "INCOMPARABLE-PROTOCOL")


def _only_found(original: Any) -> Any:
    def job(work: Any, items: Any, folder: Path, told: Any, **rest: Any) -> Path:
        def hear(finished: int, found: int) -> None:
            assert (finished, found) == (0, len(items))
            told(finished, found)

        return original(work, items, folder, hear, **rest)  # type: ignore[no-any-return]

    return job


@pytest.mark.slow
def test_a_leak_is_refused_unless_it_is_allowed_by_name(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, train = _write(tmp_path / "test", 1, 10), _write(tmp_path / "train", 2, 10)
    for path in sorted((train / "images").iterdir())[:2]:  # a fifth of the training set
        (data / "images" / path.name).write_bytes(path.read_bytes())
        label = f"{path.stem}.txt"
        (data / "labels" / label).write_text((train / "labels" / label).read_text())
    asked = [detector, "--data", data, "--train", train, "--out", tmp_path / "results"]
    code, refused = _verify(capsys, *asked)
    assert (code, refused["error"]) == (ExitCode.INCOMPARABLE, "LEAK")
    code, said = _verify(capsys, *asked, "--allow", "leak")
    assert code == ExitCode.CANNOT_TELL
    assert "LEAKED" in said["reports"][0]["taints"]
    assert "2 of 12" in said["reports"][0]["leaks"]


def test_options_of_another_task_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["x", "--tile", "64"],
        ["x", "--task", "promptable_masks", "--floor", "0.1"],
        ["x", "--task", "tiled_detection", "--teacher", "truth"],
        ["x", "--task", "tiled_detection", "--metric", "mIoU"],
        ["x", "--task", "tiled_detection"],
    ):
        assert run(["verify", *arguments]) == ExitCode.USAGE
        assert "--" in capsys.readouterr().err
