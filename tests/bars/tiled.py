"""``make bars-tiled``: training on tiles, what merge and gate do, and plants that the data tools must find.

Everything is typed as a user would type it, on cameras that training never saw; with the real pictures beside
the project, hard hats and COCO are trained on and judged as well.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deploy.contracts.tiled_report import TiledReport
from tests.bars.commands import deploy
from tests.oracles.real import data_root
from tests.training.tiled.bars import SEEDS, judged, measure
from training.checkpoints import read_checkpoint

DUPLICATES, FALSE_ALARMS, RECALL_COST, SURFACED = 0.90, 0.30, 0.01, 0.80
FROZEN, LEAKED, UNLABELLED = 0.30, 0.20, 0.10
REENCODED_RECALL = 0.95
GATED = ("--size", "320", "--epochs", "9", "--set", "zoom=1.7")
GATED_FROM = 0.15

Line = tuple[str, bool]


def main() -> int:
    """Print every figure with its bar; 1 when one is missed."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "results/bars-tiled").absolute()
    root.mkdir(parents=True, exist_ok=True)
    missed = 0
    for line, passed in _lines(root):
        sys.stdout.write(f"{'ok    ' if passed else 'MISSED'}  {line}\n")
        sys.stdout.flush()
        missed += not passed
    sys.stdout.write(f"{missed} bars missed\n" if missed else "every bar is cleared\n")
    return 1 if missed else 0


def _lines(root: Path) -> Iterator[Line]:
    for seed in SEEDS:
        yield from judged(measure(root, seed))
    train, unseen = _world(root)
    artifact = root / "artifacts" / "tiled-0-onnx-fp32"
    deploy(root, "export", root / f"tiled-{SEEDS[0]}", "-t", "onnx", "-p", "fp32", "--name", "tiled-0")
    yield from _rows(root, artifact, unseen, train)
    yield from _gate(root, unseen)
    yield from _leak(root, artifact, unseen, train)
    yield from _frozen(root, unseen)
    yield from _unlabelled(root, artifact, unseen)
    data = data_root()
    for name, part, extra in (("hardhat", "train", "valid"), ("coco128_seg", "", "")):
        if (data / name).is_dir():
            yield from _real(root, name, data / name / part, data / name / extra)
        else:
            sys.stdout.write(f"{name} skipped: POCKETPROOF_DATA is not there\n")


def _world(root: Path) -> tuple[Path, Path]:
    """Folders of the cameras that are trained on, and of those that are not."""
    folders = root / "seen", root / "unseen"
    for folder, more in zip(folders, ([], ["--held-out"]), strict=True):
        shutil.rmtree(folder, ignore_errors=True)
        deploy(root, "data", "cctv", "--out", folder, "--visits", "48", "--frames", "2", *more)
    return folders


def _evaluate(root: Path, artifact: Path, data: Path, *options: str | Path) -> TiledReport:
    (report,) = deploy(
        root, "verify", artifact, "--task", "tiled_detection", "--data", data, "--out", root, *options
    )["reports"]
    return TiledReport.parse(report, "verify")


def _rows(root: Path, artifact: Path, unseen: Path, train: Path) -> Iterator[Line]:
    """What merging takes away, beside the row without tiles, at the confidence that validation chose."""
    chosen = read_checkpoint(root / f"tiled-{SEEDS[0]}").metrics["confidence"]
    report = _evaluate(root, artifact, unseen, "--train", train, "--confidence", f"{chosen:.3f}")
    _print(report)
    before, after = (report.row(name).causes["duplicate"] for name in ("no merge", "sliced"))
    share = 1 - after / before if before else 0.0
    yield (
        f"merge: duplicates {before} -> {after}, {share:.0%} removed, at least {DUPLICATES:.0%}",
        share >= DUPLICATES,
    )


def _gate(root: Path, unseen: Path) -> Iterator[Line]:
    """What the gate takes away, where it is needed: at a low confidence, as pseudo-labels are looked for.

    A gate needs a model that sees something in the whole picture: tiles of 320 pixels, so that a frame of 480
    is made no smaller than two thirds, and training that shows such sizes.
    """
    run = root / "gate"
    again = ["--resume"] if run.exists() else []
    deploy(root, "train", "tiled_detection", "--out", run, *GATED, *again)
    deploy(root, "export", run, "-t", "onnx", "-p", "fp32", "--name", "gate")
    artifact = root / "artifacts" / "gate-onnx-fp32"
    report = _evaluate(root, artifact, unseen, "--gate", "1.0", "--confidence", str(GATED_FROM))
    _print(report)
    plain, gated = (report.row(name) for name in ("sliced", "sliced + gate"))
    cut = 1 - gated.false_positives / max(1, plain.false_positives)
    cost = (plain.figure("recall").value or 0.0) - (gated.figure("recall").value or 0.0)
    line = f"gate: false positives {plain.false_positives} -> {gated.false_positives}, {cut:.0%} cut"
    yield (
        f"{line}, at least {FALSE_ALARMS:.0%}; recall {cost:+.4f} lower, at most {RECALL_COST}",
        cut >= FALSE_ALARMS and cost <= RECALL_COST,
    )


