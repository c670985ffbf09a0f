"""The page about quantizing and the README tell the precisions of the code."""

from __future__ import annotations

import re
from pathlib import Path

from export.calibration.methods import CALIBRATORS
from export.precisions import PRECISIONS
from export.targets import TARGETS

PAGE = Path(__file__).parents[3] / "docs" / "quantizing.md"
SUFFIXES = {"onnx": "onnx", "coreml": "mlpackage"}
TARGET_NAMES = ("onnx", "coreml", "executorch")


def test_the_page_tells_the_precisions_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, each in PRECISIONS.items():
        has = " | ".join(
            "yes" if name in TARGETS.open(target).PRECISIONS else "no" for target in TARGET_NAMES
        )
        assert f"| `{name}` | {each.summary} | {has} |" in text
    for target in TARGET_NAMES:
        assert f"| `{target}` | `{TARGETS.open(target).INT8}` |" in text
    for name in CALIBRATORS.names():
        assert f"| `{name}`" in text
    assert set(re.findall(r"^\| `([\w-]+)` \| .* \| (?:yes|no) \|$", text, re.MULTILINE)) == PRECISIONS.keys()


def test_the_readme_lists_what_each_target_has() -> None:
    readme = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    for target, title in (("onnx", "ONNX"), ("coreml", "Core ML")):
        assert f"| {title} | `.{SUFFIXES[target]}` | {', '.join(TARGETS.open(target).PRECISIONS)} |" in readme
