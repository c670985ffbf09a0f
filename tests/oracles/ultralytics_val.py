"""Ultralytics' own validator as an oracle: ``python -m tests.oracles.ultralytics_val WEIGHTS DATA RECT``.

It prints one JSON line: box and mask mAP at IoU 0.50 and averaged over 0.50 .. 0.95. With ``RECT`` 0 masks
are compared at the input's resolution, every picture is letterboxed to 640x640, and overlapping truths stay
whole, which is as near as it comes to the COCO protocol; with 1 it is what ``yolo val`` prints.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def measure(weights: Path, data: Path, names: Sequence[str], folder: Path, *, rect: bool) -> dict[str, float]:
    """Copy the pictures and labels of ``data`` into ``folder`` and let ultralytics validate there."""
    for part in ("images", "labels"):
        if not (folder / part).exists():
            shutil.copytree(data / part, folder / part)
    lines = [f"path: {folder}", "train: images", "val: images", "names:"]
    lines += [f"  {index}: {json.dumps(name)}" for index, name in enumerate(names)]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(folder / "config")}
    (folder / "config").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.oracles.ultralytics_val", str(weights), str(folder), str(int(rect))],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(weights: str, folder: str, rect: str) -> None:
    from ultralytics import YOLO

    exact = {"rect": False, "overlap_mask": False, "save_txt": True} if rect == "0" else {}
    with tempfile.TemporaryDirectory() as project:
        metrics = YOLO(weights).val(
            data=f"{folder}/data.yaml",
            imgsz=640,
            batch=8,
            device="cpu",
            workers=0,
            plots=False,
            verbose=False,
            project=project,
            **exact,
        )
    figures = {
        "box_mAP50": metrics.box.map50,
        "box_mAP50-95": metrics.box.map,
        "mask_mAP50": metrics.seg.map50,
        "mask_mAP50-95": metrics.seg.map,
    }
    sys.stdout.write("\n" + json.dumps({name: float(value) for name, value in figures.items()}) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
