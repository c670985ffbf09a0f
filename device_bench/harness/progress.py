"""Where the harness stands, as JSON lines on its stdout: the host draws its bar from them."""

from __future__ import annotations

import json
import sys


def report(stage: str, done: float = 0, total: float = 0) -> None:
    """One line: the stage's name and how far it is; a host that has gone away is no reason to stop."""
    try:
        sys.stdout.write(json.dumps({"stage": stage, "done": done, "total": total}) + "\n")
        sys.stdout.flush()
    except OSError:
        pass
