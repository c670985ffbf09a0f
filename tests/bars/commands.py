"""The ``deploy`` command as a user types it, in a process of its own, and its JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.contracts.accuracy import AccuracyReport
from deploy.contracts.artifact import Artifact

ROOT = Path(__file__).parents[2]


def deploy(folder: Path, *arguments: str | Path, codes: tuple[int, ...] = (0, 3, 4)) -> Any:
    """Run a command in ``folder``; what it prints on the error stream is shown as it comes.

    Args:
        codes: exit codes that are an answer.
    """
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *map(str, arguments), "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode not in codes:
        raise SystemExit(
            f"deploy {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stdout}"
        )
    return json.loads(done.stdout)


def export(folder: Path, *arguments: str | Path) -> dict[tuple[str, str], tuple[Path, Artifact]]:
    """Artifacts and their folders by target and precision; what could not be built is said and left out."""
    found = {}
    for result in deploy(folder, "export", *arguments)["results"]:
        if result["artifact"] is None:
            sys.stdout.write(f"{result['target']} {result['precision']}: {result['row']['reason']}\n")
            continue
        artifact = Artifact.parse(result["artifact"], "export")
        found[result["target"], result["precision"]] = (folder / result["folder"], artifact)
    return found


def verify(folder: Path, *arguments: str | Path) -> AccuracyReport:
    """The one report of a verification."""
    (report,) = deploy(folder, "verify", *arguments, "--no-slices")["reports"]
    return AccuracyReport.parse(report, "verify")
