"""One error type for everything a user can get wrong: what happened, and what to type next."""

from __future__ import annotations

import re
from enum import IntEnum

_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")


class ExitCode(IntEnum):
    """Exit codes of every command that judges; 1 and 2 keep their usual shell meanings."""

    PASS = 0
    ERROR = 1
    USAGE = 2
    FAIL = 3
    CANNOT_TELL = 4
    INCOMPARABLE = 5
    INTERRUPTED = 130


class DeployError(Exception):
    """A problem the user can mend.

    Args:
        error_id: stable ALL-CAPS id, listed in ``docs/errors.md``.
        summary: one sentence that says what happened, naming the file or value.
        remedy: what to type or change next.
        exit_code: process exit code; ``ExitCode.ERROR`` unless the problem has a code of its own.
    """

    def __init__(
        self, error_id: str, summary: str, remedy: str, exit_code: ExitCode = ExitCode.ERROR
    ) -> None:
        if not _ID.fullmatch(error_id):
            raise ValueError(f"error ids are ALL-CAPS words joined by dashes, not {error_id!r}")
        super().__init__(f"{error_id}: {summary} {remedy}")
        self.error_id = error_id
        self.summary = summary
        self.remedy = remedy
        self.exit_code = exit_code

    def to_dict(self) -> dict[str, str]:
        """The form that ``--json`` prints and that worker processes send home."""
        return {"error": self.error_id, "summary": self.summary, "remedy": self.remedy}

    @classmethod
    def from_dict(cls, payload: dict[str, str]) -> DeployError:
        """Rebuild an error that a worker process sent home."""
        return cls(payload["error"], payload["summary"], payload["remedy"])

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (type(self), (self.error_id, self.summary, self.remedy, self.exit_code))
