"""``errors.md``: every error id, when it appears and what mends it, read from the code's syntax trees."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.registry import DoorPlate
from docs.generators import NOTE

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "deploy": "The ground floor",
    "training": "Training and data",
    "export": "Export and verify",
    "device_bench": "Bench and report",
}
ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")
DULL = {"str", "len", "splitlines", "strip", "split", "join", "self", "type", "name"}
DULL |= {"round", "map", "sorted", "min", "max", "int", "float", "read_json"}
"""Names that say nothing about what an expression holds."""

INTRO = """# Errors

Whatever you can get wrong ends as a `DeployError`: an id that stays the same, a sentence that says what
happened, and a line that says what to do. Under `--json` it is one object:
`{"error": ID, "summary": ..., "remedy": ...}`.
Bad input never ends as a traceback, a warning, or exit code 0. Exit code 1 unless the table says otherwise.

Words in *italics* are filled in when the message is printed.

"""


@dataclass(frozen=True)
class Entry:
    """One way an error comes about."""

    id: str
    when: str
    remedy: str
    exit_code: str
    place: str

    @property
    def room(self) -> str:
        """Top-level package."""
        return self.place.partition("/")[0]


def page() -> str:
    """The whole page, a table a room, each row linkable by its id."""
    found = entries()
    text = NOTE + INTRO
    for room, title in ROOMS.items():
        mine = sorted({e for e in found if e.room == room}, key=lambda e: (e.id, e.place, e.when))
        text += f"## {title}\n\n| id | when | what to do | exit code |\n|---|---|---|---:|\n"
        seen: set[tuple[str, str, str]] = set()
        for entry in mine:
            key = (entry.id, entry.when, entry.remedy)
            if key not in seen:
                seen.add(key)
                text += f"| `{entry.id}` | {entry.when} | {entry.remedy} | {entry.exit_code} |\n"
        text += "\n"
    return text


def entries() -> list[Entry]:
    """Every error of the rooms: raised ones, rows and failures that carry an id, and one a door plate."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += list(_raised(tree, place))
            if path.name == "__init__.py":
                found += list(_unknown(place))
    return found


def _raised(tree: ast.Module, place: str) -> Iterator[Entry]:
    """Calls with a literal id: ``DeployError(id, summary, remedy)``, ``Row(error_id=...)`` and their like."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        named = {word.arg: word.value for word in node.keywords if word.arg}
        if name == "DeployError":
            yield from _entries(node.args[0], node.args[1], node.args[2], _exit_code(node, named), place)
        elif name == "Row" and "error_id" in named:
            yield from _entries(named["error_id"], named.get("reason"), named.get("remedy"), "", place)
        elif name == "Failure":
            yield from _entries(named["id"], named.get("summary"), None, "", place)
        elif name == "Ended":
            yield from _entries(node.args[1], node.args[2], None, "", place)
        elif name == "DoorPlate" and isinstance(node.args[0], ast.JoinedStr):
            kind = re.sub(r"\*(.*?)\*", r"<\1>", text_of(node.args[0]))
            yield Entry(
                f"UNKNOWN-{kind.upper().replace(' ', '-')}",
                f"There is no {kind.replace('<', '*').replace('>', '*')} called *name*.",
                "Choose one of those it lists.",
                "",
                place,
            )


def _entries(
    error_id: ast.expr, summary: ast.expr | None, remedy: ast.expr | None, exit_code: str, place: str
) -> Iterator[Entry]:
    for literal in _literals(error_id):
        when = text_of(summary) if summary is not None else ""
        mend = (
            text_of(remedy) if remedy is not None else "It is recorded as the result of that run or target."
        )
        yield Entry(literal, when, mend, exit_code, place)


def _literals(node: ast.expr) -> Iterator[str]:
    """Ids that an expression can give, among them those of ``x or "ID"``."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and ID.fullmatch(part.value):
            yield part.value


def _exit_code(node: ast.Call, named: dict[str, ast.expr]) -> str:
    given = node.args[3] if len(node.args) > 3 else named.get("exit_code")
    if given is None:
        return ""
    from deploy.errors import ExitCode

    return str(int(ExitCode[ast.unparse(given).rpartition(".")[2]]))


def _unknown(place: str) -> Iterator[Entry]:
    """``UNKNOWN-<KIND>`` of every door plate in a package."""
    package = importlib.import_module(".".join(Path(place).parent.parts))
    for value in vars(package).values():
        if isinstance(value, DoorPlate):
            yield Entry(
                f"UNKNOWN-{value.kind.upper().replace(' ', '-')}",
                f"There is no {value.kind} called *name*.",
                f"Choose one of: {', '.join(value.names())}.",
                "",
                place,
            )


def text_of(node: ast.expr) -> str:
    """A message as Markdown; what is filled in stands in italics under the last word of its expression."""
    if isinstance(node, ast.Constant):
        return _escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        pieces = [
            f"*{_word(part.value)}*" if isinstance(part, ast.FormattedValue) else _escape(str(part.value))  # type: ignore[attr-defined]
            for part in node.values
        ]
        return "".join(pieces).replace("**", "* *")
    return f"*{_word(node)}*"


def _word(node: ast.expr) -> str:
    """The last telling name of an expression: ``folder`` of ``exported.folder``."""
    if isinstance(node, ast.Constant):
        return _escape(str(node.value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
        return f"{_word(node.args[0])}, ..."
    names = [
        part.id if isinstance(part, ast.Name) else part.attr
        for part in ast.walk(node)
        if isinstance(part, (ast.Name, ast.Attribute))
    ]
    telling = [name for name in names if name not in DULL] or ["name"]
    return _escape(telling[0].strip("_").replace("_", " ").lower())


def _escape(text: str) -> str:
    for letter in "\\*|[]":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("<", "&lt;")
