"""Data tools against the code people use today: ``python -m tests.bench.bench_data``; exit 1 below a bar."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import process_time

import cv2
import numpy as np

from deploy.contracts.tiling import Tiling
from tests.bench.row import BenchRow, cpu_ratios, row_of, tell
from tests.training.data_tools.scenes import photo
from tests.training.data_tools.test_convert import annotations, texts, ultralytics_labels
from training.data.duplicates.find import find_duplicates
from training.data.duplicates.fingerprint import of_file
from training.data.duplicates.gallery import Gallery
from training.data.duplicates.likeness import Alike
from training.data.duplicates.pairs import close_pairs
from training.data.interchange.convert import convert_annotations
from training.data.labelled import LabelledObject
from training.data.slicing.tiles import Cutting, Source, slice_picture

PAIRS = 7
TILING = Tiling(width=640, height=640, overlap=0.2)


def run() -> list[BenchRow]:
    """All rows; every peer alternates with ours in this one process."""
    return [_coco_to_yolo_row(), _slicing_row(), _pairs_row(), *_near_duplicate_rows()]


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in memory where the machine has one: the disk is no part of these rows."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def _coco_to_yolo_row() -> BenchRow:
    name = "COCO to YOLO, 40k boxes, vs ultralytics"
    with _scratch() as root, contextlib.redirect_stderr(io.StringIO()):
        file, number = root / "json" / "all.json", count()
        file.parent.mkdir()
        file.write_text(json.dumps(annotations(0, 6000, 40_000)))
        answers: dict[str, dict[str, str]] = {}

        def ours() -> None:
            out = root / f"ours{next(number)}"
            convert_annotations(file, out)
            answers["ours"] = {} if answers.get("ours") else texts(out / "labels")

        def peer() -> None:
            labels = ultralytics_labels(file, root / f"theirs{next(number)}")
            answers["theirs"] = {} if answers.get("theirs") else texts(labels)

        ours()
        peer()
        same = {name: text for name, text in answers["theirs"].items() if text} == answers["ours"]
        _agree(same, name)
        return row_of(name, cpu_ratios(_timed(peer, root), _timed(ours, root), PAIRS), 1.3)


def _slicing_row() -> BenchRow:
    """The same windows, boxes and JPEG quality: 75, which is PIL's default and not sahi's to choose."""
    from sahi.slicing import slice_coco

    name = "slicing 6 pictures of 1080p to .jpg, vs sahi"
    with _scratch() as root, contextlib.redirect_stderr(io.StringIO()):
        (root / "images").mkdir()
        sources, images, listed = [], [], []
        rng = np.random.default_rng(0)
        for index in range(6):
            path = root / "images" / f"{index}.jpg"
            cv2.imwrite(str(path), photo(index, 1080, 1920), [cv2.IMWRITE_JPEG_QUALITY, 92])
            images.append({"id": index + 1, "file_name": path.name, "height": 1080, "width": 1920})
            low = rng.integers(0, (1880, 1040), (25, 2))
            boxes = np.concatenate([low, low + rng.integers(8, 40, (25, 2))], axis=1).tolist()
            objects = tuple(LabelledObject(0, (x1, y1, x2, y2)) for x1, y1, x2, y2 in boxes)
            sources.append(Source(f"{index}", path, "valid", (1080, 1920), objects))
            for x1, y1, x2, y2 in boxes:
                entry = {"id": len(listed) + 1, "image_id": index + 1, "category_id": 1, "iscrowd": 0}
                listed.append({**entry, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)})
        file = root / "all.json"
        categories = [{"id": 1, "name": "person"}]
        file.write_text(json.dumps({"images": images, "annotations": listed, "categories": categories}))
        how, number = Cutting(TILING, quality=75), count()

        def ours() -> int:
            out = root / f"ours{next(number)}"
            return sum(len(slice_picture(source, out, how)["tiles"]) for source in sources)

        def peer() -> int:
            out = root / f"theirs{next(number)}"
            made, _ = slice_coco(
                str(file),
                str(root / "images"),
                "all",
                str(out),
                False,
                640,
                640,
                min_area_ratio=0.3,
                out_ext=".jpg",
            )
            return len(made["images"])

        _agree(ours() == peer() == 48, name)
        return row_of(name, cpu_ratios(_timed(peer, root), _timed(ours, root), PAIRS), 1.5)


def _pairs_row() -> BenchRow:
    """Every planted pair is found, and as many pairs as comparing all with all finds."""
    name = "pairs among 20k hashes, at most 4 bits apart"
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    for one, other in rng.permutation(20_000)[:2000].reshape(-1, 2).tolist():
        flips = rng.choice(64, int(rng.integers(0, 5)), replace=False)
        hashes[other] = hashes[one] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    every = sum(
        int((np.bitwise_count(hashes[row] ^ hashes[row + 1 :]) <= 4).sum()) for row in range(len(hashes))
    )
    _agree(len(close_pairs(hashes, 4)) == every >= 1000, name)
    seconds = []
    for _ in range(PAIRS):
        start = process_time()
        close_pairs(hashes, 4)
        seconds.append(process_time() - start)
    return row_of(name, seconds, 0.1, unit="s", direction="at most")


def _near_duplicate_rows() -> list[BenchRow]:
    """60 pictures of 1080p, 30 % of them re-encoded copies: from files to the names of the duplicates."""
    if find_spec("imagededup") is None or find_spec("pywt") is None:
        install = "pip install --no-deps imagededup PyWavelets"
        sys.stderr.write(f"no row for near duplicates: imagededup is not installed ({install})\n")
        return []
    os.environ.setdefault("TQDM_DISABLE", "1")
    from imagededup.methods import DHash

    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore", module="imagededup")

    name = "near duplicates, 60 pictures of 1080p, vs imagededup"
    with _scratch() as root:
        planted = set()
        for index in range(42):
            image = cv2.resize(photo(index, 1080, 1920), (1920, 1080))
            cv2.imwrite(str(root / f"{index:02d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
            if index < 18:
                cv2.imwrite(str(root / f"{index:02d}b.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 80])
                planted.add((f"{index:02d}.jpg", f"{index:02d}b.jpg"))
        pictures = sorted(root.glob("*.jpg"))

        def ours() -> set[tuple[str, str]]:
            prints = [of_file(path) for path in pictures]
            looks = np.array([each.looks for each in prints], np.uint64)
            found = find_duplicates(
                Gallery(
                    tuple(path.name for path in pictures),
                    tuple(each.sha256 for each in prints),
                    looks,
                    lambda index: prints[index].thumb,
                ),
                Alike(),
            )
            return {(pictures[each.original].name, pictures[each.index].name) for each in found}

        def peer() -> set[tuple[str, str]]:
            method = DHash(verbose=False)
            codes = method.encode_images(image_dir=str(root), num_enc_workers=0)
            found = method.find_duplicates(encoding_map=codes, max_distance_threshold=4, num_dist_workers=0)
            return {(min(a, b), max(a, b)) for a, others in found.items() for b in others}

        _agree(ours() == planted and planted <= peer(), name)
        ratios = [_all_cpu(peer) / _all_cpu(ours) for _ in range(PAIRS)]
        return [row_of(name, ratios, 3.5)]


def _all_cpu(call: Callable[[], object]) -> float:
    """CPU seconds of this process and of those it started and waited for: the peer encodes in children."""
    times = []
    for step in (lambda: None, call):
        step()
        used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
        times.append(sum(each.ru_utime + each.ru_stime for each in used))
    return times[1] - times[0]


def _timed(call: Callable[[], object], root: Path) -> Callable[[], object]:
    """``call``, and what it leaves behind removed by a child, whose time is not counted."""

    def once() -> object:
        answer = call()
        for left in [*root.glob("ours*"), *root.glob("theirs*")]:
            child = os.fork()
            if child == 0:
                shutil.rmtree(left, ignore_errors=True)
                os._exit(0)
            os.waitpid(child, 0)
        return answer

    return once


def _agree(same: bool, name: str) -> None:
    if not same:
        raise AssertionError(f"{name}: the two ways disagree")


if __name__ == "__main__":
    sys.exit(min(tell(run()), 1))
