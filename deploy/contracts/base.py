"""The two base classes of every contract, and the one way a document is read from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy import __version__
from deploy.errors import DeployError
from deploy.store import canonical_json, read_json, sha256_bytes, write_json

SCHEMA_VERSION: Literal[1] = 1


class Contract(BaseModel):
    """A part of a document: immutable, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, every key present."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Hex SHA-256 of the canonical JSON form."""
        return sha256_bytes(canonical_json(self.to_json()).encode())


class Document(Contract):
    """A contract that is a file of its own; carries its kind and schema version."""

    KIND: ClassVar[str]

    document: str
    schema_version: Literal[1] = SCHEMA_VERSION

    def save(self, path: Path) -> None:
        """Write the document atomically."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a document.

        Raises:
            DeployError: ``FILE-UNREADABLE``, ``JSON-BROKEN``, ``WRONG-DOCUMENT``, ``SCHEMA-VERSION`` or
                ``CONTRACT-BROKEN``.
        """
        return cls.parse(read_json(path), str(path))

    @classmethod
    def parse(cls, payload: Any, where: str) -> Self:
        """Validate JSON that came from ``where`` (a path or a device, for the message)."""
        if not isinstance(payload, dict) or payload.get("document") != cls.KIND:
            found = payload.get("document") if isinstance(payload, dict) else type(payload).__name__
            raise DeployError(
                "WRONG-DOCUMENT",
                f"{where} is not a {cls.KIND} document (it says {found!r}).",
                f"Point at a file that holds a {cls.KIND}.",
            )
        version = payload.get("schema_version")
        if version != SCHEMA_VERSION:
            raise DeployError(
                "SCHEMA-VERSION",
                f"{where} has {cls.KIND} schema version {version}; this deploy {__version__} reads version "
                f"{SCHEMA_VERSION}.",
                f"Write it again with this deploy, or read it with a deploy that knows version {version}.",
            )
        try:
            text = json.dumps(payload, allow_nan=False)
        except ValueError as error:
            raise DeployError(
                "CONTRACT-BROKEN",
                f"{where}: a number is NaN or infinite ({error}).",
                f"What could not be measured is null with a reason; write the {cls.KIND} again.",
            ) from error
        try:
            return cls.model_validate_json(text, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            raise DeployError(
                "CONTRACT-BROKEN",
                f"{where}: {place}: {first['msg']} ({error.error_count()} problems).",
                f"The file was edited or cut; write the {cls.KIND} again.",
            ) from error
