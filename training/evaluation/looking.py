"""Who looked at the visual page: a record that holds for exactly that page, and for no later one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deploy.contracts.promptable import LookedAt, PromptableReport
from deploy.errors import DeployError
from deploy.store import sha256_file

RECORD = "looked_at.json"


def record_look(report_file: Path, page: Path, who: str, verdict: str) -> PromptableReport:
    """Write ``looked_at.json`` beside the report, and the look into the report.

    Args:
        report_file: ``promptable.json``.
        page: the page that was looked at.
        who: a name.
        verdict: what was seen, in the person's words.

    Raises:
        DeployError: ``FILE-UNREADABLE``, ``PAGE-CHANGED`` where the page is not the report's, and
            ``LOOK-EMPTY`` for an empty name or verdict.
    """
    if not who.strip() or not verdict.strip():
        raise DeployError(
            "LOOK-EMPTY",
            "A look needs a name and what was seen.",
            'Type: deploy verify RUN --task promptable_masks --looked-at NAME --verdict "they follow"',
        )
    report = PromptableReport.load(report_file)
    digest = sha256_file(page)
    if digest != report.page_sha256:
        raise DeployError(
            "PAGE-CHANGED",
            f"{page} is not the page of {report_file}.",
            "Evaluate again, open the new page, and record the look at that one.",
        )
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    look = LookedAt(who=who.strip(), when=when, verdict=verdict.strip(), page_sha256=digest)
    look.save(report_file.with_name(RECORD))
    seen = report.model_copy(update={"looked_at": look})
    seen.save(report_file)
    return seen


def with_look(report: PromptableReport, folder: Path, page: Path) -> PromptableReport:
    """The report with its page's hash, and with an earlier look where that was at the very same page."""
    digest = sha256_file(page)
    record = folder / RECORD
    look = LookedAt.load(record) if record.is_file() else None
    still = look if look is not None and look.page_sha256 == digest else None
    return report.model_copy(update={"page_sha256": digest, "looked_at": still})
