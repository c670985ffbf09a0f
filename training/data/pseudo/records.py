"""Rounds of pseudo-labelling: which model proposed what, under which rules, and which round came before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.store import canonical_json, read_json, sha256_bytes, write_json

RECORD = "iteration.json"


def write_record(out: Path, facts: dict[str, Any], parent: Path | None) -> dict[str, Any]:
    """Write ``iteration.json``: ``facts``, the round's number, the parent's hash, and a hash of all that.

    Raises:
        DeployError: ``ITERATION-BROKEN`` for a parent that is no such record, or was changed.
    """
    before = None if parent is None else read_record(parent)
    record = {
        "document": "pseudo_label_iteration",
        "iteration": 1 if before is None else before["iteration"] + 1,
        "parent": None if before is None else before["sha256"],
        **facts,
    }
    record = {**record, "sha256": sha256_bytes(canonical_json(record).encode())}
    write_json(out / RECORD, record)
    return record


def read_record(path: Path) -> dict[str, Any]:
    """Read a round's record (the file, or its folder) and check its hash; raises ``ITERATION-BROKEN``."""
    file = path / RECORD if path.is_dir() else path
    payload: Any = read_json(file)
    if isinstance(payload, dict) and payload.get("document") == "pseudo_label_iteration":
        rest = {key: value for key, value in payload.items() if key != "sha256"}
        if payload.get("sha256") == sha256_bytes(canonical_json(rest).encode()):
            return payload
    raise DeployError(
        "ITERATION-BROKEN",
        f"{file} is no record of a round of pseudo-labels, or was changed by hand.",
        "Name the folder that deploy data pseudo wrote.",
    )


def counts(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Pictures, labels by class, ignored boxes, pictures without a label, and those without an answer."""
    answered = [row["objects"] for row in rows if row["objects"] is not None]
    labels = [each for objects in answered for each in objects if not each["ignore"]]
    return {
        "pictures": len(rows),
        "without_answer": len(rows) - len(answered),
        "without_label": sum(all(each["ignore"] for each in objects) for objects in answered),
        "labels": {name: sum(each["class"] == index for each in labels) for index, name in enumerate(names)},
        "ignored": sum(len(objects) for objects in answered) - len(labels),
    }
