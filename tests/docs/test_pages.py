"""Hand-written pages: commands parse, the worked example works, tables name what exists, the site builds."""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from deploy.vision.images import write_png
from docs.generate import FOLDER
from tests.docs.command_lines import blocks_in, check_line, lines_in
from tests.house.tree import ROOT, door_plates

HAND_WRITTEN = [
    path
    for path in [ROOT / "README.md", *sorted(FOLDER.glob("*.md"))]
    if path.name not in ("cli.md", "errors.md")
]
PROMISED = """
deploy export --target coreml
deploy export runs/x --target all --precision fp16 --out artifacts/
deploy export yolov8n-seg.pt --target onnx
deploy export timm:tf_efficientnet_lite0 --weights w.safetensors --target executorch
deploy export my_pkg.models:build --weights w.pth --input image=1x3x256x256 --target coreml
deploy verify artifacts/* --data DIR
deploy bench artifacts/x --device desktop --duration 20s
deploy report results/* --html report.html
deploy devices; deploy doctor; deploy --help
"""


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda path: path.name)
def test_commands_in_code_blocks_parse(page: Path) -> None:
    for line in lines_in(blocks_in(page.read_text(encoding="utf-8"))):
        check_line(line)


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda path: path.name)
def test_options_in_the_text_exist(page: Path) -> None:
    from docs.generators.cli import command_at, leaf_commands

    known = {
        name
        for path in leaf_commands()
        for p in command_at(path).params
        for name in (*p.opts, *p.secondary_opts)
    } | {"--help", "--version", "--check"}
    text = page.read_text(encoding="utf-8")
    named = {
        option
        for quoted in re.findall(r"`([^`\n]+)`", text)
        for option in re.findall(r"(?<!\S)--[a-z-]+", quoted)
    }
    assert named <= known, named - known


def test_the_readme_makes_the_promised_commands() -> None:
    blocks = blocks_in((ROOT / "README.md").read_text(encoding="utf-8"))
    missing = [line for line in PROMISED.strip().splitlines() if line not in blocks]
    assert not missing


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name
        for page in HAND_WRITTEN
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named, "the README says how to start"
    assert named <= targets, named - targets


def test_extras_and_direct_dependencies_are_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    extras = set(project["optional-dependencies"]) - {"dev"}
    assert not {extra for extra in extras if f"`[{extra}]`" not in readme}
    licences = (FOLDER / "licences.md").read_text(encoding="utf-8")
    lines = [
        *project["dependencies"],
        *(d for group in project["optional-dependencies"].values() for d in group),
    ]
    names = {re.split(r"[<>=!\[; ]", line)[0] for line in lines} - {"pocketproof"}
    missing = {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", licences)}
    assert not missing, f"docs/licences.md does not name {missing}"


def test_every_door_plate_is_explained() -> None:
    text = (FOLDER / "adding.md").read_text(encoding="utf-8")
    missing = [plate for plate in door_plates() if f"`{plate.rpartition('.')[2]}`" not in text]
    assert not missing


def test_the_worked_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own code, behind the page's own line."""
    from training.data.folders import open_folder
    from training.data.layouts import LAYOUTS

    text = (FOLDER / "adding.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    line = re.search(r'^\s+"(\w+)": "training\.data\.layouts\.(\w+):(\w+)",$', text, re.MULTILINE)
    assert code is not None
    assert line is not None
    name, module, attribute = line.groups()
    (tmp_path / f"{module}.py").write_text(code[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(LAYOUTS, "lines", {name: f"{module}:{attribute}", **LAYOUTS.lines})

    data = tmp_path / "data"
    picture = np.zeros((24, 32, 3), np.uint8)
    for stem in ("walk", "run", "rest"):
        write_png(data / f"{stem}.png", picture)
    for stem in ("walk", "run"):
        write_png(data / f"{stem}.mask.png", np.full((24, 32), 255, np.uint8))
    found = open_folder(data, "binary_mask")
    assert found.layout == name
    assert found.ids == ("run", "walk")
    assert found.notes == ("1 pictures have no mask and are left out",)
    truth = found.sample(0).truth
    assert truth is not None
    assert truth.mask.all()  # type: ignore[union-attr]


def test_the_preprocess_block_that_is_shown_is_one() -> None:
    from deploy.contracts.preprocess import Preprocess

    shown = re.findall(
        r"^```json\n(.*?)^```", (FOLDER / "exporting.md").read_text(encoding="utf-8"), re.M | re.S
    )
    assert [Preprocess.model_validate_json(block).resize for block in shown] == ["letterbox"]


def test_tolerances_that_are_told_are_those_of_the_code() -> None:
    from export.parity import AGREEMENT, TOLERANCE_DB

    text = (FOLDER / "exporting.md").read_text(encoding="utf-8")
    for precision, row in AGREEMENT.items():
        told = " | ".join(str(row[kind]) for kind in ("binary_mask", "classify", "yolo", "tensors"))
        assert f"| {precision} | {told} |" in text
    assert all(f"{decibels:.0f} dB at {precision}" in text for precision, decibels in TOLERANCE_DB.items())


def test_layouts_that_are_told_are_those_of_the_code() -> None:
    from training.data.layouts import LAYOUTS

    verifying = (FOLDER / "verifying.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in verifying for name in LAYOUTS)


def test_links_from_the_readme_lead_somewhere() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", readme)
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_site_builds_strictly_and_works_offline(tmp_path: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.utils import CountHandler

    counter = CountHandler()
    counter.setLevel(logging.WARNING)
    logging.getLogger("mkdocs").addHandler(counter)
    try:
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    finally:
        logging.getLogger("mkdocs").removeHandler(counter)
    assert not counter.get_counts(), counter.get_counts()
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) >= len(list(FOLDER.glob("*.md")))
    assert not list(tmp_path.rglob("*.py")), "generators are no pages"
    away = {
        f"{page.name}: {address}"
        for page in pages
        for address in re.findall(
            r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:)?//([^\"]+)", page.read_text(encoding="utf-8")
        )
    }
    assert not away, away
