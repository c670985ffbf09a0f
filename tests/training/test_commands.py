"""The commands of this room: light help, plain refusals, and the bar of the demonstration run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.cli import run


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from deploy.cli import run; codes = [run(c.split()) for c in "
        "('train --help', 'data --help', 'data clips --help', 'data inspect --help')];"
        "heavy = {'torch', 'numpy', 'pydantic', 'cv2', 'timm'} & set(sys.modules);"
        "sys.stderr.write(f'{codes} {sorted(heavy)}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[0, 0, 0, 0] []"
    assert "deploy train binary_masks --out runs/first" in done.stdout


def test_clips_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "clips")
    base = ["data", "clips", "--out", out, "--clips", "2", "--frames", "3", "--size", "40", "--held-out"]
    assert run([*base, "--json"]) == 0
    capsys.readouterr()
    assert run(["data", "inspect", out, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["layout"] == "davis"
    assert (facts["pictures"], facts["groups"], facts["sizes"]) == (6, 2, {"40x40": 6})
    assert len(facts["sha256"]) == 64
    assert run([*base, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "OUTPUT-EXISTS"


def test_written_clips_are_the_generated_ones(tmp_path: Path) -> None:
    from training.data.davis_writer import write_clips
    from training.data.folders import open_folder
    from training.data.generated import generated_set

    write_clips(tmp_path / "clips", 2, 3, seed=5, size=48, part="held_out")
    files = open_folder(tmp_path / "clips", "binary_mask")
    direct = generated_set(2, 3, 5, height=48, width=48)
    assert files.ids == direct.ids
    for index in range(6):
        one, two = files.sample(index), direct.sample(index)
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.truth.mask, two.truth.mask)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        (["train", "binary_mask"], "UNKNOWN-TASK"),
        (["train", "binary_masks", "--data", "no/such/folder"], "DATA-MISSING"),
        (["train", "binary_masks", "--size", "33"], "SIZE-INVALID"),
        (["train", "binary_masks", "--epochs", "0"], "USAGE"),
        (["data", "inspect", "no/such/folder"], "DATA-MISSING"),
    ],
)
def test_refusals(
    arguments: list[str], error_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "run")] if arguments[0] == "train" else []
    assert run([*arguments, *out, "--json"]) in (1, 2)
    assert json.loads(capsys.readouterr().out)["error"] == error_id
    assert run([*arguments, *out]) in (1, 2)  # the refusal left nothing that changes the second answer


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_reaches_its_bar(tmp_path: Path) -> None:
    """Mean IoU of at least 0.85 on held-out clips that neither trained nor picked the model."""
    import torch

    from deploy.decode.binary_mask import BinaryMaskDecoder
    from deploy.vision.preprocess import prepare
    from training.checkpoints import load_checkpoint
    from training.data.generated import generated_set
    from training.run import train_demo

    folder = train_demo(tmp_path / "demo")
    checkpoint, model = load_checkpoint(folder)
    decoder = BinaryMaskDecoder(checkpoint.decode, checkpoint.preprocess)  # type: ignore[arg-type]
    scores = []
    held_out = generated_set(clips=12, frames=8)
    for index in range(len(held_out)):
        sample = held_out.sample(index)
        tensor, geometry = prepare(sample.image, checkpoint.preprocess)
        with torch.inference_mode():
            logits = model(torch.from_numpy(tensor)).numpy()
        scores.append(decoder.agreement(decoder.decode({"logits": logits}, geometry), sample.truth))  # type: ignore[arg-type]
    assert np.mean(scores) >= 0.85
    assert (folder / "weights.safetensors").stat().st_size < 2_000_000
