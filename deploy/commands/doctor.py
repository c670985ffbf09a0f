"""``deploy doctor``: check Python, pins, extras and tools against each other, and say what mends each."""

from __future__ import annotations

import click

from deploy.commands.options import json_option

EPILOG = """\b
Examples:
  deploy doctor
  deploy doctor --json

Exit code: 0 when nothing is broken (missing optional parts are listed), 3 when something is.
"""


@click.command("doctor", epilog=EPILOG)
@json_option
def command() -> int:
    """Check the installed tools against each other."""
    from deploy import console
    from deploy.errors import ExitCode
    from deploy.examination import examine

    findings = examine()
    console.table(
        "Doctor",
        ["state", "what", "found", "why it matters"],
        [[f.state, f.subject, f.found, f.because] for f in findings],
    )
    mends = [f.mend for f in findings if f.mend is not None]
    if mends:
        console.say("To mend:")
        for line in dict.fromkeys(mends):
            console.say(f"  {line}")
    broken = [f for f in findings if f.state == "BROKEN"]
    console.emit({"healthy": not broken, "findings": [f.to_dict() for f in findings]})
    return ExitCode.FAIL if broken else ExitCode.PASS
