"""Which pictures belong together: frames of a clip, or copies of one photo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_FRAME = re.compile(r"(.*?[^\d_.\-])[_.\-]?\d+$")


def groups_of(ids: Sequence[str]) -> tuple[str, ...]:
    """A group for every picture id (relative path without suffix).

    Pictures in a sub-folder belong to it. In a flat folder, Roboflow's augmented copies (``photo.rf.hash``)
    belong to their photo, and ``name_0001`` to ``name`` when several such names occur: with one name alone
    nothing tells a clip from an album, and every picture stands for itself.
    """
    groups = [_group(name) for name in ids]
    flat = {group for group, name in zip(groups, ids, strict=True) if "/" not in name and ".rf." not in name}
    if len(flat) > 1:
        return tuple(groups)
    return tuple(name if group in flat else group for group, name in zip(groups, ids, strict=True))


def _group(name: str) -> str:
    path = PurePosixPath(name)
    if ".rf." in path.name:
        return str(path.with_name(path.name.split(".rf.")[0]))
    if len(path.parts) > 1:
        return str(path.parent)
    match = _FRAME.match(name)
    return match.group(1) if match else name
