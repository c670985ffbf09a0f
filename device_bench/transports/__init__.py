"""Door plate of the transports: the word before the colon of a device to the class that reaches it.

``desktop`` is this machine; a phone is ``adb:SERIAL`` or the like, once its transport has a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from device_bench.transports.protocol import Transport

TRANSPORTS: DoorPlate[type[Transport]] = DoorPlate(
    "device",
    {
        "desktop": "device_bench.transports.desktop:DesktopTransport",
    },
)


def open_transport(spec: str) -> Transport:
    """Reach a device by its name, ``kind`` or ``kind:address``; an unknown kind lists the right ones."""
    kind, _, address = spec.partition(":")
    return TRANSPORTS.open(kind)(address)
