"""A guest, ultralytics: present, offline, and with its settings in a folder that is ours."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from deploy.errors import DeployError


def demand_ultralytics(what: str) -> None:
    """Raise ``EXTRA-MISSING`` where it is not installed; ``what`` opens the message."""
    if find_spec("ultralytics") is None:
        raise DeployError(
            "EXTRA-MISSING",
            f"{what}, and ultralytics is not installed.",
            "Install the extra (it is AGPL-3.0): pip install 'pocketproof[yolo]'",
        )


def settle(folder: Path | None = None) -> None:
    """Tell ultralytics, before it is imported, to stay offline and where its settings may lie.

    Args:
        folder: for its settings; a temporary one where it is ``None`` and nobody has named another.
    """
    os.environ.setdefault("YOLO_OFFLINE", "true")
    if folder is not None:
        os.environ["YOLO_CONFIG_DIR"] = str(folder)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / "pocketproof-yolo"))
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
