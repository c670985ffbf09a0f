"""Versions of the tools that shape a result, read from package metadata (nothing heavy is imported)."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

from deploy import __version__

TOOLS = (
    "torch",
    "coremltools",
    "executorch",
    "torchao",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
    "timm",
    "ultralytics",
    "opencv-python-headless",
)


@cache
def installed(package: str) -> str | None:
    """The installed version of ``package``, or ``None``."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions(*packages: str) -> dict[str, str]:
    """Python, this project and every installed one of ``packages`` (all of ``TOOLS`` when none is named)."""
    found = {"python": platform.python_version(), "pocketproof": __version__}
    for package in packages or TOOLS:
        version = installed(package)
        if version is not None:
            found[package] = version
    return found
