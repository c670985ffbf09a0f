"""The systems a Core ML program can be made for."""

from __future__ import annotations

from typing import Any

from deploy.errors import DeployError

SYSTEMS = ("iOS15", "iOS16", "iOS17", "iOS18", "iOS26")


def deployment_target(name: str) -> Any:
    """coremltools' deployment target called ``name``; raises ``UNKNOWN-SYSTEM`` with the right names."""
    if name not in SYSTEMS:
        raise DeployError(
            "UNKNOWN-SYSTEM",
            f"There is no Core ML deployment target called {name!r}.",
            f"Choose one of: {', '.join(SYSTEMS)}.",
        )
    import coremltools as ct

    return getattr(ct.target, name)
