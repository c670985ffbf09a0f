"""A digest of a package's Python sources: a changed model under the same weights is another model."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from deploy.store import sha256_bytes

_MOST_FILES = 2000


@cache
def code_digest(package: str) -> str:
    """Hex SHA-256 over every ``.py`` file of a top-level package (or of a single module), in sorted order."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return sha256_bytes(package.encode())
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py"))[:_MOST_FILES] if origin.name == "__init__.py" else [origin]
    return sha256_bytes(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in files))
