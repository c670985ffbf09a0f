"""What a room imports is declared: in the base for every room, or in an extra that the room may need."""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from tests.house.tree import ROOMS, ROOT, imported, modules

EXTRAS = {
    "deploy": ("train", "onnx", "coreml", "executorch", "tiles", "cluster"),
    "training": ("train", "yolo", "clip"),
    "export": ("train", "onnx", "coreml", "executorch"),
    "device_bench": ("bench",),
}
"""Extras whose packages a room may import (lazily: import-linter says in which module)."""


@cache
def _project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _distributions(extra: str | None) -> set[str]:
    project = _project()
    listed = project["dependencies"] if extra is None else project["optional-dependencies"][extra]  # type: ignore[index]
    return {_normal(re.split(r"[<>=!\[; ]", line)[0]) for line in listed}  # type: ignore[union-attr]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("room", ROOMS)
def test_every_import_is_declared(room: str) -> None:
    declared = _distributions(None).union(*map(_distributions, EXTRAS[room]))
    owners = packages_distributions()
    undeclared = {
        f"{module.place}: {top}"
        for module in modules()
        if module.name.split(".")[0] == room
        for top in {name.split(".")[0] for name in imported(module)}
        if top not in sys.stdlib_module_names
        and top not in ROOMS
        and not declared & {_normal(owner) for owner in owners.get(top, [])}
    }
    assert not undeclared, undeclared


def test_the_bench_extra_brings_no_torch() -> None:
    assert not _distributions("bench") & _distributions("train")
