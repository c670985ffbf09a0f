"""A digest of a package's Python sources: a changed model under the same weights is another model."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from deploy.store import sha256_bytes

_MOST_FILES = 2000


@cache
def code_digest(package: str) -> str:
    """Hex SHA-256 over the ``.py`` files of a top-level package, in sorted order.

    A package without ``__init__.py`` counts like any other; a single module counts with the modules beside
    it, which it may import.
    """
    spec = find_spec(package)
    if spec is None:
        return sha256_bytes(package.encode())
    files: list[Path] = []
    if spec.submodule_search_locations is not None:
        for root in spec.submodule_search_locations:
            files += sorted(Path(root).rglob("*.py"))[:_MOST_FILES]
    elif spec.origin is not None:
        files = sorted(Path(spec.origin).parent.glob("*.py"))[:_MOST_FILES]
    return sha256_bytes(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in files))
