"""Duplicates: planted ones are all found and no other, and a quarantine loses nothing when it is killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from deploy.cli import run
from deploy.errors import DeployError
from deploy.store import sha256_tree
from tests.training.data_tools.scenes import photo, write_photo
from training.data.duplicates.fingerprint import of_file
from training.data.duplicates.likeness import Alike, same_picture, structural_similarity
from training.data.duplicates.pairs import close_pairs
from training.data.duplicates.quarantine import bring_back
from training.data.duplicates.run import deduplicate

SIZE = (270, 480)


def told(done: int, before: int) -> None:
    """Nobody listens."""


def frame(number: int) -> np.ndarray:
    """A static camera: the same background in every frame, and two people of 10 x 16 pixels who walk."""
    image = cv2.resize(photo(7, *SIZE), (SIZE[1], SIZE[0]))
    for person in range(2):
        x, y = 20 + (37 * number + 190 * person) % 430, 60 + (53 * number + 70 * person) % 150
        image[y : y + 16, x : x + 10] = (20, 30, 200) if person else (230, 220, 40)
    noise = np.random.default_rng(number).normal(0, 1.5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def clock(image: np.ndarray, text: str) -> np.ndarray:
    """A time printed into the picture, on a black ground."""
    image = image.copy()
    image[4:24, 4:210] = 0
    cv2.putText(image, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return image


def plant(root: Path, kind: str, count: int = 60) -> set[str]:
    """Frames of which 30 % show the picture before them again; returns the names of those."""
    rng = np.random.default_rng(5)
    repeated = set(rng.choice(np.arange(1, count), int(0.3 * count), replace=False).tolist())
    before = frame(0)
    for number in range(count):
        if number not in repeated:
            before = frame(number)
        shown, quality = before, 92
        if number in repeated and kind == "re-encoded":
            quality = int(rng.integers(60, 90))
        if kind == "clock":
            shown = clock(before, f"2024-01-31 12:{number // 60:02d}:{number % 60:02d}")
        suffix = ".png" if kind == "other format" and number in repeated else ".jpg"
        write_photo(root / "images" / f"{number:04d}{suffix}", shown, quality)
    return {f"{number:04d}" for number in repeated}


def found_in(root: Path) -> tuple[set[str], int]:
    facts = deduplicate(root, Alike(), told, apply=False, workers=1)
    return {Path(each["file"]).stem for each in facts["duplicates"]}, facts["exact"]


def test_frozen_frames_are_found_exactly(tmp_path: Path) -> None:
    planted = plant(tmp_path / "set", "frozen")
    found, exact = found_in(tmp_path / "set")
    assert found == planted
    assert exact == len(planted)


@pytest.mark.parametrize("kind", ["re-encoded", "clock", "other format"])
def test_the_same_picture_in_other_bytes_is_found(tmp_path: Path, kind: str) -> None:
    planted = plant(tmp_path / "set", kind)
    found, _ = found_in(tmp_path / "set")
    assert len(found & planted) >= 0.95 * len(planted)
    assert not found - planted, "people walked between these"


def test_a_copy_is_found_behind_a_day_of_frames_that_look_alike(tmp_path: Path) -> None:
    """All frames of a fixed camera have near hashes: the right one is not among the latest."""
    for number in range(80):
        write_photo(tmp_path / "set" / "images" / f"{number:04d}.png", frame(number))
    copies = {f"late-{number:04d}" for number in range(0, 20, 2)}
    for name in copies:
        write_photo(tmp_path / "set" / "images" / f"{name}.jpg", frame(int(name[5:])), 80)
    found, _ = found_in(tmp_path / "set")
    assert found == copies


def brute(hashes: np.ndarray, distance: int) -> list[list[int]]:
    return [
        [i, j]
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if int(hashes[i] ^ hashes[j]).bit_count() <= distance
    ]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(0, 15))
def test_pairs_are_all_pairs(seed: int, count: int, distance: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, max(count, 1), dtype=np.uint64)[
        rng.integers(0, max(count // 4, 1), count)
    ]
    for flips in range(int(rng.integers(0, 12))):
        chosen = rng.random(count) < 0.5
        hashes[chosen] ^= np.uint64(1 << (flips * 5 % 64))
    assert close_pairs(hashes, distance).tolist() == brute(hashes, distance)


def test_pairs_have_bounds() -> None:
    same = np.zeros(4000, np.uint64)
    pairs = close_pairs(same, 3, most=10_000)
    assert 10_000 <= len(pairs) <= 20_000
    assert (pairs[:, 1] - pairs[:, 0]).max() <= 4
    with pytest.raises(ValueError, match="16 bits"):
        close_pairs(same, 16)


def test_ssim_is_the_published_formula() -> None:
    one, other = photo(1, 60, 90)[..., 0], photo(2, 60, 90)[..., 0]

    def blur(plane: np.ndarray) -> np.ndarray:
        return gaussian_filter(plane, 1.5, truncate=3.5, mode="reflect")

    a, b = one.astype(float), other.astype(float)
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()
    assert structural_similarity(one, other) == pytest.approx(expected, abs=1e-6)
    assert structural_similarity(one, one) == pytest.approx(1)


def test_a_resized_copy_is_the_same_and_another_shape_is_not(tmp_path: Path) -> None:
    image = photo(3, 480, 640)
    whole = of_file(write_photo(tmp_path / "a.jpg", image)).thumb
    half = of_file(
        write_photo(tmp_path / "b.jpg", cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA))
    ).thumb
    assert same_picture(whole, half, Alike())
    assert not same_picture(whole, half[:, :30], Alike())


def labelled(root: Path) -> Path:
    plant(root, "frozen", 20)
    for path in (root / "images").iterdir():
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{path.stem}.txt").write_text(f"0 0.5 0.5 0.2 0.{path.stem[-1]}1\n")
    return root


def test_quarantine_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = labelled(tmp_path / "set")
    before = sha256_tree(root)
    assert run(["data", "dedup", str(root), "--workers", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["duplicates"]) == 6
    assert sha256_tree(root) == before
    assert run(["data", "dedup", str(root), "--apply", "--workers", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(list((root / "images").iterdir())) == len(list((root / "labels").iterdir())) == 14
    assert run(["data", "dedup", str(root), "--workers", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duplicates"] == []
    assert run(["data", "dedup", "--undo", facts["manifest"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["brought_back"] == 12
    assert sha256_tree(root) == before
    assert run(["data", "dedup", "--undo", facts["manifest"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["never_left"] == 12
    assert run(["data", "dedup"]) == 2


_KILLED = """
import os, signal, sys
from pathlib import Path
from training.data.duplicates.likeness import Alike
from training.data.duplicates.run import deduplicate
moves, rename = [0], Path.rename
def counted(self, target):
    if "quarantine" in str(target):
        if moves[0] == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        moves[0] += 1
    return rename(self, target)
