"""The source tree as the house tests see it: files, syntax trees and door plates."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.registry import DoorPlate

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("deploy", "training", "export", "device_bench")


@dataclass(frozen=True)
class Module:
    """A Python file of a room."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """True for ``__init__.py``."""
        return self.path.name == "__init__.py"

    @property
    def place(self) -> str:
        """Path below the repository, for messages."""
        return self.path.relative_to(ROOT).as_posix()


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the rooms."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)


@cache
def door_plates() -> dict[str, DoorPlate[object]]:
    """``package.NAME`` to the plate, for every plate of the tree (packages are light; plugs stay shut)."""
    found = {}
    for module in modules():
        if module.is_package:
            package = importlib.import_module(module.name)
            for name, value in vars(package).items():
                if isinstance(value, DoorPlate):
                    found[f"{module.name}.{name}"] = value
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in a syntax tree."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    """Last name of what is called: ``print`` of ``print()``, ``DeployError`` of ``errors.DeployError()``."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def imported(module: Module) -> set[str]:
    """Dotted names that a module imports anywhere, ``from a import b`` as both ``a`` and ``a.b``."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