def _leak(root: Path, artifact: Path, unseen: Path, train: Path) -> Iterator[Line]:
    """A fifth of the training pictures among those of the evaluation: refused."""
    spoilt = _copy(unseen, root / "leaked")
    pictures = sorted((train / "images").rglob("*.png"))
    for path in pictures[:: round(1 / LEAKED)]:
        for part, suffix in (("images", ".png"), ("labels", ".txt")):
            name = (Path(part) / path.relative_to(train / "images")).with_suffix(suffix)
            (spoilt / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(train / name, spoilt / name)
    said = deploy(
        root, "verify", artifact, "--task", "tiled_detection", "--data", spoilt, "--train", train, codes=(5,)
    )
    yield f"leak: {said['summary']}", said["error"] == "LEAK"


def _frozen(root: Path, unseen: Path) -> Iterator[Line]:
    """Frozen frames: the same bytes, other bytes, and with a clock printed on them."""
    rng = np.random.default_rng(0)
    for kind in ("same bytes", "re-encoded", "time-stamped"):
        folder = root / "frozen"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        originals = sorted((unseen / "images").rglob("*.png"))
        for number, path in enumerate(originals):
            shutil.copy(path, folder / f"a{number:04d}.png")
        planted = rng.choice(len(originals), round(FROZEN * len(originals)), replace=False).tolist()
        names = {f"b{number:04d}" for number in planted}
        for number in planted:
            _freeze(originals[number], folder / f"b{number:04d}", kind)
        said = deploy(root, "data", "dedup", folder)
        exact = kind == "same bytes"
        found = {
            Path(each["file"]).stem
            for each in said["duplicates"]
            if not exact or each["reason"] == "same bytes"
        }
        recall = len(found & names) / len(names)
        line = f"frozen, {kind}: {len(names)} of {len(originals)}, recall {recall:.3f}"
        if exact:
            precision = len(found & names) / max(1, len(found))
            yield f"{line}, precision {precision:.3f}, both 1", recall == precision == 1
        else:
            others = f"{len(found - names)} frames in which hardly anything moves are named too"
            yield f"{line}, at least {REENCODED_RECALL}; {others}", recall >= REENCODED_RECALL


def _freeze(source: Path, target: Path, kind: str) -> None:
    if kind == "same bytes":
        shutil.copy(source, target.with_suffix(".png"))
        return
    image = cv2.imread(str(source))
    assert image is not None
    if kind == "time-stamped":
        cv2.putText(image, "2026-03-02 08:00:07", (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    cv2.imwrite(str(target.with_suffix(".jpg")), image, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _unlabelled(root: Path, artifact: Path, unseen: Path) -> Iterator[Line]:
    """A tenth of the labels taken away: how many of them are named."""
    bare = _copy(unseen, root / "bare")
    rng = np.random.default_rng(0)
    gone = []
    for label in sorted((bare / "labels").rglob("*.txt")):
        lines = label.read_text().splitlines()
        kept = [line for line in lines if rng.random() >= UNLABELLED]
        name = label.relative_to(bare / "labels").with_suffix("").as_posix()
        gone += [(name, line) for line in lines if line not in kept]
        label.write_text("".join(f"{line}\n" for line in kept))
    found = root / "found"
    shutil.rmtree(found, ignore_errors=True)
    deploy(root, "detect", artifact, bare / "images", "--confidence", "0.05", "--out", found)
    said = deploy(root, "data", "missing", found / "detections.jsonl", bare)
    hits = sum(_named(name, line, said["suspects"]) for name, line in gone)
    share = hits / max(1, len(gone))
    yield (
        f"unlabelled: {hits} of {len(gone)} removed objects surfaced ({share:.0%}) among "
        f"{len(said['suspects'])} suspects, at least {SURFACED:.0%}",
        share >= SURFACED,
    )


def _named(name: str, line: str, suspects: list[dict[str, Any]]) -> bool:
    """Whether a suspect lies on the removed object: its centre within the suspect's box."""
    _, x, y, *_ = (float(value) for value in line.split())
    for each in suspects:
        left, top, right, bottom = each["box"]
        if each["picture"] == name and left <= x * 480 <= right and top <= y * 270 <= bottom:
            return True
    return False


def _real(root: Path, name: str, train: Path, judge: Path) -> Iterator[Line]:
    """Real pictures: a few epochs, all rows, intervals."""
    run = root / f"run-{name}"
    shutil.rmtree(run, ignore_errors=True)
    options = ["--epochs", "3", "--size", "320", "--set", "tile=320"]
    deploy(root, "train", "tiled_detection", "--data", train, "--out", run, *options)
    deploy(root, "export", run, "-t", "onnx", "-p", "fp32", "--name", name)
    artifact = root / "artifacts" / f"{name}-onnx-fp32"
    report = _evaluate(root, artifact, judge, "--confidence", "0.1", "--allow", "leak")
    _print(report)
    values = [row.figure("box_mAP50") for row in report.rows]
    yield (
        f"{name}: {len(report.rows)} rows, every mAP50 with an interval "
        f"(full image {values[0].value}, sliced {values[1].value}; {report.data.samples} pictures)",
        len(values) == 4 and all(each.value is not None and each.low is not None for each in values),
    )


def _print(report: TiledReport) -> None:
    """The four rows, as the command shows them."""
    for row in report.rows:
        figures = ", ".join(
            f"{each.metric} {each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"
            for each in row.figures
            if each.value is not None and each.low is not None and each.high is not None
        )
        causes = ", ".join(f"{cause} {count}" for cause, count in row.causes.items() if count)
        sys.stdout.write(f"        {report.name}, {row.name}: {figures}; wrong: {causes or 'nothing'}\n")


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