Path.rename = counted
if __name__ == "__main__":
    deduplicate(Path(sys.argv[1]), Alike(), lambda *_: None, apply=True, workers=1)
"""


@pytest.mark.parametrize("moves", [0, 3])
def test_a_kill_between_two_moves_loses_nothing(tmp_path: Path, moves: int) -> None:
    root = labelled(tmp_path / "set")
    before = sha256_tree(root)
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    here = Path(__file__).resolve().parents[3]
    command = [sys.executable, str(script), str(root), str(moves)]
    done = subprocess.run(command, env={"PYTHONPATH": str(here), "PATH": ""}, capture_output=True, cwd=here)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    (manifest,) = (tmp_path / "set.quarantine").glob("*/undo.json")
    assert (sha256_tree(root) == before) == (moves == 0)
    assert bring_back(manifest) == (moves, 12 - moves)
    assert sha256_tree(root) == before


def test_undo_overwrites_nothing(tmp_path: Path) -> None:
    root = labelled(tmp_path / "set")
    facts = deduplicate(root, Alike(), told, apply=True, workers=1)
    file = facts["duplicates"][0]["file"]
    (root / file).write_text("new here")
    with pytest.raises(DeployError, match="QUARANTINE-CLASH"):
        bring_back(Path(facts["manifest"]))
    assert (root / file).read_text() == "new here"
    payload = json.loads(Path(facts["manifest"]).read_text())
    payload["moves"][0]["file"] = "../outside.jpg"
    Path(facts["manifest"]).write_text(json.dumps(payload))
    with pytest.raises(DeployError, match="MANIFEST-BROKEN"):
        bring_back(Path(facts["manifest"]))


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="DATA-MISSING"):
        deduplicate(tmp_path / "no", Alike(), told, apply=False)
    with pytest.raises(DeployError, match="DATA-EMPTY"):
        deduplicate(tmp_path, Alike(), told, apply=False)
    write_photo(tmp_path / "images" / "a.jpg", photo(1))
    (tmp_path / "annotations.json").write_text("{}")
    with pytest.raises(DeployError, match="DEDUP-ANNOTATIONS"):
        deduplicate(tmp_path, Alike(), told, apply=True)
    (tmp_path / "images" / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(DeployError, match="IMAGE-UNREADABLE"):
        deduplicate(tmp_path, Alike(), told, apply=False, workers=1)
    shutil.rmtree(tmp_path / "images")
