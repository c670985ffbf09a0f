"""Sockets and plugs, both directions: every line opens and fits its socket, every plug file has a line."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache

import pytest

from tests.house.tree import ROOMS, door_plates, imported, modules

PLATES = sorted(door_plates())
USED_ELSEWHERE = {
    "deploy.tiled.sahi_adapter": "scripts of users who call sahi",
    "deploy.contracts.schemas": "the generator of docs/schemas",
    "deploy.metrics.confusion": "make bench; waits for a task with several classes",
}
LINES = [(plate, name) for plate in PLATES for name in door_plates()[plate]]


@cache
def socket_of(plate: str) -> type | None:
    """The Protocol in ``protocol.py`` that the plate's annotation names; ``None`` for functions."""
    package, _, variable = plate.rpartition(".")
    module = next(m for m in modules() if m.name == package)
    annotation = next(
        ast.unparse(node.annotation)
        for node in module.tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == variable
    )
    if not (module.path.parent / "protocol.py").exists():
        return None
    protocol = importlib.import_module(f"{package}.protocol")
    sockets = [
        value
        for name, value in vars(protocol).items()
        if getattr(value, "_is_protocol", False) and re.search(rf"\b{name}\b", annotation)
    ]
    assert len(sockets) == 1, (
        f"{plate} is annotated {annotation}, which names no Protocol of {package}.protocol"
    )
    return sockets[0]


def methods_of(socket: type) -> list[str]:
    """Names of the methods a plug must have."""
    return [name for name, value in vars(socket).items() if not name.startswith("_") and _callable(value)]


def _callable(value: object) -> bool:
    return callable(value) or isinstance(value, (staticmethod, classmethod))


def _attributes_set_in(plug: object) -> set[str]:
    """What a class and its bases set on ``self``, read from their source (building one may need files)."""
    kind = plug if inspect.isclass(plug) else type(plug)
    trees = [
        ast.parse(inspect.cleandoc("\n" + inspect.getsource(each)))
        for each in kind.__mro__
        if each.__module__.partition(".")[0] in ROOMS
    ]
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("plate", PLATES)
def test_a_plate_has_a_socket_beside_its_plugs_or_holds_functions(plate: str) -> None:
    if socket_of(plate) is None:
        lines = door_plates()[plate].lines.values()
        assert len({line.partition(":")[2] for line in lines}) == 1, "functions of one plate share one name"


@pytest.mark.parametrize(("plate", "name"), LINES)
def test_every_line_opens_and_fits_its_socket(plate: str, name: str) -> None:
    plug = door_plates()[plate].open(name)
    socket = socket_of(plate)
    if socket is None:
        assert callable(plug)
        return
    for method in methods_of(socket):
        there = getattr(plug, method, None)
        assert callable(there), f"{plate} {name} lacks the method {method} of {socket.__name__}"
        wanted = _parameters(getattr(socket, method))
        found = _parameters(there)
        assert found == wanted, f"{plate} {name}.{method} takes {found}; the socket says {wanted}"
    fields = [field for field in inspect.get_annotations(socket) if not field.startswith("_")]
    known = _attributes_set_in(plug)
    missing = [field for field in fields if not hasattr(plug, field) and field not in known]
    assert not missing, f"{plate} {name} lacks {missing} of {socket.__name__}"


def _parameters(function: object) -> list[str]:
    """Names of the parameters a caller gives."""
    names = list(inspect.signature(function).parameters)  # type: ignore[arg-type]
    return [name for name in names if name not in ("self", "cls")]


@pytest.mark.parametrize("plate", PLATES)
def test_every_plug_file_has_a_line(plate: str) -> None:
    """A file is a plug when it defines what the lines point at: the socket's methods, or the lines' name.

    Other files in the folder are helpers, and a helper is imported by somebody.
    """
    package = plate.rpartition(".")[0]
    listed = {line.partition(":")[0] for line in door_plates()[plate].lines.values()}
    shared = {line.partition(":")[2] for line in door_plates()[plate].lines.values()}
    socket = socket_of(plate)
    wanted = set(methods_of(socket)) if socket else set()
    beside = [m for m in modules() if m.name.rpartition(".")[0] == package and m.name not in listed]
    for module in beside:
        if module.is_package or module.name.endswith(".protocol"):
            continue
        defined = {
            node.name: node for node in module.tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        }
        plugs = [
            name
            for name, node in defined.items()
            if (isinstance(node, ast.ClassDef) and wanted and wanted <= _methods(node))
            or (socket is None and name in shared)
        ]
        assert not plugs, f"{module.place} defines {plugs[0]}, which has no line on the door plate {plate}"


def _methods(node: ast.ClassDef) -> set[str]:
    return {part.name for part in node.body if isinstance(part, ast.FunctionDef)}


def test_no_file_is_forgotten() -> None:
    """Every module is imported by another, opened by a table or a plate, or started with ``-m``."""
    known: set[str] = set()
    for module in modules():
        known |= imported(module) - {module.name}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                known.add(node.value.partition(":")[0])
    forgotten = [
        module.place
        for module in modules()
        if not module.is_package
        and module.path.name != "__main__.py"
        and module.name not in known | set(USED_ELSEWHERE)
    ]
    assert not forgotten, f"nothing in the rooms uses {forgotten}"
