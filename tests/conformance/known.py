"""Failures that were looked at: ``known.toml`` names them by pattern and says why."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("known.toml")
KINDS = {
    "coremltools": "the test or the converter is wrong; the prediction is not",
    "environment": "the test needs another torch, torchao or processor than this one, or a network",
    "lenient": "Core ML refuses what can be computed, and the runner computes it",
    "needs a Mac": "asks for a part of Core ML that an interpreter does not have; left out of the percentage",
    "ours": "the runner is wrong and not mended yet",
    "unspecified": "Core ML's documentation does not say; the test pins what one Core ML did",
}


@dataclass(frozen=True)
class Entry:
    """One cause. A failure belongs to it when ``test`` is in its node id and ``says`` in its message."""

    name: str
    kind: str
    test: str
    says: str
    cause: str

    def fits(self, node: str, message: str) -> bool:
        """Whether this is the cause of that failure."""
        return bool(re.search(self.test, node)) and bool(re.search(self.says, message, re.DOTALL))


@dataclass(frozen=True)
class Known:
    """All entries, in the order in which they are tried."""

    entries: tuple[Entry, ...]

    def find(self, node: str, message: str) -> Entry | None:
        """The first entry that fits."""
        return next((entry for entry in self.entries if entry.fits(node, message)), None)


def load(path: Path = PATH) -> Known:
    """Read the list; ``ValueError`` for an entry without a sentence or of an unknown kind."""
    found = []
    for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
        entry = Entry(name, fields["kind"], fields["test"], fields.get("says", ""), fields["cause"])
        if entry.kind not in KINDS or not entry.cause.endswith("."):
            raise ValueError(f"known.toml, {name}: kind {entry.kind!r}, cause {entry.cause!r}")
        found.append(entry)
    return Known(tuple(found))
