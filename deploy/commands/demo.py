"""``deploy demo``: the whole corridor on generated clips, by the very commands a user would type."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from deploy.commands.options import json_option

EPILOG = """\b
Example:
  deploy demo --out demo

Trains a small segmenter (about a minute), exports it to every target at fp16, verifies each
file, benches this desktop, and writes demo/report.html. Run again, it goes on where it stopped.
"""


@click.command("demo", epilog=EPILOG)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where it all goes.",
)
@click.option("--duration", default="3s", show_default=True, help="How long each artifact is benched.")
@json_option
def command(out: Path, duration: str) -> int:
    """Run the whole corridor on generated clips: train, export, verify, bench, report."""
    from deploy import console

    page = out / "report.html"
    steps: list[dict[str, Any]] = []
    run, artifacts, results = out / "run", out / "artifacts", out / "results"
    _step(steps, ["train", "binary_masks", "--out", run, "--resume"])
    _step(steps, ["export", run, "--name", "demo", "--target", "all", "--out", artifacts])
    exports = sorted(path.parent for path in artifacts.glob("*/artifact.json"))
    _step(steps, ["verify", *exports, "--out", results, "--allow-unknown"], also_fine=(4,))
    where = ["--device", "desktop", "--duration", duration, "--out", results]
    _step(steps, ["bench", *exports, *where, "--force", "--include-reference"])
    _step(steps, ["report", results, "--html", page, "--markdown", out / "report.md"])
    console.say(f"The report: {page.resolve()}")
    console.emit({"report": str(page), "steps": steps})
    return 0


def _step(steps: list[dict[str, Any]], arguments: list[Any], also_fine: tuple[int, ...] = ()) -> None:
    """Type one command, show it, and stop the demo when it fails."""
    from deploy import console
    from deploy.errors import DeployError

    words = [str(argument) for argument in arguments]
    shown = f"deploy {shlex.join(words)}"
    console.say(f"\n$ {shown}")
    started = time.perf_counter()
    quiet = subprocess.DEVNULL if console.is_machine() else None
    sys.stdout.flush()
    code = subprocess.run([sys.executable, "-m", "deploy", *words], stdout=quiet, check=False).returncode
    steps.append({"command": shown, "exit_code": code, "seconds": round(time.perf_counter() - started, 1)})
    if code not in (0, *also_fine):
        raise DeployError("DEMO-STOPPED", f"{shown} ended with exit code {code}.", f"Try it alone: {shown}")
