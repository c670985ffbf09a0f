"""Class names from a YOLO data set's ``data.yaml``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deploy.errors import DeployError

_NAMES = re.compile(r"^names:.*(?:\n(?:[ \t\-].*|[ \t]*))*", re.MULTILINE)


def read_names(root: Path) -> tuple[str, ...] | None:
    """Class names from ``data.yaml`` in the folder or the one above; ``None`` where there is none.

    Exports from the web carry free text behind the keys that is not YAML; the block ``names:`` alone is
    then read.

    Raises:
        DeployError: ``YAML-BROKEN``.
    """
    places = [folder / "data.yaml" for folder in (root, root.parent)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    names = _names(path)
    if isinstance(names, dict) and all(type(key) is int for key in names):
        if sorted(names) != list(range(len(names))):
            names = None
        else:
            names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DeployError(
            "YAML-BROKEN",
            f"{path} has no list of class names numbered from 0.",
            "Write names: [first, second], or names: {0: first, 1: second}.",
        )
    return tuple(str(name) for name in names)


def _names(path: Path) -> Any:
    """What stands under the key ``names``, of any type."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        try:
            payload: Any = yaml.safe_load(text)
        except yaml.YAMLError:
            block = _NAMES.search(text)
            payload = yaml.safe_load(block.group()) if block else None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise DeployError(
            "YAML-BROKEN", f"{path} is not valid YAML ({' '.join(str(error).split())[:160]}).", "Mend it."
        ) from error
    return payload.get("names") if isinstance(payload, dict) else None
