"""Files stay small, say what they are for, print nothing and leave nothing unfinished."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import Module, called, calls, modules

MOST_LINES = 300


def test_files_stay_small() -> None:
    long = {m.place: len(m.path.read_text(encoding="utf-8").splitlines()) for m in modules()}
    long = {place: lines for place, lines in long.items() if lines > MOST_LINES}
    assert not long, f"over {MOST_LINES} lines, split them: {long}"


def test_every_module_opens_with_a_sentence() -> None:
    silent = [m.place for m in modules() if not _is_sentence(ast.get_docstring(m.tree))]
    assert not silent, f"no one-sentence docstring at the top of {silent}"


def test_every_public_name_says_what_it_is() -> None:
    silent = [
        f"{module.place}:{node.lineno} {node.name}"
        for module in modules()
        for node in _public(module.tree)
        if not ast.get_docstring(node)
    ]
    assert not silent, f"no docstring: {silent}"


def test_nothing_prints() -> None:
    """People are spoken to through ``deploy.console`` alone; ruff's T20 cannot see ``sys.stdout.write``."""
    prints = [
        f"{m.place}:{c.lineno}"
        for m in modules()
        for c in calls(m.tree)
        if isinstance(c.func, ast.Name) and called(c) == "print"
    ]
    assert not prints, prints


def test_nothing_is_left_to_do() -> None:
    words = ("TODO", "FIXME", "XXX", "NotImplementedError")
    marks = [
        f"{module.place}:{number} {word}"
        for module in modules()
        for number, line in enumerate(module.path.read_text(encoding="utf-8").splitlines(), start=1)
        for word in words
        if word in line
    ]
    assert not marks, marks


def test_no_error_is_swallowed_whole() -> None:
    """``except: pass`` over everything hides what the user should read; name the exception."""
    bare = [
        f"{module.place}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(step, (ast.Pass, ast.Continue)) for step in node.body)
    ]
    assert not bare, bare


def _is_sentence(text: str | None) -> bool:
    """The first paragraph starts like a sentence and ends like one."""
    if not text:
        return False
    first = text.split("\n\n")[0].strip()
    return (first[0].isupper() or first[0] in "`\"'") and first[-1] in ".:"


def _public(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes of a module, and public methods of its public classes."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def test_the_walk_sees_methods() -> None:
    tree = ast.parse("class A:\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...")
    assert [node.name for node in _public(tree)] == ["A", "b", "d"]
    assert isinstance(modules()[0], Module)
