"""``deploy devices``: what can be benched from here, and why other things cannot."""

from __future__ import annotations

import click

from deploy.commands.options import json_option

EPILOG = """\b
Example:
  deploy devices
  deploy devices --json
"""


@click.command("devices", epilog=EPILOG)
@json_option
def command() -> int:
    """List the devices that can be benched, and why others cannot."""
    from dataclasses import asdict

    from deploy import console
    from device_bench.transports import TRANSPORTS

    rows = [row for name in TRANSPORTS for row in TRANSPORTS.open(name).devices()]
    console.table(
        "Devices",
        ["device", "name", "usable", "details"],
        [
            [
                row.spec,
                row.name,
                "yes" if row.usable else f"no: {row.reason}",
                row.details,
            ]
            for row in rows
        ],
    )
    console.emit({"devices": [asdict(row) for row in rows]})
    usable = [row for row in rows if row.usable]
    if usable:
        console.next_steps([f"deploy bench artifacts/* --device {usable[0].spec}"])
    return 0
