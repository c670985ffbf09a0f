"""Read one block of a contract that the user wrote by hand: ``--preprocess FILE``, ``--decode FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.store import read_json


def read_block(path: Path, name: str, kind: Any) -> Any:
    """The block in ``path``; what does not fit raises ``CONTRACT-BROKEN`` with the place.

    Args:
        name: what the block is called in the message.
        kind: a contract, or a union of contracts.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DeployError(
            "CONTRACT-BROKEN",
            f"{path} is no {name} block: {place}: {first['msg']}.",
            "The keys and their values are listed in docs/contracts.md.",
        ) from error
