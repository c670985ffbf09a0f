"""``contracts.md`` and ``schemas/*.json``: the documents that the rooms hand each other."""

from __future__ import annotations

import inspect
import json
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from deploy.contracts.base import SCHEMA_VERSION, Contract, Document
from deploy.contracts.schemas import DOCUMENTS
from device_bench.comparison import Comparison
from docs.generators import NOTE

INTRO = f"""# Contracts

The disk is the API: each stage reads files, writes files, and links them by SHA-256. These are the files.
A phone's harness in Swift or Kotlin speaks the same ones; the [JSON Schemas](#json-schemas) pin them.

Rules that hold for every document:

- it says what it is (`document`) and which version it is (`schema_version`, now {SCHEMA_VERSION}); another
  version is refused with `SCHEMA-VERSION`, and unknown keys with `CONTRACT-BROKEN`;
- facts stand inside, never in a file name; names of folders are for people;
- a unit stands in the key (`_ns`, `_bytes`, `_celsius`, `_percent`); times are integers;
- what could not be measured is `null` with a reason, never 0;
- a doubtful run carries its taints; they are printed in front of its name;
- files are written whole (temporary file, fsync, rename), so a reader never sees half of one.

"""

_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Any: "any",
}


def documents() -> dict[str, type[Contract]]:
    """The documents that leave a room, in the order in which they are written."""
    return {**DOCUMENTS, "comparison": Comparison}


def schemas() -> dict[str, str]:
    """File name to JSON Schema (draft 2020-12) of every document."""
    return {
        f"{name}.json": json.dumps(kind.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False)
        + "\n"
        for name, kind in documents().items()
    }


def page() -> str:
    """The whole page: each document, and beneath it the parts it is made of, each once."""
    shown: set[type[Contract]] = set()
    text = NOTE + INTRO
    for kind in documents().values():
        text += _section(kind, "##")
        shown.add(kind)
        for part in _parts(kind):
            if part not in shown:
                shown.add(part)
                text += _section(part, "###")
    text += "## JSON Schemas\n\n"
    for name in schemas():
        text += f"- [{name}](schemas/{name})\n"
    return text


def _section(kind: type[Contract], level: str) -> str:
    doc = inspect.cleandoc(kind.__doc__ or "").replace("``", "`")
    rows = ["| key | type | unless given |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        default = "" if field.default is PydanticUndefined else _default(field.default)
        rows.append(f"| `{name}` | {_type(field.annotation)} | {default} |")
    return f"{level} {kind.__name__}\n\n{doc}\n\n" + "\n".join(rows) + "\n\n"


def _parts(kind: type[Contract]) -> list[type[Contract]]:
    """Contracts inside a contract, depth first, in the order of their keys."""
    found: list[type[Contract]] = []
    for field in kind.model_fields.values():
        for inner in _contracts_in(field.annotation):
            for part in (inner, *_parts(inner)):
                if part not in found:
                    found.append(part)
    return found


def _contracts_in(annotation: Any) -> list[type[Contract]]:
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in _contracts_in(argument)]


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        level = "document " if issubclass(annotation, Document) else ""
        return f"{level}[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _NAMES.get(annotation) or _type(arguments[0])


def _default(value: Any) -> str:
    if isinstance(value, Contract):
        return "its own defaults"
    return f"`{json.dumps(value)}`"
