"""What holds for every test: skips are said by name, and CI allows only those that nothing can avoid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

EXCUSES = (
    "is not there (set POCKETPROOF_DATA",  # real weights and pictures cannot be installed
    "only on a Mac",
    "may not mount",
)


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Exports of tests never meet the user's cache; a test run shares one of its own."""
    if "POCKETPROOF_CACHE" not in os.environ:
        monkeypatch.setenv("POCKETPROOF_CACHE", str(tmp_path_factory.getbasetemp() / "export-cache"))
    yield


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Name what was skipped and why, once each."""
    for reason, count in sorted(_reasons(terminalreporter).items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On the CI machine a skip that an installation would have avoided is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    unexcused = [r for r in _reasons(reporter) if not any(excuse in r for excuse in EXCUSES)]
    if unexcused and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for reason in unexcused:
            reporter.write_line(f"not allowed to be skipped on CI: {reason}", red=True)


def _reasons(reporter: Any) -> dict[str, int]:
    """Skip reasons and how many tests they hit."""
    found: dict[str, int] = {}
    for report in reporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = text.removeprefix("Skipped: ")
        found[reason] = found.get(reason, 0) + 1
    return found
